using System.Globalization;

namespace S2ILGPU.TestSupport;

/// <summary>The seed of this run's random inputs: another one every run, or the value of the environment variable
/// S2_SEED.</summary>
public static class Seeds
{
    /// <summary>The seed; every test starts its own generator from it, so that one test repeats alone.</summary>
    public static int Current { get; } = FromEnvironment() ?? System.Random.Shared.Next();

    /// <summary>How to repeat a failure; part of every failure message.</summary>
    public static string Text => $"seed {Current} (set S2_SEED={Current} to repeat)";

    /// <summary>A new generator at the seed.</summary>
    public static Random NewRandom() => new(Current);

    /// <summary>Values N(0, scale^2).</summary>
    public static double[] Normal(this Random random, long count, double scale = 1)
    {
        var values = new double[count];
        for (int n = 0; n < values.Length; n++) // Box and Muller
            values[n] = scale * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble()))
                * Math.Cos(2 * Math.PI * random.NextDouble());
        return values;
    }

    /// <summary>One of several values.</summary>
    public static T Pick<T>(this Random random, params ReadOnlySpan<T> choices) => choices[random.Next(choices.Length)];

    private static int? FromEnvironment()
    {
        string? text = Environment.GetEnvironmentVariable("S2_SEED");
        if (string.IsNullOrEmpty(text))
            return null;
        return int.TryParse(text, CultureInfo.InvariantCulture, out int seed) ? seed
            : throw new ArgumentException($"S2_SEED must be an integer, got '{text}'");
    }
}
