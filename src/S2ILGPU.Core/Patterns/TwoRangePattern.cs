namespace S2ILGPU.Patterns;

/// <summary>A local window, then one key block of every <c>s1</c> up to a distance of <c>N1</c> blocks, then one of
/// every <c>s2</c>; causal, with stripes shifted from head to head.</summary>
/// <remarks>
/// <c>keep(h, i, j) = j &lt;= i and (i - j &lt; L or dense(h) or (j + h * step + o) mod (i - j &lt; N1 ? s1 : s2) ==
/// 0)</c> with <c>step = max(1, s1 / H)</c>. Both ranges share one shift, so that the far stripes of a head are among
/// its near stripes whenever s1 divides s2: such a pattern is cache-efficient.
/// </remarks>
public sealed class TwoRangePattern : AttentionPattern
{
    private readonly HeadStripes _stripes;

    /// <summary>Creates a pattern of two ranges.</summary>
    /// <param name="queryHeads">H, number of query heads.</param>
    /// <param name="keyValueHeads">Hkv, number of key/value heads; divides <paramref name="queryHeads"/>.</param>
    /// <param name="localBlocks">L, blocks in the local window, the diagonal block included; at least 1.</param>
    /// <param name="nearBlocks">N1, blocks in the near range, the window included; at least L.</param>
    /// <param name="nearStride">s1, one block is kept of every s1 in the near range.</param>
    /// <param name="farStride">s2, one block is kept of every s2 beyond.</param>
    /// <param name="blockTokens">Tokens per block, 16 to 128, a power of two. Default 64.</param>
    /// <param name="stripes">How the stripes differ from head to head; null for <see
    /// cref="StripeOptions.Default"/>.</param>
    /// <exception cref="ArgumentException">A parameter breaks its rule; the message has the value.</exception>
    public TwoRangePattern(int queryHeads, int keyValueHeads, int localBlocks, int nearBlocks, int nearStride,
        int farStride, int blockTokens = 64, StripeOptions? stripes = null)
        : base(queryHeads, keyValueHeads, blockTokens, isCausal: true, stripes is { SlideByQueryHead: true })
    {
        PatternRules.CheckAtLeast("local blocks", localBlocks, 1);
        PatternRules.CheckAtLeast("near blocks", nearBlocks, localBlocks);
        PatternRules.CheckStride("near stride", nearStride);
        PatternRules.CheckStride("far stride", farStride);
        LocalBlocks = localBlocks;
        NearBlocks = nearBlocks;
        NearStride = nearStride;
        FarStride = farStride;
        Stripes = stripes ?? StripeOptions.Default;
        _stripes = new HeadStripes(Stripes, queryHeads, keyValueHeads, nearStride);
    }

    /// <summary>L, blocks in the local window, the diagonal block included.</summary>
    public int LocalBlocks { get; }

    /// <summary>N1, blocks in the near range, the window included.</summary>
    public int NearBlocks { get; }

    /// <summary>s1, one block is kept of every s1 in the near range.</summary>
    public int NearStride { get; }

    /// <summary>s2, one block is kept of every s2 beyond the near range.</summary>
    public int FarStride { get; }

    /// <summary>How the stripes differ from head to head.</summary>
    public StripeOptions Stripes { get; }

    /// <summary>True when the near stride divides the far stride.</summary>
    public override bool IsCacheEfficient => FarStride % NearStride == 0;

    /// <inheritdoc/>
    public override bool Keeps(int head, int queryBlock, int keyBlock)
    {
        int distance = queryBlock - keyBlock, stride = distance < NearBlocks ? NearStride : FarStride;
        return distance >= 0 && (distance < LocalBlocks || _stripes.IsDense(head)
            || keyBlock % stride == _stripes.Residue(head, stride));
    }

    /// <inheritdoc/>
    public override void AppendRow(int head, int queryBlock, int keyBlockEnd, BlockRowBuilder row)
    {
        ArgumentNullException.ThrowIfNull(row);
        int end = RowEnd(queryBlock, keyBlockEnd);
        int windowStart = _stripes.IsDense(head) ? 0 : Math.Clamp(queryBlock - LocalBlocks + 1, 0, end);
        int nearStart = Math.Clamp(queryBlock - NearBlocks + 1, 0, windowStart);
        row.AddRange(_stripes.Residue(head, FarStride), nearStart, FarStride);
        row.AddRange(FirstNearStripe(head, nearStart, windowStart), windowStart, NearStride);
        row.AddRange(windowStart, end);
    }

    private int FirstNearStripe(int head, int nearStart, int windowStart)
    {
        int ahead = _stripes.Residue(head, NearStride) - nearStart % NearStride;
        return (int)Math.Min((long)nearStart + (ahead < 0 ? ahead + NearStride : ahead), windowStart);
    }

    /// <summary>The parameters in words.</summary>
    public override string ToString() =>
        $"two-range, local {LocalBlocks}, stride {NearStride} within {NearBlocks} blocks, stride {FarStride} "
        + $"beyond{Stripes.Describe()}, {HeadsAndBlocks()}";

    internal override int StripePeriod => FarStride;

    internal override bool KeepsResidue(int head, int residue) =>
        _stripes.IsDense(head) || residue == _stripes.Residue(head, FarStride);
}
