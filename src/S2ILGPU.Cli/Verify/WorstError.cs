using System.Globalization;
using System.Text.Json;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Verify;

/// <summary>How far a result may be from the exact one at its worst element, for inputs N(0, 1) and a scale of 1 /
/// sqrt(D).</summary>
/// <param name="Limit">The largest error allowed.</param>
/// <param name="IsRelative">Errors count relative to max(1, |exact|).</param>
internal readonly record struct Tolerance(double Limit, bool IsRelative = false)
{
    /// <summary>Nothing is computed, so that every bit must be right.</summary>
    public static Tolerance Exact { get; } = new(1e-12);

    /// <summary>Outputs.</summary>
    public static Tolerance Output(ElementType type) => type switch
    {
        ElementType.Float16 => new(2e-3),
        ElementType.BFloat16 => new(1.6e-2),
        _ => new(1e-5),
    };

    /// <summary>Log-sum-exps: they grow with the number of keys.</summary>
    public static Tolerance LogSumExp(ElementType type) => Output(type) with { IsRelative = true };

    /// <summary>Gradients; relative for 16-bit types, where rounding the exact value alone can cost more.</summary>
    public static Tolerance Gradient(ElementType type) =>
        type is ElementType.Float16 or ElementType.BFloat16 ? Output(type) with { IsRelative = true } : new(1e-4);

    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Limit:0.0e-0}{(IsRelative ? " of max(1, |x|)" : "")}");
}

/// <summary>The worst element of a result. NaN counts as an infinite error unless NaN is exact, an infinity as right
/// only where the same infinity is expected.</summary>
/// <param name="Tensor">Which result.</param>
/// <param name="Error">The largest error, counted as the tolerance says.</param>
/// <param name="Tolerance">What is allowed.</param>
/// <param name="Index">Where, by dimension.</param>
/// <param name="Exact">What the reference has there.</param>
/// <param name="Actual">What the kernel has there.</param>
internal sealed record WorstError(string Tensor, double Error, Tolerance Tolerance, IReadOnlyList<int> Index,
    double Exact, double Actual)
{
    /// <summary>Error over limit: at most 1 when all is well.</summary>
    public double OfLimit => Error / Tolerance.Limit;

    /// <summary>Whether every element is within the tolerance.</summary>
    public bool IsWithin => Error <= Tolerance.Limit;

    /// <summary>Finds the worst element.</summary>
    public static WorstError Of(string tensor, Shape shape, Tolerance tolerance, double[] exact, float[] actual)
    {
        double worst = 0;
        int at = -1;
        for (int n = 0; n < exact.Length; n++)
        {
            double error = ErrorOf(exact[n], actual[n], tolerance.IsRelative);
            if (error > worst || (at < 0 && double.IsFinite(exact[n])))
                (worst, at) = (error, n);
        }
        return at < 0 ? new WorstError(tensor, 0, tolerance, [], 0, 0)
            : new WorstError(tensor, worst, tolerance, Coordinates(shape, at), exact[at], actual[at]);
    }

    /// <summary>What a reader needs to find the element.</summary>
    public string Describe() => string.Create(CultureInfo.InvariantCulture,
        $"{Tensor}[{string.Join(", ", Index)}] is {Actual:g6}, exact {Exact:g6}");

    /// <summary>Writes the members of a JSON object.</summary>
    /// <param name="json">The writer, within an object.</param>
    /// <param name="worstCase">The problem where the element was.</param>
    public void Write(Utf8JsonWriter json, string worstCase)
    {
        if (double.IsFinite(Error))
            json.WriteNumber("worstError", Error);
        else
            json.WriteNull("worstError"); // JSON has no infinity: an element that is NaN, or was not written
        json.WriteNumber("tolerance", Tolerance.Limit);
        json.WriteBoolean("relative", Tolerance.IsRelative);
        json.WriteString("tensor", Tensor);
        json.WriteString("case", worstCase);
        json.WriteString("element", Describe());
    }

    private static int[] Coordinates(Shape shape, int index)
    {
        var coordinates = new int[shape.Rank];
        for (int d = shape.Rank - 1; d >= 0; index /= Math.Max(1, shape[d--]))
            coordinates[d] = index % Math.Max(1, shape[d]);
        return coordinates;
    }

    private static double ErrorOf(double exact, double actual, bool isRelative)
    {
        if ((double.IsInfinity(exact) && exact == actual) || (double.IsNaN(exact) && double.IsNaN(actual)))
            return 0;
        if (!double.IsFinite(exact) || !double.IsFinite(actual))
            return double.PositiveInfinity;
        return Math.Abs(exact - actual) / (isRelative ? Math.Max(1, Math.Abs(exact)) : 1);
    }
}
