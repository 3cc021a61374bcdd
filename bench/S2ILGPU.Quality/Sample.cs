using System.Globalization;

namespace S2ILGPU.Quality;

/// <summary>A mean over seeds and how far they lie apart.</summary>
/// <param name="Mean">The mean; NaN of no value.</param>
/// <param name="Spread">The sample standard deviation; NaN of fewer than two values.</param>
/// <param name="Count">Number of values.</param>
internal readonly record struct Sample(double Mean, double Spread, int Count)
{
    /// <summary>The mean and the spread of some values.</summary>
    public static Sample Of(params IReadOnlyList<double> values)
    {
        double mean = values.Count == 0 ? double.NaN : values.Average();
        double squares = values.Sum(value => (value - mean) * (value - mean));
        return new Sample(mean, values.Count > 1 ? Math.Sqrt(squares / (values.Count - 1)) : double.NaN,
            values.Count);
    }

    /// <summary>Mean and spread as a table has them, as far as there are enough values.</summary>
    /// <param name="decimals">Decimals of both.</param>
    /// <param name="isDifference">Whether a positive mean gets a sign.</param>
    public string Text(int decimals, bool isDifference = false)
    {
        string number = decimals == 0 ? "0" : "0." + new string('0', decimals);
        double rounded = Math.Round(Mean, decimals) + 0.0; // -0 becomes 0
        string mean = rounded.ToString(isDifference ? $"+{number};-{number};{number}" : number,
            CultureInfo.InvariantCulture);
        return Count switch
        {
            0 => "",
            1 => mean,
            _ => $"{mean} ± {Spread.ToString(number, CultureInfo.InvariantCulture)}",
        };
    }
}
