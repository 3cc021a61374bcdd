using S2ILGPU.Cli.Simulation.Tracing;

namespace S2ILGPU.Cli.Simulation.Calibration;

/// <summary>Costs of operations from measured times.</summary>
internal static class OperationFit
{
    private const double LeastSeconds = 1e-7; // a tick of the clock

    /// <summary>Fits each operation by itself: the sum of its times over the calls is met exactly, the mean times of
    /// different sizes as well as four coefficients can.</summary>
    /// <param name="samples">Calls with their seconds, which may be below 0 where the time of reading the clock was
    /// subtracted.</param>
    public static IReadOnlyDictionary<string, OperationCost> Of(
        IEnumerable<(Operation Operation, double Seconds)> samples) =>
        samples.GroupBy(sample => sample.Operation.Name).OrderBy(group => group.Key, StringComparer.Ordinal)
            .ToDictionary(group => group.Key, group => Fit([.. group]));

    private static OperationCost Fit((Operation Operation, double Seconds)[] samples)
    {
        // The relative error of a size counts by the time that its calls take together.
        var sizes = samples.GroupBy(sample => sample.Operation).Select(size =>
        {
            double seconds = Math.Max(size.Average(call => call.Seconds), LeastSeconds);
            double[] features = [1, size.Key.Work, size.Key.Rows, size.Key.Bytes];
            return (Features: features, Value: seconds, Weight: size.Count() / seconds);
        }).ToArray();
        double[] c = LeastSquares.Solve(sizes);
        var fitted = new OperationCost(c[0], c[1], c[2], c[3]);
        double sum = samples.Sum(sample => fitted.Seconds(sample.Operation)),
            exact = sum > 0 ? Math.Max(0, samples.Sum(sample => sample.Seconds)) / sum : 1;
        return fitted.Times(exact);
    }
}
