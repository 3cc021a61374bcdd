namespace S2ILGPU.Patterns;

/// <summary>Which key blocks each head reads for each query block: <c>Keeps(head, queryBlock, keyBlock)</c>. Pure
/// combinatorics: no tensors, no devices.</summary>
/// <remarks>
/// Block indices are absolute: position / <see cref="BlockTokens"/>. A pattern is an immutable value and safe to share
/// between threads. Token-level causality inside a kept diagonal block is not the pattern's business: kernels apply it
/// when <see cref="IsCausal"/> is set. A pattern of your own overrides <see cref="Keeps"/>; overriding <see
/// cref="AppendRow"/> as well makes its layouts cost O(kept blocks).
/// </remarks>
public abstract class AttentionPattern
{
    /// <summary>Creates a pattern for the given heads.</summary>
    /// <param name="queryHeads">H, number of query heads, at least 1.</param>
    /// <param name="keyValueHeads">Hkv, number of key/value heads; divides <paramref name="queryHeads"/>.</param>
    /// <param name="blockTokens">Tokens per block: a power of two, 16 to 128.</param>
    /// <param name="isCausal">Whether a query may only see keys at or before its own position.</param>
    /// <param name="perQueryHead">True when the heads of a GQA group differ (one pattern head per query head), false
    /// for one pattern head per KV head.</param>
    /// <exception cref="ArgumentException">The heads do not divide, or the block size is not a power of two from 16 to
    /// 128.</exception>
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

    /// <summary>Number of distinct head patterns: <see cref="KeyValueHeads"/>, or <see cref="QueryHeads"/> when the
    /// heads of a GQA group differ.</summary>
    public int PatternHeads { get; }

    /// <summary>Tokens per block.</summary>
    public int BlockTokens { get; }

    /// <summary>Whether queries see only keys at or before their own position.</summary>
    public bool IsCausal { get; }

    /// <summary>W, tokens that a query reads at most, itself and those before it, whatever blocks are kept; unlimited
    /// unless the pattern is a window of tokens. Causal patterns only.</summary>
    public virtual int WindowTokens => int.MaxValue;

    /// <summary>The most blocks a context may have; unlimited unless the pattern is a table.</summary>
    public virtual int MaxBlocks => int.MaxValue;

    /// <summary>
    /// The promise that a block below the diagonal, once dropped by a head, never returns: <c>keep(h, i, j) implies
    /// keep(h, i-1, j)</c> for every <c>j &lt; i</c>. Then a decoder may free what the newest row does not read.
    /// </summary>
    /// <remarks>False unless a pattern knows better; <c>PatternReport</c> checks it block by block.</remarks>
    public virtual bool IsCacheEfficient => false;

    /// <summary>Whether pattern head <paramref name="head"/> reads key block <paramref name="keyBlock"/> for query
    /// block <paramref name="queryBlock"/>.</summary>
    /// <param name="head">Pattern head, 0 to <see cref="PatternHeads"/> exclusive.</param>
    /// <param name="queryBlock">Absolute query block.</param>
    /// <param name="keyBlock">Absolute key block.</param>
    public abstract bool Keeps(int head, int queryBlock, int keyBlock);

    /// <summary>Appends the kept key blocks of one row in ascending order. Override where a row can be enumerated
    /// without testing every block.</summary>
    /// <param name="head">Pattern head.</param>
    /// <param name="queryBlock">Absolute query block.</param>
    /// <param name="keyBlockEnd">Exclusive end of the key blocks that exist.</param>
    /// <param name="row">Receives the kept key blocks.</param>
    public virtual void AppendRow(int head, int queryBlock, int keyBlockEnd, BlockRowBuilder row)
    {
        ArgumentNullException.ThrowIfNull(row);
        int end = RowEnd(queryBlock, keyBlockEnd);
        for (int keyBlock = 0; keyBlock < end; keyBlock++)
            if (Keeps(head, queryBlock, keyBlock))
                row.Add(keyBlock);
    }

    /// <summary>The pattern head that serves a query head.</summary>
    /// <param name="queryHead">Query head, 0 to <see cref="QueryHeads"/> exclusive.</param>
    public int PatternHeadOf(int queryHead) =>
        PatternHeads == QueryHeads ? queryHead : queryHead / (QueryHeads / KeyValueHeads);

