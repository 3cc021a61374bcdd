using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Ops;

/// <summary>Cosines and sines of the rotary angles <c>position / factor * theta^(-2c / D)</c>, computed in double
/// precision.</summary>
public sealed class RotaryTable : IDisposable
{
    /// <summary>Computes the table on a device.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="maxPositions">Number of positions, from 0.</param>
    /// <param name="headDim">D, even.</param>
    /// <param name="theta">Base of the angles, usually 10000; above 0.</param>
    /// <param name="factor">Positions are divided by this (linear scaling); above 0.</param>
    /// <exception cref="ArgumentException">A count is negative, the head dimension is odd or below 2, theta or the
    /// factor is not above 0, or an array cannot hold the table.</exception>
    public RotaryTable(IEngine engine, int maxPositions, int headDim, double theta, double factor = 1)
    {
        ArgumentNullException.ThrowIfNull(engine);
        if (maxPositions < 0 || headDim < 2 || headDim % 2 != 0 || !(theta > 0) || !(factor > 0))
            throw new ArgumentException(
                "a rotary table needs positions >= 0, an even head dimension, theta > 0 and factor > 0, got "
                + $"{maxPositions}, {headDim}, {theta} and {factor}");
        (MaxPositions, HeadDim) = (maxPositions, headDim);
        int half = headDim / 2;
        if ((long)maxPositions * half > Array.MaxLength)
            throw new ArgumentException($"a rotary table of {maxPositions} positions with {half} angles each has more "
                + $"than the {Array.MaxLength} elements of an array");
        var (cosine, sine) = (new float[maxPositions * half], new float[maxPositions * half]);
        for (int c = 0; c < half; c++)
        {
            double frequency = Math.Pow(theta, -2.0 * c / headDim) / factor;
            for (int p = 0; p < maxPositions; p++)
                (sine[p * half + c], cosine[p * half + c]) = ((float, float))Math.SinCos(p * frequency);
        }
        var shape = new Shape(maxPositions, half);
        (Cosine, Sine) = (engine.Allocate(shape, engine.FloatType), engine.Allocate(shape, engine.FloatType));
        engine.Upload(cosine, Cosine);
        engine.Upload(sine, Sine);
    }

    /// <summary>Number of positions.</summary>
    public int MaxPositions { get; }

    /// <summary>D.</summary>
    public int HeadDim { get; }

    /// <summary>Cosines [maxPositions, D/2].</summary>
    public Tensor Cosine { get; }

    /// <summary>Sines [maxPositions, D/2].</summary>
    public Tensor Sine { get; }

    /// <summary>Releases the table.</summary>
    public void Dispose()
    {
        Cosine.Dispose();
        Sine.Dispose();
    }
}
