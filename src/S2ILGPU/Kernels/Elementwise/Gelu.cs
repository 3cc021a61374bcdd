using ILGPU;

namespace S2ILGPU.Kernels.Elementwise;

/// <summary><c>y = x/2 (1 + tanh u) = x sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3)</c></summary>
internal struct GeluOperation : IElementwiseOperation
{
    // 2 sqrt(2/pi), and that times 0.044715.
    internal const float Linear = 1.5957691216f, Cubic = 0.0713548162726f;

    public ArrayView<float> X, Y;

    public readonly long Count => X.Length;

    public readonly void Apply(long index)
    {
        float x = X[index];
        Y[index] = x * Sigmoid.Of(x * (Linear + Cubic * x * x));
    }
}

/// <summary><c>dx (+)= dy (s + x s (1 - s) 2u'), s = sigmoid(2u), 2u' = 2 sqrt(2/pi) (1 + 3 * 0.044715
/// x^2)</c></summary>
internal struct GeluBackwardOperation : IElementwiseOperation
{
    // Beyond it the derivative is exactly 0 or 1, and the squares stay finite.
    private const float Clamp = 40f;

    public ArrayView<float> X, OutputGradient, Gradient;
    public int Accumulate;

    public readonly long Count => X.Length;

    public readonly void Apply(long index)
    {
        float x = X[index];
        x = x > Clamp ? Clamp : x < -Clamp ? -Clamp : x; // NaN stays NaN
        float doubled = x * (GeluOperation.Linear + GeluOperation.Cubic * x * x);
        float slope = GeluOperation.Linear + 3 * GeluOperation.Cubic * x * x;
        float s = Sigmoid.Of(doubled);
        float gradient = OutputGradient[index] * (s + x * s * Sigmoid.Of(-doubled) * slope);
        Gradient[index] = Accumulate != 0 ? Gradient[index] + gradient : gradient;
    }
}
