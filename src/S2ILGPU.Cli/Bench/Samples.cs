namespace S2ILGPU.Cli.Bench;

/// <summary>Repeated measurements of one thing, in the order in which they were taken.</summary>
/// <param name="values">At least one value; kept.</param>
internal sealed class Samples(double[] values)
{
    private readonly double[] _sorted = [.. values.Order()];

    /// <summary>The measurements, in order.</summary>
    public IReadOnlyList<double> Values => values;

    /// <summary>The middle measurement, or the mean of the two in the middle.</summary>
    public double Median => Quantile(0.5);

    /// <summary>Width of the middle half: upper minus lower quartile.</summary>
    public double Spread => Quantile(0.75) - Quantile(0.25);

    /// <summary>The spread as a fraction of the median.</summary>
    public double Variation => Spread / Median;

    /// <summary>The value below which a fraction of the measurements lies, interpolated linearly between
    /// neighbours.</summary>
    /// <param name="fraction">0 to 1.</param>
    public double Quantile(double fraction)
    {
        double at = fraction * (_sorted.Length - 1);
        int below = (int)at, above = Math.Min(below + 1, _sorted.Length - 1);
        return _sorted[below] + (at - below) * (_sorted[above] - _sorted[below]);
    }

    /// <summary>A function of two measurements of the same round, round by round: a ratio taken so holds when the
    /// machine drifts from round to round.</summary>
    /// <param name="other">As many measurements, taken in turn with these.</param>
    /// <param name="combine">What to make of a pair.</param>
    /// <exception cref="ArgumentException">There are fewer or more of them.</exception>
    public Samples With(Samples other, Func<double, double, double> combine) => values.Length == other.Values.Count
        ? new Samples([.. values.Zip(other.Values, combine)])
        : throw new ArgumentException($"{values.Length} measurements cannot be paired with {other.Values.Count}");

    /// <summary>A function of every measurement.</summary>
    public Samples Each(Func<double, double> function) => new([.. values.Select(function)]);
}
