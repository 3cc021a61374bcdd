using S2ILGPU.Autograd;
using S2ILGPU.Tensors;

namespace S2ILGPU.TestSupport;

/// <summary>Compares the gradients of a function of variables with central differences, on the reference in double
/// precision.</summary>
/// <remarks>
/// The loss is a random weighing of all elements of all outputs. Example:
/// <c>AutogradCheck.Run("gelu", random, [new Shape(3, 5)], (tape, x) => [tape.Gelu(x[0])]);</c>
/// </remarks>
public static class AutogradCheck
{
    /// <summary>Builds the outputs from the inputs, on the given tape.</summary>
    public delegate Variable[] Function(Tape tape, Variable[] inputs);

    /// <summary>Fails unless autograd agrees with the differences at random coordinates and along a random
    /// direction.</summary>
    /// <param name="what">Name for the failure message.</param>
    /// <param name="random">Chooses inputs N(0, 1), weights, coordinates and direction.</param>
    /// <param name="shapes">Shapes of the inputs.</param>
    /// <param name="function">The function; must compute the same every time.</param>
    /// <param name="coordinates">How many coordinates of each input are checked.</param>
    /// <param name="tolerance">Largest error, relative to max(1, |difference|).</param>
    public static void Run(string what, Random random, Shape[] shapes, Function function, int coordinates = 12,
        double tolerance = 1e-6) =>
        Run(what, random, shapes, [.. shapes.Select(shape => random.Normal(shape.Count))], function, coordinates,
            tolerance);

    /// <summary>The same at given inputs, for functions that are not smooth or not defined everywhere.</summary>
    public static void Run(string what, Random random, Shape[] shapes, double[][] inputs, Function function,
        int coordinates = 12, double tolerance = 1e-6)
    {
        using var engine = new ReferenceEngine();
        var weights = new List<double[]>();

        double Evaluate(double[][] at, double[][]? gradients)
        {
            using var tape = new Tape(engine);
            Variable[] variables =
                [.. shapes.Select((shape, n) => Variable.Parameter($"input {n}", Filled(engine, shape, at[n])))];
            var outputs = function(tape, variables);
            for (int n = weights.Count; n < outputs.Length; n++)
                weights.Add(random.Normal(outputs[n].Shape.Count));
            var (loss, value) = Weigh(tape, outputs, weights);
            if (gradients is not null)
            {
                tape.Backward(loss);
                for (int n = 0; n < variables.Length; n++)
                    gradients[n] = variables[n].Gradient is { } gradient ? ReferenceEngine.Values(gradient)
                        : new double[shapes[n].Count];
            }
            foreach (var variable in variables)
                variable.Dispose();
            return value;
        }

        var analytic = new double[shapes.Length][];
        Evaluate(inputs, analytic);
        GradientCheck.Run(what, at => Evaluate(at, null), inputs, analytic, random, coordinates, tolerance);
    }

    // loss = sum of weights * outputs, an op of its own: its gradient gives every output its weights.
    private static (Variable Loss, double Value) Weigh(Tape tape, Variable[] outputs, List<double[]> weights)
    {
        var loss = tape.New(new Shape(1));
        double value = outputs.Select((output, n) => ReferenceEngine.Values(output.Value)
            .Zip(weights[n], (x, w) => x * w).Sum()).Sum();
        ReferenceEngine.SetValues(loss.Value, [value]);
        tape.Record(loss, () =>
        {
            for (int n = 0; n < outputs.Length; n++)
            {
                using var gradient = Filled(tape.Engine, outputs[n].Shape, weights[n]);
                tape.GiveGradient(outputs[n], gradient);
            }
        });
        return (loss, value);
    }

    private static Tensor Filled(Engines.IEngine engine, Shape shape, double[] values)
    {
        var tensor = engine.Allocate(shape, ElementType.Float64);
        ReferenceEngine.SetValues(tensor, values);
        return tensor;
    }
}
