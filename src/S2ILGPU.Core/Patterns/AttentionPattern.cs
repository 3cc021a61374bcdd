namespace S2ILGPU.Patterns;

/// <summary>Which key blocks each head reads for each query block: <c>Keeps(head, queryBlock, keyBlock)</c>. Pure combinatorics: no tensors, no devices.</summary>
/// <remarks>
/// Block indices are absolute: position / <see cref="BlockTokens"/>. A pattern is an immutable value and safe to share between threads.
/// Token-level causality inside a kept diagonal block is not the pattern's business: kernels apply it when <see cref="IsCausal"/> is set.
/// </remarks>
public abstract class AttentionPattern
{
    /// <summary>Creates a pattern for the given heads.</summary>
    /// <param name="queryHeads">H, number of query heads, at least 1.</param>
    /// <param name="keyValueHeads">Hkv, number of key/value heads; divides <paramref name="queryHeads"/>.</param>
    /// <param name="blockTokens">Tokens per block: a power of two, 16 to 128.</param>
    /// <param name="isCausal">Whether a query may only see keys at or before its own position.</param>
    /// <param name="perQueryHead">True when the heads of a GQA group differ (one pattern head per query head), false for one pattern head per KV head.</param>
    /// <exception cref="ArgumentException">The heads do not divide, or the block size is not a power of two from 16 to 128.</exception>
    protected AttentionPattern(int queryHeads, int keyValueHeads, int blockTokens, bool isCausal, bool perQueryHead)
    {
        PatternRules.CheckHeads(queryHeads, keyValueHeads);
        PatternRules.CheckBlockTokens(blockTokens);
        QueryHeads = queryHeads;
        KeyValueHeads = keyValueHeads;
        BlockTokens = blockTokens;
        IsCausal = isCausal;
        PatternHeads = perQueryHead ? queryHeads : keyValueHeads;
    }

    /// <summary>H, number of query heads.</summary>
    public int QueryHeads { get; }

    /// <summary>Hkv, number of key/value heads; divides <see cref="QueryHeads"/>.</summary>
    public int KeyValueHeads { get; }

    /// <summary>Number of distinct head patterns: <see cref="KeyValueHeads"/>, or <see cref="QueryHeads"/> when the heads of a GQA group differ.</summary>
    public int PatternHeads { get; }

    /// <summary>Tokens per block.</summary>
    public int BlockTokens { get; }

    /// <summary>Whether queries see only keys at or before their own position.</summary>
    public bool IsCausal { get; }

    /// <summary>Whether pattern head <paramref name="head"/> reads key block <paramref name="keyBlock"/> for query block <paramref name="queryBlock"/>.</summary>
    /// <param name="head">Pattern head, 0 to <see cref="PatternHeads"/> exclusive.</param>
    /// <param name="queryBlock">Absolute query block.</param>
    /// <param name="keyBlock">Absolute key block.</param>
    public abstract bool Keeps(int head, int queryBlock, int keyBlock);

    /// <summary>Appends the kept key blocks of one row in ascending order. Override where a row can be enumerated without testing every block.</summary>
    /// <param name="head">Pattern head.</param>
    /// <param name="queryBlock">Absolute query block.</param>
    /// <param name="keyBlockEnd">Exclusive end of the key blocks that exist.</param>
    /// <param name="row">Receives the kept key blocks.</param>
    public virtual void AppendRow(int head, int queryBlock, int keyBlockEnd, List<int> row)
    {
        int end = IsCausal ? Math.Min(keyBlockEnd, queryBlock + 1) : keyBlockEnd;
        for (int keyBlock = 0; keyBlock < end; keyBlock++)
            if (Keeps(head, queryBlock, keyBlock))
                row.Add(keyBlock);
    }

    /// <summary>The pattern head that serves a query head.</summary>
    /// <param name="queryHead">Query head, 0 to <see cref="QueryHeads"/> exclusive.</param>
    public int PatternHeadOf(int queryHead) => PatternHeads == QueryHeads ? queryHead : queryHead / (QueryHeads / KeyValueHeads);
}
