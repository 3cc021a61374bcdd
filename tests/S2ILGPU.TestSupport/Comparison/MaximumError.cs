using S2ILGPU.Tensors;
using Xunit;

namespace S2ILGPU.TestSupport;

/// <summary>The worst element of a result: NaN counts as an infinite error, an infinity as correct only where the same
/// infinity is expected.</summary>
/// <param name="Error">The largest error, absolute or relative to max(1, |expected|); 0 for no elements.</param>
/// <param name="Index">Row-major index of the worst element.</param>
/// <param name="Expected">What the reference has there.</param>
/// <param name="Actual">What the result has there.</param>
public readonly record struct MaximumError(double Error, int Index, double Expected, double Actual)
{
    /// <summary>Finds the worst element.</summary>
    public static MaximumError Of(ReadOnlySpan<double> expected, ReadOnlySpan<double> actual, bool isRelative = false)
    {
        if (expected.Length != actual.Length)
            throw new ArgumentException($"{expected.Length} expected and {actual.Length} actual values");
        var worst = new MaximumError(-1, 0, 0, 0);
        for (int n = 0; n < expected.Length; n++)
        {
            double error = ErrorOf(expected[n], actual[n], isRelative);
            if (error > worst.Error)
                worst = new MaximumError(error, n, expected[n], actual[n]);
        }
        return worst.Error < 0 ? default : worst;
    }

    /// <summary>Fails unless every element is within the tolerance; the message has the worst index, both values and
    /// the seed.</summary>
    public static void AssertWithin(Tolerance tolerance, string what, Shape shape, ReadOnlySpan<double> expected,
        ReadOnlySpan<double> actual)
    {
        if (tolerance.NaNMatches)
            (expected, actual) = WithoutSharedNaN(expected, actual);
        var worst = Of(expected, actual, tolerance.IsRelative);
        if (!(worst.Error <= tolerance.Limit))
            Assert.Fail(
                $"{what}: error {worst.Error:g4} at {IndexText(shape, worst.Index)} of {shape}, expected "
                + $"{worst.Expected:r}, got {worst.Actual:r}, "
                + $"tolerance {tolerance}; {Seeds.Text}");
    }

    /// <summary>A row-major index written by dimension, as in <c>[1, 0, 7]</c>.</summary>
    public static string IndexText(Shape shape, int index)
    {
        var parts = new int[shape.Rank];
        for (int d = shape.Rank - 1; d >= 0; index /= Math.Max(1, shape[d--]))
            parts[d] = index % Math.Max(1, shape[d]);
        return $"[{string.Join(", ", parts)}]";
    }

    private static (double[] Expected, double[] Actual) WithoutSharedNaN(ReadOnlySpan<double> expected,
        ReadOnlySpan<double> actual)
    {
        double[] left = expected.ToArray(), right = actual.ToArray();
        for (int n = 0; n < left.Length && n < right.Length; n++)
            if (double.IsNaN(left[n]) && double.IsNaN(right[n]))
                left[n] = right[n] = 0;
        return (left, right);
    }

    private static double ErrorOf(double expected, double actual, bool isRelative)
    {
        if (double.IsInfinity(expected) && expected == actual)
            return 0;
        if (!double.IsFinite(expected) || !double.IsFinite(actual))
            return double.PositiveInfinity;
        return Math.Abs(expected - actual) / (isRelative ? Math.Max(1, Math.Abs(expected)) : 1);
    }
}
