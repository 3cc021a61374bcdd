namespace S2ILGPU.Cli.Simulation.Calibration;

/// <summary>Weighted least squares with few coefficients, none of them below 0.</summary>
internal static class LeastSquares
{
    /// <summary>The c &gt;= 0 with the least <c>sum_i w_i (sum_k c_k f_ik - y_i)^2</c>: of all sets of coefficients
    /// that may be above 0, the best one whose solution is.</summary>
    /// <param name="samples">Features f, value y and weight w of each sample.</param>
    /// <returns>As many coefficients as a sample has features.</returns>
    public static double[] Solve(IReadOnlyList<(double[] Features, double Value, double Weight)> samples)
    {
        int count = samples[0].Features.Length;
        double[] best = new double[count];
        double least = Error(samples, best);
        for (int set = 1; set < 1 << count; set++)
        {
            int[] chosen = [.. Enumerable.Range(0, count).Where(k => (set >> k & 1) != 0)];
            if (Solve(samples, chosen) is not { } solution || solution.Any(c => !(c >= 0)))
                continue;
            double[] whole = new double[count];
            for (int k = 0; k < chosen.Length; k++)
                whole[chosen[k]] = solution[k];
            double error = Error(samples, whole);
            if (error < least)
                (best, least) = (whole, error);
        }
        return best;
    }

    private static double Error(IReadOnlyList<(double[] Features, double Value, double Weight)> samples,
        double[] coefficients) => samples.Sum(sample =>
            sample.Weight * Math.Pow(sample.Features.Zip(coefficients, (f, c) => f * c).Sum() - sample.Value, 2));

    // Normal equations over scaled features; null where they do not determine the coefficients.
    private static double[]? Solve(IReadOnlyList<(double[] Features, double Value, double Weight)> samples,
        int[] chosen)
    {
        int n = chosen.Length;
        double[] scale = [.. chosen.Select(k => samples.Max(sample => Math.Abs(sample.Features[k])))];
        if (scale.Any(s => s == 0))
            return null;
        double[,] matrix = new double[n, n + 1];
        foreach (var (features, value, weight) in samples)
            for (int i = 0; i < n; i++)
            {
                double scaled = weight * features[chosen[i]] / scale[i];
                for (int j = 0; j < n; j++)
                    matrix[i, j] += scaled * features[chosen[j]] / scale[j];
                matrix[i, n] += scaled * value;
            }
        double size = Enumerable.Range(0, n).Max(i => matrix[i, i]);
        for (int pivot = 0; pivot < n; pivot++)
        {
            if (!(matrix[pivot, pivot] > 1e-12 * size))
                return null;
            for (int row = 0; row < n; row++)
                if (row != pivot)
                {
                    double factor = matrix[row, pivot] / matrix[pivot, pivot];
                    for (int column = pivot; column <= n; column++)
                        matrix[row, column] -= factor * matrix[pivot, column];
                }
        }
        return [.. Enumerable.Range(0, n).Select(i => matrix[i, n] / matrix[i, i] / scale[i])];
    }
}
