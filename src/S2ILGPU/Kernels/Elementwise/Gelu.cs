namespace S2ILGPU.Kernels.Elementwise;

/// <summary><c>x/2 (1 + tanh u) = x sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3)</c></summary>
internal readonly struct Gelu : IElementFunction
{
    // 2 sqrt(2/pi), and that times 0.044715.
    internal const float Linear = 1.5957691216f, Cubic = 0.0713548162726f;

    public static float Of(float x) => x * Sigmoid.Of(x * (Linear + Cubic * x * x));
}

/// <summary><c>gelu'(x) = s + x s (1 - s) 2u', s = sigmoid(2u), 2u' = 2 sqrt(2/pi) (1 + 3 * 0.044715 x^2)</c></summary>
internal readonly struct GeluSlope : IElementFunction
{
    // Beyond it the derivative is exactly 0 or 1, and the squares stay finite.
    private const float Clamp = 40f;

    public static float Of(float x)
    {
        x = x > Clamp ? Clamp : x < -Clamp ? -Clamp : x; // NaN stays NaN
        float doubled = x * (Gelu.Linear + Gelu.Cubic * x * x);
        float slope = Gelu.Linear + 3 * Gelu.Cubic * x * x;
        float s = Sigmoid.Of(doubled);
        return s + x * s * Sigmoid.Of(-doubled) * slope;
    }
}

/// <summary><c>y = gelu(x)</c></summary>
internal struct GeluOperation : IRowOperation
{
    public RowView X, Y;

    public readonly int Rows => 1;

    public readonly long Columns => X.Columns;

    public readonly void Apply<TStored>(int row, long column) where TStored : struct, IStoredElement =>
        Y.Store<TStored>(row, column, X.Load<TStored>(row, column).Map<Gelu>());
}

/// <summary><c>dx (+)= dy gelu'(x)</c></summary>
internal struct GeluBackwardOperation : IRowOperation
{
    public RowView X, OutputGradient;
    public RowTarget Gradient;

    public readonly int Rows => 1;

    public readonly long Columns => X.Columns;

    public readonly void Apply<TStored>(int row, long column) where TStored : struct, IStoredElement
    {
        var slope = X.Load<TStored>(row, column).Map<GeluSlope>();
        Gradient.Put<TStored>(row, column, OutputGradient.Load<TStored>(row, column) * slope);
    }
}
