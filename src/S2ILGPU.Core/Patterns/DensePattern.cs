namespace S2ILGPU.Patterns;

/// <summary>Every head reads everything: <c>keep(h, i, j) = j &lt;= i</c>, or all when not causal.</summary>
/// <param name="queryHeads">H, number of query heads.</param>
/// <param name="keyValueHeads">Hkv, number of key/value heads; divides <paramref name="queryHeads"/>.</param>
/// <param name="blockTokens">Tokens per block, 16 to 128, a power of two. Default 64.</param>
/// <param name="isCausal">Whether queries see only keys at or before their own position.</param>
/// <exception cref="ArgumentException">A parameter breaks its rule; the message has the value.</exception>
public sealed class DensePattern(int queryHeads, int keyValueHeads, int blockTokens = 64, bool isCausal = true)
    : AttentionPattern(queryHeads, keyValueHeads, blockTokens, isCausal, perQueryHead: false)
{
    /// <summary>True for causal patterns.</summary>
    public override bool IsCacheEfficient => IsCausal;

    /// <inheritdoc/>
    public override bool Keeps(int head, int queryBlock, int keyBlock) => !IsCausal || keyBlock <= queryBlock;

    /// <inheritdoc/>
    public override void AppendRow(int head, int queryBlock, int keyBlockEnd, BlockRowBuilder row)
    {
        ArgumentNullException.ThrowIfNull(row);
        row.AddRange(0, RowEnd(queryBlock, keyBlockEnd));
    }

    /// <summary>The parameters in words.</summary>
    public override string ToString() => $"dense, {HeadsAndBlocks()}";
}