    /// <summary>Whether a query of a block or a later one may read a key block through any query head that a KV head
    /// serves: what a decoder has to keep.</summary>
    /// <param name="keyValueHead">KV head, 0 to <see cref="KeyValueHeads"/> exclusive.</param>
    /// <param name="queryBlock">Absolute query block of the next position.</param>
    /// <param name="keyBlock">Absolute key block.</param>
    /// <returns>Always true when the pattern does not promise to be cache-efficient.</returns>
    public bool MayStillRead(int keyValueHead, int queryBlock, int keyBlock)
    {
        if (!IsCacheEfficient || keyBlock >= queryBlock)
            return true;
        int row = Math.Min(queryBlock, MaxBlocks - 1), heads = PatternHeads / KeyValueHeads;
        for (int head = keyValueHead * heads; head < (keyValueHead + 1) * heads; head++)
            if (Keeps(head, row, keyBlock))
                return true;
        return false;
    }

    /// <summary>The same pattern for some of the query heads only, as one device of a tensor-parallel group needs it:
    /// head 0 of the result is head <c>a</c> of this pattern.</summary>
    /// <param name="queryHeads">Range a..b of query heads: whole GQA groups, or a part of one group.</param>
    /// <exception cref="ArgumentException">The range is empty, leaves the heads, or cuts GQA groups
    /// unevenly.</exception>
    public AttentionPattern SliceHeads(Range queryHeads) => new HeadRangePattern(this, queryHeads);

    /// <summary>Keeps what either pattern keeps.</summary>
    /// <param name="other">A pattern of the same heads, block size and causality; one may have a pattern head per query
    /// head and the other one per KV head.</param>
    /// <exception cref="ArgumentException">The patterns differ in heads, block size or causality.</exception>
    public AttentionPattern Union(AttentionPattern other) => new CombinedPattern(this, other, isUnion: true);

    /// <summary>Keeps what both patterns keep.</summary>
    /// <param name="other">A pattern of the same heads, block size and causality; one may have a pattern head per query
    /// head and the other one per KV head.</param>
    /// <exception cref="ArgumentException">The patterns differ in heads, block size or causality.</exception>
    public AttentionPattern Intersection(AttentionPattern other) => new CombinedPattern(this, other, isUnion: false);

    /// <summary>The <see cref="Union"/> of two patterns.</summary>
    /// <param name="left">One pattern.</param>
    /// <param name="right">The other.</param>
    public static AttentionPattern operator |(AttentionPattern left, AttentionPattern right) =>
        new CombinedPattern(left, right, isUnion: true);

    /// <summary>The <see cref="Intersection"/> of two patterns.</summary>
    /// <param name="left">One pattern.</param>
    /// <param name="right">The other.</param>
    public static AttentionPattern operator &(AttentionPattern left, AttentionPattern right) =>
        new CombinedPattern(left, right, isUnion: false);

    /// <summary>The stride whose residues say which far key blocks a head keeps; 0 for a pattern without
    /// stripes.</summary>
    internal virtual int StripePeriod => 0;

    /// <summary>Whether a head keeps the far key blocks of a residue modulo <see cref="StripePeriod"/>.</summary>
    internal virtual bool KeepsResidue(int head, int residue) => true;

    /// <summary>Distance from a query block to its nearest far key block: the blocks of the window, all of them kept,
    /// are nearer. 1 for a pattern without a window.</summary>
    internal virtual int FarDistance => 1;

    /// <summary>Exclusive end of the far key blocks of a query block, those before its window.</summary>
    internal int FarEnd(int queryBlock) => (int)Math.Max(0, queryBlock + 1L - FarDistance);

    /// <summary>Exclusive end of the key blocks that a row may keep.</summary>
    internal int RowEnd(int queryBlock, int keyBlockEnd) =>
        IsCausal ? Math.Min(keyBlockEnd, queryBlock + 1) : keyBlockEnd;

    /// <summary>Heads and block size as the end of a description.</summary>
    internal string HeadsAndBlocks() =>
        $"{QueryHeads} query heads, {KeyValueHeads} KV heads, blocks of {BlockTokens} tokens, "
        + $"{(IsCausal ? "causal" : "not causal")}";
}
