namespace S2ILGPU.Patterns;

/// <summary>The S2 pattern: a local window plus one remote key block of every <c>s</c>, with stripes shifted from head to head so that the heads together read the whole context.</summary>
/// <remarks>
/// <para>Causal, with <c>step = max(1, s / H)</c> and stripes at absolute key blocks:
/// <c>keep(h, i, j) = j &lt;= i and (i - j &lt; L or dense(h) or (j + h * step + o) mod s == 0)</c>.</para>
/// <para>Non-causal, with stripes relative to the query block and no head shift: <c>l = max(0, i-j-L+1), r = max(0, j-i-L+1), keep = (l + r) mod s == 0</c>.</para>
/// </remarks>
/// <seealso href="https://arxiv.org/abs/2407.17678">S2-Attention, section 3; reference implementation: DKernel v0.0.2</seealso>
public sealed class LocalStridePattern : AttentionPattern
{
    private readonly int _step;

    /// <summary>Creates a local-stride pattern.</summary>
    /// <param name="queryHeads">H, number of query heads.</param>
    /// <param name="keyValueHeads">Hkv, number of key/value heads; divides <paramref name="queryHeads"/>.</param>
    /// <param name="blockTokens">Tokens per block, 16 to 128, a power of two. Default 64.</param>
    /// <param name="localBlocks">L, blocks in the local window, the diagonal block included; at least 1 when the stride is above 1. Default 16.</param>
    /// <param name="verticalStride">s, one remote block is kept of every s; 1 is dense. Default 8.</param>
    /// <param name="headOffset">o, phase of the stripes: block 0 belongs to head (s - o) mod s. Default 0.</param>
    /// <param name="homogeneousHeads">Every head gets the stripes of head 0.</param>
    /// <param name="denseHeads">How many heads see everything, counted in KV heads, the last ones.</param>
    /// <param name="slideByQueryHead">Shift the stripes by query head, so that the heads of a GQA group differ; otherwise by KV head.</param>
    /// <param name="isCausal">Causal (absolute stripes) or not (relative stripes).</param>
    /// <exception cref="ArgumentException">A parameter breaks its rule; the message has the value.</exception>
    public LocalStridePattern(int queryHeads, int keyValueHeads, int blockTokens = 64, int localBlocks = 16, int verticalStride = 8, int headOffset = 0,
        bool homogeneousHeads = false, int denseHeads = 0, bool slideByQueryHead = false, bool isCausal = true)
        : base(queryHeads, keyValueHeads, blockTokens, isCausal, slideByQueryHead)
    {
        PatternRules.CheckAtLeast("vertical stride", verticalStride, 1);
        PatternRules.CheckAtLeast("local blocks", localBlocks, verticalStride > 1 ? 1 : 0);
        PatternRules.CheckAtLeast("head offset", headOffset, 0);
        if (denseHeads < 0 || denseHeads > keyValueHeads)
            throw new ArgumentException($"dense heads must be 0 to {keyValueHeads} (the key/value heads), got {denseHeads}");
        LocalBlocks = localBlocks;
        VerticalStride = verticalStride;
        HeadOffset = headOffset;
        HomogeneousHeads = homogeneousHeads;
        DenseHeads = denseHeads;
        _step = homogeneousHeads ? 0 : Math.Max(1, verticalStride / queryHeads);
    }

    /// <summary>L, blocks in the local window, the diagonal block included.</summary>
    public int LocalBlocks { get; }

    /// <summary>s, one remote block is kept of every s.</summary>
    public int VerticalStride { get; }

    /// <summary>o, phase of the stripes.</summary>
    public int HeadOffset { get; }

    /// <summary>Whether every head has the same stripes.</summary>
    public bool HomogeneousHeads { get; }

    /// <summary>Heads that see everything, counted in KV heads, the last ones.</summary>
    public int DenseHeads { get; }

    /// <summary>The residue modulo <see cref="VerticalStride"/> of the key blocks that a head keeps beyond its window: <c>-(h * step + o) mod s</c>.</summary>
    /// <param name="head">Pattern head.</param>
    public int StripeResidue(int head)
    {
        int shift = (int)(((long)head * _step + HeadOffset) % VerticalStride);
        return shift == 0 ? 0 : VerticalStride - shift;
    }

    /// <summary>Whether a head sees everything.</summary>
    /// <param name="head">Pattern head.</param>
    public bool IsDense(int head) => head / (PatternHeads / KeyValueHeads) >= KeyValueHeads - DenseHeads;

    /// <inheritdoc/>
    public override bool Keeps(int head, int queryBlock, int keyBlock)
    {
        if (!IsCausal)
        {
            int left = Math.Max(0, queryBlock - keyBlock - LocalBlocks + 1), right = Math.Max(0, keyBlock - queryBlock - LocalBlocks + 1);
            return IsDense(head) || (left + right) % VerticalStride == 0;
        }
        return keyBlock <= queryBlock
            && (queryBlock - keyBlock < LocalBlocks || IsDense(head) || keyBlock % VerticalStride == StripeResidue(head));
    }

    /// <inheritdoc/>
    public override void AppendRow(int head, int queryBlock, int keyBlockEnd, List<int> row)
    {
        if (!IsCausal)
        {
            base.AppendRow(head, queryBlock, keyBlockEnd, row);
            return;
        }
        int end = Math.Min(keyBlockEnd, queryBlock + 1);
        int localStart = IsDense(head) ? 0 : Math.Clamp(queryBlock - LocalBlocks + 1, 0, end);
        for (int keyBlock = StripeResidue(head); keyBlock < localStart; keyBlock += VerticalStride)
            row.Add(keyBlock);
        for (int keyBlock = localStart; keyBlock < end; keyBlock++)
            row.Add(keyBlock);
    }
}
