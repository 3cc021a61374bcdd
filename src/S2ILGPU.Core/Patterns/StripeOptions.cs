namespace S2ILGPU.Patterns;

/// <summary>How the stripes of a strided pattern differ from head to head.</summary>
public sealed record StripeOptions
{
    /// <summary>Stripes shifted from KV head to KV head, no offset, no dense heads.</summary>
    public static StripeOptions Default { get; } = new();

    /// <summary>o, phase of the stripes, at least 0: block 0 belongs to the head with <c>h * step = -o mod
    /// s</c>.</summary>
    public int HeadOffset { get; init; }

    /// <summary>Every head gets the stripes of head 0.</summary>
    public bool HomogeneousHeads { get; init; }

    /// <summary>Number of heads that see everything, counted in KV heads, the last ones.</summary>
    public int DenseHeads { get; init; }

    /// <summary>Shift the stripes by query head, so that the heads of a GQA group differ (Phi-3-small, with offset 1);
    /// otherwise by KV head.</summary>
    public bool SlideByQueryHead { get; init; }

    internal string Describe() => string.Concat(
        HeadOffset == 0 ? "" : $", offset {HeadOffset}",
        HomogeneousHeads ? ", homogeneous heads" : "",
        DenseHeads == 0 ? "" : $", {DenseHeads} dense KV heads",
        SlideByQueryHead ? ", sliding by query head" : "");
}

/// <summary>The stripes of each pattern head: head h keeps the far key blocks j with <c>(j + h * step + o) mod s ==
/// 0</c>.</summary>
internal readonly struct HeadStripes
{
    private readonly int _step, _offset, _denseStart;

    /// <param name="options">How heads differ.</param>
    /// <param name="queryHeads">H.</param>
    /// <param name="keyValueHeads">Hkv.</param>
    /// <param name="stride">s; the heads are shifted by <c>step = max(1, s / H)</c>.</param>
    public HeadStripes(StripeOptions options, int queryHeads, int keyValueHeads, int stride)
    {
        PatternRules.CheckAtLeast("head offset", options.HeadOffset, 0);
        if (options.DenseHeads < 0 || options.DenseHeads > keyValueHeads)
            throw new ArgumentException(
                $"dense heads must be 0 to {keyValueHeads} (the key/value heads), got {options.DenseHeads}");
        _step = options.HomogeneousHeads ? 0 : Math.Max(1, stride / queryHeads);
        _offset = options.HeadOffset;
        _denseStart = (keyValueHeads - options.DenseHeads)
            * (options.SlideByQueryHead ? queryHeads / keyValueHeads : 1);
    }

    /// <summary>Whether a pattern head sees everything.</summary>
    public bool IsDense(int head) => head >= _denseStart;

    /// <summary>The residue modulo the stride of the far key blocks that a head keeps: <c>-(h * step + o) mod
    /// s</c>.</summary>
    public int Residue(int head, int stride)
    {
        int shift = (int)(((long)head * _step + _offset) % stride);
        return shift == 0 ? 0 : stride - shift;
    }
}
