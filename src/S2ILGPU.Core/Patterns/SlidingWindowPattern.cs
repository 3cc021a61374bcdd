namespace S2ILGPU.Patterns;

/// <summary>
/// A sliding window, and the first blocks of the context as attention sinks: <c>keep(h, i, j) = (i - j &lt; W or j &lt;
/// S) and j &lt;= i</c>; not causal: <c>|i - j| &lt; W or j &lt; S</c>.
/// </summary>
public sealed class SlidingWindowPattern : AttentionPattern
{
    /// <summary>Creates a sliding-window pattern.</summary>
    /// <param name="queryHeads">H, number of query heads.</param>
    /// <param name="keyValueHeads">Hkv, number of key/value heads; divides <paramref name="queryHeads"/>.</param>
    /// <param name="windowBlocks">W, blocks in the window, the diagonal block included; at least 1.</param>
    /// <param name="sinkBlocks">S, first blocks of the context that every query reads. Default 0.</param>
    /// <param name="blockTokens">Tokens per block, 16 to 128, a power of two. Default 64.</param>
    /// <param name="isCausal">Whether queries see only keys at or before their own position.</param>
    /// <exception cref="ArgumentException">A parameter breaks its rule; the message has the value.</exception>
    public SlidingWindowPattern(int queryHeads, int keyValueHeads, int windowBlocks, int sinkBlocks = 0,
        int blockTokens = 64, bool isCausal = true)
        : base(queryHeads, keyValueHeads, blockTokens, isCausal, perQueryHead: false)
    {
        PatternRules.CheckAtLeast("window blocks", windowBlocks, 1);
        PatternRules.CheckAtLeast("sink blocks", sinkBlocks, 0);
        WindowBlocks = windowBlocks;
        SinkBlocks = sinkBlocks;
    }

    /// <summary>W, blocks in the window, the diagonal block included.</summary>
    public int WindowBlocks { get; }

    /// <summary>S, first blocks of the context that every query reads.</summary>
    public int SinkBlocks { get; }

    /// <summary>True for causal patterns.</summary>
    public override bool IsCacheEfficient => IsCausal;

    /// <inheritdoc/>
    public override bool Keeps(int head, int queryBlock, int keyBlock) =>
        (Math.Abs(queryBlock - keyBlock) < WindowBlocks || keyBlock < SinkBlocks)
        && (!IsCausal || keyBlock <= queryBlock);

    /// <inheritdoc/>
    public override void AppendRow(int head, int queryBlock, int keyBlockEnd, BlockRowBuilder row)
    {
        ArgumentNullException.ThrowIfNull(row);
        int end = RowEnd(queryBlock, keyBlockEnd);
        int sinkEnd = Math.Min(SinkBlocks, end);
        int windowEnd = (int)Math.Min((long)queryBlock + WindowBlocks, end);
        row.AddRange(0, sinkEnd);
        row.AddRange(Math.Max(sinkEnd, queryBlock - WindowBlocks + 1), windowEnd);
    }

    /// <summary>The parameters in words.</summary>
    public override string ToString() =>
        $"sliding window, {WindowBlocks} blocks, {SinkBlocks} sink blocks, {HeadsAndBlocks()}";

    internal override int FarDistance => WindowBlocks;
}
