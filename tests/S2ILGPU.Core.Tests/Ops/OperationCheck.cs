using S2ILGPU.Autograd;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;

namespace S2ILGPU.Core.Tests.Ops;

/// <summary>Checks the gradients of an operation on the reference in double precision, with a random gradient coming
/// in.</summary>
internal static class OperationCheck
{
    public static void Gradients(string what, Random random, Func<Tape, Variable[], Variable> operation,
        params Shape[] shapes)
    {
        double[][] inputs = [.. shapes.Select(s => random.Normal(s.Count))];
        double[] weights = [];
        double Loss(double[][] values)
        {
            using var run = new Run(values, shapes, recording: false);
            double[] y = ReferenceEngine.Values(operation(run.Tape, run.Inputs).Value);
            if (weights.Length == 0)
                weights = random.Normal(y.Length);
            return y.Zip(weights, (a, b) => a * b).Sum();
        }
        Loss(inputs);
        using var recorded = new Run(inputs, shapes, recording: true);
        var output = Weighted(recorded.Tape, operation(recorded.Tape, recorded.Inputs), weights);
        recorded.Tape.Backward(output);
        double[][] gradients = [.. recorded.Inputs.Select(x => ReferenceEngine.Values(x.Gradient!))];
        GradientCheck.Run(what, Loss, inputs, gradients, random);
    }

    /// <summary>An operation whose gradient into <paramref name="y"/> is the given values.</summary>
    public static Variable Weighted(Tape tape, Variable y, double[] weights)
    {
        var loss = tape.New(new Shape(1));
        var gradient = tape.NewTensor(y.Shape);
        ReferenceEngine.SetValues(gradient, weights);
        tape.Record(loss, () => tape.GiveGradient(y, gradient));
        return loss;
    }

    private sealed class Run : IDisposable
    {
        private readonly ReferenceEngine _engine = new();

        public Run(double[][] values, Shape[] shapes, bool recording)
        {
            Tape = new Tape(_engine, recording);
            Inputs = new Variable[shapes.Length];
            for (int i = 0; i < shapes.Length; i++)
            {
                var tensor = _engine.Allocate(shapes[i], ElementType.Float64);
                ReferenceEngine.SetValues(tensor, values[i]);
                Inputs[i] = Variable.Parameter($"input {i}", tensor);
            }
        }

        public Tape Tape { get; }

        public Variable[] Inputs { get; }

        public void Dispose()
        {
            Tape.Dispose();
            foreach (var input in Inputs)
                input.Dispose();
            if (_engine.UsedBytes != 0)
                throw new InvalidOperationException($"{_engine.UsedBytes} bytes were not released");
        }
    }
}
