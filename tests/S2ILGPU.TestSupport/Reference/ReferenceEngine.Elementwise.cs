using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.TestSupport;

public sealed partial class ReferenceEngine
{
    public void Add(Tensor a, Tensor b, Tensor sum)
    {
        Contract.SameShape(nameof(Add), a, b);
        Contract.SameShape(nameof(Add), a, sum);
        Contract.Contiguous(nameof(Add), a, b, sum);
        var (left, right, result) = (Elements.Flat(a), Elements.Flat(b), Elements.Flat(sum));
        for (int n = 0; n < a.Count; n++)
            result[n] = left[n] + right[n];
    }

    public void AddScaled(Tensor x, float factor, Tensor accumulator)
    {
        Contract.SameShape(nameof(AddScaled), x, accumulator);
        Contract.Contiguous(nameof(AddScaled), x, accumulator);
        var (added, result) = (Elements.Flat(x), Elements.Flat(accumulator));
        for (int n = 0; n < x.Count; n++)
            result[n] += (double)factor * added[n];
    }

    public void Gelu(Tensor x, Tensor y)
    {
        Contract.SameShape(nameof(Gelu), x, y);
        Contract.Contiguous(nameof(Gelu), x, y);
        var (input, output) = (Elements.Flat(x), Elements.Flat(y));
        for (int n = 0; n < x.Count; n++)
            output[n] = input[n] / 2 * (1 + Math.Tanh(GeluArgument(input[n])));
    }

    // y' = (1 + tanh u) / 2 + x/2 (1 - tanh^2 u) u', u' = sqrt(2/pi) (1 + 3 * 0.044715 x^2)
    public void GeluBackward(Tensor x, Tensor dy, GradientTarget dx)
    {
        Contract.SameShape(nameof(GeluBackward), x, dy);
        Contract.Contiguous(nameof(GeluBackward), x, dy, dx.Tensor);
        if (dx.Tensor is null)
            return;
        Contract.SameShape(nameof(GeluBackward), x, dx.Tensor);
        var (input, outputGradient, inputGradient) = (Elements.Flat(x), Elements.Flat(dy), Elements.Flat(dx.Tensor));
        for (int n = 0; n < x.Count; n++)
        {
            double tanh = Math.Tanh(GeluArgument(input[n]));
            double slope = Math.Sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * input[n] * input[n]);
            double derivative = (1 + tanh) / 2 + input[n] / 2 * (1 - tanh * tanh) * slope;
            inputGradient[n] = (dx.Accumulate ? inputGradient[n] : 0) + outputGradient[n] * derivative;
        }
    }

    public void SwiGlu(Tensor gate, Tensor up, Tensor y)
    {
        CheckRows(nameof(SwiGlu), gate, up, y);
        var (gates, ups, output) = (new Elements(gate), new Elements(up), new Elements(y));
        for (int r = 0; r < y.Shape[0]; r++)
            for (int c = 0; c < y.Shape[1]; c++)
                output[r, c] = gates[r, c] * Sigmoid(gates[r, c]) * ups[r, c];
    }

    // silu'(g) = sigmoid(g) (1 + g (1 - sigmoid(g)))
    public void SwiGluBackward(Tensor gate, Tensor up, Tensor dy, GradientTarget dgate, GradientTarget dup)
    {
        CheckRows(nameof(SwiGluBackward), gate, up, dy, dgate.Tensor, dup.Tensor);
        var (gates, ups, outputGradient) = (new Elements(gate), new Elements(up), new Elements(dy));
        var (gateGradient, upGradient) = (new GradientElements(dgate), new GradientElements(dup));
        for (int r = 0; r < dy.Shape[0]; r++)
            for (int c = 0; c < dy.Shape[1]; c++)
            {
                double g = gates[r, c], u = ups[r, c], dout = outputGradient[r, c], sigmoid = Sigmoid(g);
                if (gateGradient.IsNeeded)
                    gateGradient.Give(r, c, dout * u * sigmoid * (1 + g * (1 - sigmoid)));
                if (upGradient.IsNeeded)
                    upGradient.Give(r, c, dout * g * sigmoid);
            }
    }

    public void Gegelu(Tensor gate, Tensor up, float limit, Tensor y)
    {
        CheckRows(nameof(Gegelu), gate, up, y);
        var (gates, ups, output) = (new Elements(gate), new Elements(up), new Elements(y));
        for (int r = 0; r < y.Shape[0]; r++)
            for (int c = 0; c < y.Shape[1]; c++)
            {
                double g = Clamp(gates[r, c], double.NegativeInfinity, limit), u = Clamp(ups[r, c], -limit, limit);
                output[r, c] = g * Sigmoid(1.702 * g) * (u + 1);
            }
    }

    // (g sigmoid(k g))' = sigmoid(k g) (1 + k g (1 - sigmoid(k g))), and 0 where a limit holds
    public void GegeluBackward(Tensor gate, Tensor up, float limit, Tensor dy, GradientTarget dgate,
        GradientTarget dup)
    {
        CheckRows(nameof(GegeluBackward), gate, up, dy, dgate.Tensor, dup.Tensor);
        var (gates, ups, outputGradient) = (new Elements(gate), new Elements(up), new Elements(dy));
        var (gateGradient, upGradient) = (new GradientElements(dgate), new GradientElements(dup));
        for (int r = 0; r < dy.Shape[0]; r++)
            for (int c = 0; c < dy.Shape[1]; c++)
            {
                double g = Clamp(gates[r, c], double.NegativeInfinity, limit), u = Clamp(ups[r, c], -limit, limit),
                    dout = outputGradient[r, c], s = Sigmoid(1.702 * g);
                if (gateGradient.IsNeeded)
                    gateGradient.Give(r, c, gates[r, c] > limit ? 0
                        : dout * (u + 1) * s * (1 + 1.702 * g * (1 - s)));
                if (upGradient.IsNeeded)
                    upGradient.Give(r, c, Math.Abs(ups[r, c]) > limit ? 0 : dout * g * s);
            }
    }

    public long CountNonFinite(Tensor x)
    {
        long count = 0;
        foreach (double value in Values(x))
            if (!double.IsFinite(value))
                count++;
        return count;
    }

    private static double GeluArgument(double x) => Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x);

    private static double Clamp(double x, double low, double high) =>
        double.IsFinite(x) ? Math.Clamp(x, low, high) : double.NaN;

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));

    private static void CheckRows(string operation, Tensor first, params ReadOnlySpan<Tensor?> others)
    {
        Contract.Rank(operation, "tensor", first, 2);
        Contract.Adjacent(operation, first);
        Contract.Adjacent(operation, others);
        foreach (var other in others)
            if (other is not null)
                Contract.SameShape(operation, first, other);
    }
}
