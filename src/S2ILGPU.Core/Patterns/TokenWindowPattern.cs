namespace S2ILGPU.Patterns;

/// <summary>A causal sliding window that is counted in tokens: a query reads itself and the tokens before it, as many
/// as the window has. <c>keep(h, i, j) = j &lt;= i and (i - j) B &lt; W + B - 1</c>, and of the farthest blocks only
/// the tokens of the window.</summary>
public sealed class TokenWindowPattern : AttentionPattern
{
    /// <summary>Creates a sliding window of tokens.</summary>
    /// <param name="queryHeads">H, number of query heads.</param>
    /// <param name="keyValueHeads">Hkv, number of key/value heads; divides <paramref name="queryHeads"/>.</param>
    /// <param name="windowTokens">W, tokens that a query reads, itself included; at least 1.</param>
    /// <param name="blockTokens">Tokens per block, 16 to 128, a power of two.</param>
    /// <exception cref="ArgumentException">A parameter breaks its rule; the message has the value.</exception>
    public TokenWindowPattern(int queryHeads, int keyValueHeads, int windowTokens, int blockTokens = 64)
        : base(queryHeads, keyValueHeads, blockTokens, isCausal: true, perQueryHead: false)
    {
        PatternRules.CheckAtLeast("window tokens", windowTokens, 1);
        WindowTokens = windowTokens;
    }

    /// <inheritdoc/>
    public override int WindowTokens { get; }

    /// <summary>True: the window only moves on.</summary>
    public override bool IsCacheEfficient => true;

    // Blocks in the window, the diagonal block included: those that the first query of a block reaches.
    private int WindowBlocks => (int)(((long)WindowTokens + BlockTokens - 2) / BlockTokens) + 1;

    /// <inheritdoc/>
    public override bool Keeps(int head, int queryBlock, int keyBlock) =>
        keyBlock <= queryBlock && queryBlock - keyBlock < WindowBlocks;

    /// <inheritdoc/>
    public override void AppendRow(int head, int queryBlock, int keyBlockEnd, BlockRowBuilder row)
    {
        ArgumentNullException.ThrowIfNull(row);
        row.AddRange(Math.Max(0, queryBlock - WindowBlocks + 1), RowEnd(queryBlock, keyBlockEnd));
    }

    /// <summary>The parameters in words.</summary>
    public override string ToString() => $"sliding window, {WindowTokens} tokens, {HeadsAndBlocks()}";

    internal override int FarDistance => WindowBlocks;
}
