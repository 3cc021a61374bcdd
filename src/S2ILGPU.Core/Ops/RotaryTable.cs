using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Ops;

/// <summary>Cosines and sines of the rotary angles <c>position * theta^(-2c / D)</c>, scaled where a model asks for it,
/// computed in double precision.</summary>
/// <remarks>A scaling with other angles for long sequences has rows for both: those of positions in short sequences
/// come first; see <see cref="FirstRow"/>.</remarks>
public sealed class RotaryTable : IDisposable
{
    private readonly int _shortTokens;

    /// <summary>Computes the table on a device.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="maxPositions">Number of positions, from 0.</param>
    /// <param name="headDim">D, the numbers of a head that turn; even.</param>
    /// <param name="theta">Base of the angles, usually 10000; above 0.</param>
    /// <param name="scaling">How the angles are scaled; null for not at all.</param>
    /// <exception cref="ArgumentException">A count is negative, the head dimension is odd or below 2, theta is not
    /// above 0, the scaling breaks its rules, or an array cannot hold the table.</exception>
    public RotaryTable(IEngine engine, int maxPositions, int headDim, double theta, RotaryScaling? scaling = null)
    {
        ArgumentNullException.ThrowIfNull(engine);
        if (maxPositions < 0 || headDim < 2 || headDim % 2 != 0 || !(theta > 0))
            throw new ArgumentException(
                "a rotary table needs positions >= 0, an even head dimension and theta > 0, got "
                + $"{maxPositions}, {headDim} and {theta}");
        scaling?.Validate(headDim);
        (MaxPositions, HeadDim, _shortTokens) = (maxPositions, headDim, scaling?.ShortTokens ?? int.MaxValue);
        int half = headDim / 2, shortRows = Math.Min(maxPositions, _shortTokens),
            longRows = maxPositions > _shortTokens ? maxPositions : 0;
        if (((long)shortRows + longRows) * half > Array.MaxLength)
            throw new ArgumentException($"a rotary table of {(long)shortRows + longRows} positions with {half} angles "
                + $"each has more than the {Array.MaxLength} elements of an array");
        var (cosine, sine) = (new float[(shortRows + longRows) * half], new float[(shortRows + longRows) * half]);
        for (int c = 0; c < half; c++)
        {
            var pair = new RotaryPair(c, headDim, theta);
            Fill(0, shortRows, scaling?.Frequency(pair) ?? pair.Frequency,
                scaling?.Magnitude(maxPositions, isLong: false) ?? 1);
            if (longRows > 0)
                Fill(shortRows, longRows, scaling!.LongFrequency(pair), scaling.Magnitude(maxPositions, isLong: true));

            void Fill(int firstRow, int rows, double frequency, double magnitude)
            {
                for (int p = 0; p < rows; p++)
                {
                    var (s, r) = Math.SinCos(p * frequency);
                    (sine[(firstRow + p) * half + c], cosine[(firstRow + p) * half + c]) =
                        ((float)(magnitude * s), (float)(magnitude * r));
                }
            }
        }
        var shape = new Shape(shortRows + longRows, half);
        (Cosine, Sine) = (engine.Allocate(shape, engine.FloatType), engine.Allocate(shape, engine.FloatType));
        engine.Upload(cosine, Cosine);
        engine.Upload(sine, Sine);
    }

    /// <summary>Number of positions.</summary>
    public int MaxPositions { get; }

    /// <summary>D, the numbers of a head that turn.</summary>
    public int HeadDim { get; }

    /// <summary>Cosines [rows, D/2].</summary>
    public Tensor Cosine { get; }

    /// <summary>Sines [rows, D/2].</summary>
    public Tensor Sine { get; }

    /// <summary>The row of position 0 for sequences that have, or may grow to, a number of tokens.</summary>
    /// <param name="tokens">The tokens.</param>
    public int FirstRow(int tokens) => tokens > _shortTokens ? _shortTokens : 0;

    /// <summary>Releases the table.</summary>
    public void Dispose()
    {
        Cosine.Dispose();
        Sine.Dispose();
    }
}
