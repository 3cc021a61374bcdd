namespace S2ILGPU.Patterns;

/// <summary>The S2 pattern: a local window plus one remote key block of every <c>s</c>, with stripes shifted from head
/// to head so that the heads together read the whole context.</summary>
/// <remarks>
/// <para>Causal, with <c>step = max(1, s / H)</c> and stripes at absolute key blocks:
/// <c>keep(h, i, j) = j &lt;= i and (i - j &lt; L or dense(h) or (j + h * step + o) mod s == 0)</c>.</para>
/// <para>Not causal, with stripes relative to the query block and no head shift: <c>l = max(0, i-j-L+1), r = max(0,
/// j-i-L+1), keep = dense(h) or (l + r) mod s == 0</c>.</para>
/// <para>The step comes from the query heads. When fewer pattern heads than <c>s</c> slide, some residues belong to no
/// head: <c>PatternReport</c> names them.</para>
/// </remarks>
/// <seealso href="https://arxiv.org/abs/2407.17678">S2-Attention, section 3; reference implementation: DKernel
/// v0.0.2</seealso>
public sealed class LocalStridePattern : AttentionPattern
{
    private readonly HeadStripes _stripes;

    /// <summary>Creates a local-stride pattern.</summary>
    /// <param name="queryHeads">H, number of query heads.</param>
    /// <param name="keyValueHeads">Hkv, number of key/value heads; divides <paramref name="queryHeads"/>.</param>
    /// <param name="blockTokens">Tokens per block, 16 to 128, a power of two. Default 64.</param>
    /// <param name="localBlocks">L, blocks in the local window, the diagonal block included; at least 1 when the stride
    /// is above 1. Default 16.</param>
    /// <param name="verticalStride">s, one remote block is kept of every s; 1 is dense. Default 8.</param>
    /// <param name="stripes">How the stripes differ from head to head; null for <see
    /// cref="StripeOptions.Default"/>.</param>
    /// <param name="isCausal">Causal (absolute stripes) or not (relative stripes).</param>
    /// <exception cref="ArgumentException">A parameter breaks its rule; the message has the value.</exception>
    public LocalStridePattern(int queryHeads, int keyValueHeads, int blockTokens = 64, int localBlocks = 16,
        int verticalStride = 8,
        StripeOptions? stripes = null, bool isCausal = true)
        : base(queryHeads, keyValueHeads, blockTokens, isCausal, stripes is { SlideByQueryHead: true })
    {
        PatternRules.CheckStride("vertical stride", verticalStride);
        PatternRules.CheckAtLeast("local blocks", localBlocks, verticalStride > 1 ? 1 : 0);
        LocalBlocks = localBlocks;
        VerticalStride = verticalStride;
        Stripes = stripes ?? StripeOptions.Default;
        _stripes = new HeadStripes(Stripes, queryHeads, keyValueHeads, verticalStride);
    }

    /// <summary>L, blocks in the local window, the diagonal block included.</summary>
    public int LocalBlocks { get; }

    /// <summary>s, one remote block is kept of every s.</summary>
    public int VerticalStride { get; }

    /// <summary>How the stripes differ from head to head.</summary>
    public StripeOptions Stripes { get; }

    /// <summary>True for causal patterns: stripes stay where they are, and the window only moves on.</summary>
    public override bool IsCacheEfficient => IsCausal;

    /// <summary>The residue modulo <see cref="VerticalStride"/> of the key blocks that a head keeps beyond its window:
    /// <c>-(h * step + o) mod s</c>. Causal patterns only.</summary>
    /// <param name="head">Pattern head.</param>
    public int StripeResidue(int head) => _stripes.Residue(head, VerticalStride);

    /// <summary>Whether a head sees everything.</summary>
    /// <param name="head">Pattern head.</param>
    public bool IsDense(int head) => _stripes.IsDense(head);

    /// <inheritdoc/>
    public override bool Keeps(int head, int queryBlock, int keyBlock)
    {
        int distance = Math.Abs(queryBlock - keyBlock);
        if (IsCausal)
            return keyBlock <= queryBlock
                && (distance < LocalBlocks || IsDense(head) || keyBlock % VerticalStride == StripeResidue(head));
        return IsDense(head) || Math.Max(0, distance - LocalBlocks + 1) % VerticalStride == 0;
    }

    /// <inheritdoc/>
    public override void AppendRow(int head, int queryBlock, int keyBlockEnd, BlockRowBuilder row)
    {
        ArgumentNullException.ThrowIfNull(row);
        int end = RowEnd(queryBlock, keyBlockEnd);
        if (IsDense(head) || VerticalStride == 1)
        {
            row.AddRange(0, end);
            return;
        }
        int windowStart = Math.Max(queryBlock - LocalBlocks + 1, 0),
            windowEnd = (int)Math.Min((long)queryBlock + LocalBlocks, end);
        int firstStripe = IsCausal ? StripeResidue(head) : windowStart % VerticalStride;
        row.AddRange(firstStripe, Math.Min(windowStart, end), VerticalStride);
        row.AddRange(windowStart, windowEnd);
        if (!IsCausal)
            row.AddRange(windowEnd - 1 + VerticalStride, end, VerticalStride);
    }

    /// <summary>The parameters in words.</summary>
    public override string ToString() =>
        $"local-stride, local {LocalBlocks}, stride {VerticalStride}{Stripes.Describe()}, {HeadsAndBlocks()}";

    internal override int FarDistance => Math.Max(1, LocalBlocks);

    internal override int StripePeriod => VerticalStride;

    // Not causal: every head keeps the distances 0 modulo s, so that a row misses all other residues.
    internal override bool KeepsResidue(int head, int residue) =>
        IsDense(head) || residue == (IsCausal ? StripeResidue(head) : 0);
}
