using Xunit;

namespace S2ILGPU.TestSupport;

/// <summary>Compares gradients with central differences <c>(f(x + h v) - f(x - h v)) / 2h</c> in double
/// precision.</summary>
public static class GradientCheck
{
    private const double Step = 1e-5;

    /// <summary>
    /// Fails unless the gradients agree with the differences of the loss, at random coordinates of every input and
    /// along one random direction of all inputs together.
    /// </summary>
    /// <param name="what">Name for the failure message.</param>
    /// <param name="loss">f: a scalar of all inputs; must not keep or change the arrays. Smooth near the
    /// inputs.</param>
    /// <param name="inputs">x, one array per input.</param>
    /// <param name="gradients">df/dx as the code under test computes it, shaped like the inputs.</param>
    /// <param name="random">Chooses coordinates and direction.</param>
    /// <param name="coordinates">How many coordinates of each input are checked; all of them when there are
    /// fewer.</param>
    /// <param name="tolerance">Largest error, relative to max(1, |difference|).</param>
    public static void Run(string what, Func<double[][], double> loss, double[][] inputs, double[][] gradients,
        Random random,
        int coordinates = 12, double tolerance = 1e-6)
    {
        Assert.Equal(inputs.Select(x => x.Length), gradients.Select(g => g.Length));
        for (int input = 0; input < inputs.Length; input++)
        {
            int[] chosen = [.. Enumerable.Range(0, inputs[input].Length)];
            random.Shuffle(chosen);
            foreach (int c in chosen.Take(coordinates))
            {
                double[][] direction = [.. inputs.Select(x => new double[x.Length])];
                direction[input][c] = 1;
                Compare($"{what}, input {input}, coordinate {c}", Difference(loss, inputs, direction),
                    gradients[input][c], tolerance);
            }
        }
        double[][] all = [.. inputs.Select(x => random.Normal(x.Length, 1 / Math.Sqrt(Math.Max(1, x.Length))))];
        double slope = all.Zip(gradients, (v, g) => v.Zip(g, (a, b) => a * b).Sum()).Sum();
        Compare($"{what}, random direction", Difference(loss, inputs, all), slope, tolerance);
    }

    private static double Difference(Func<double[][], double> loss, double[][] inputs, double[][] direction)
    {
        double[][] Moved(double h) => [.. inputs.Zip(direction, (x, v) => x.Zip(v, (a, b) => a + h * b).ToArray())];
        return (loss(Moved(Step)) - loss(Moved(-Step))) / (2 * Step);
    }

    private static void Compare(string what, double difference, double gradient, double tolerance)
    {
        double error = Math.Abs(difference - gradient) / Math.Max(1, Math.Abs(difference));
        if (!(error <= tolerance))
            Assert.Fail(
                $"{what}: gradient {gradient:r}, difference {difference:r}, error {error:g4}, tolerance "
                + $"{tolerance:g3}; {Seeds.Text}");
    }
}
