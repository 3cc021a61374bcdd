using S2ILGPU.Tensors;

namespace S2ILGPU.TestSupport;

/// <summary>How far a result may be from the reference at its worst element.</summary>
/// <param name="Limit">The largest error allowed.</param>
/// <param name="IsRelative">Errors count relative to max(1, |expected|).</param>
public readonly record struct Tolerance(double Limit, bool IsRelative = false)
{
    /// <summary>NaN is right where NaN is expected; otherwise NaN always fails.</summary>
    public bool NaNMatches { get; init; }

    /// <summary>Same value as the reference, after it was rounded to the type of the result.</summary>
    public static Tolerance Exact => default;

    /// <summary>Outputs, for inputs N(0,1) and a scale of 1/sqrt(D).</summary>
    public static Tolerance Forward(ElementType type) => type switch
    {
        ElementType.Float16 => new(2e-3),
        ElementType.BFloat16 => new(1.6e-2),
        _ => new(1e-5),
    };

    /// <summary>Gradients; relative for 16-bit types, where rounding the exact value alone can cost more.</summary>
    public static Tolerance Backward(ElementType type) => type switch
    {
        ElementType.Float16 => new(2e-3, true),
        ElementType.BFloat16 => new(1.6e-2, true),
        _ => new(1e-4),
    };

    /// <summary>The same limit, relative to max(1, |expected|).</summary>
    public Tolerance Relative => this with { IsRelative = true };

    /// <summary>A wider limit, for inputs whose conditioning is worse by a known factor.</summary>
    public Tolerance Times(double factor) => this with { Limit = Limit * factor };

    public override string ToString() =>
        Limit == 0 ? "exact" : $"{Limit:g3}{(IsRelative ? " relative to max(1, |expected|)" : "")}";
}
