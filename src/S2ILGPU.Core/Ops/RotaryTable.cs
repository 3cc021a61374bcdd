using S2ILGPU.Autograd;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Ops;

/// <summary>Cosines and sines of the rotary angles <c>position * theta^(-2c / D)</c>, scaled where a model asks for it,
/// computed in double precision.</summary>
/// <remarks>A scaling with other angles for long sequences has rows for both: those of positions in short sequences
/// come first; see <see cref="FirstRow"/>. With <see cref="DynamicScaling"/> every length has its own angles, and the
/// long rows are those of sequences that may grow to <see cref="MaxPositions"/>.</remarks>
public sealed class RotaryTable : IDisposable
{
    private readonly double _theta;
    private readonly RotaryScaling? _scaling;
    private readonly int _shortTokens, _shortRows;
    private readonly int[] _longLengths; // each has as many rows, in this order behind the short ones

    /// <summary>Computes the table on a device.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="maxPositions">Number of positions, from 0.</param>
    /// <param name="headDim">D, the numbers of a head that turn; even.</param>
    /// <param name="theta">Base of the angles, usually 10000; above 0.</param>
    /// <param name="scaling">How the angles are scaled; null for not at all.</param>
    /// <exception cref="ArgumentException">A count is negative, the head dimension is odd or below 2, theta is not
    /// above 0, the scaling breaks its rules, or an array cannot hold the table.</exception>
    public RotaryTable(IEngine engine, int maxPositions, int headDim, double theta, RotaryScaling? scaling = null)
        : this(maxPositions, headDim, theta, scaling)
    {
        ArgumentNullException.ThrowIfNull(engine);
        (_shortRows, _longLengths) =
            (Math.Min(maxPositions, _shortTokens), maxPositions > _shortTokens ? [maxPositions] : []);
        (Cosine, Sine) = Fill(engine, shape => engine.Allocate(shape, engine.FloatType));
    }

    // The rows of some lengths, which live as long as what the tape computes now.
    private RotaryTable(RotaryTable model, Tape tape, int[] lengths)
        : this(model.MaxPositions, model.HeadDim, model._theta, model._scaling)
    {
        _shortRows = lengths.Where(tokens => tokens <= _shortTokens).DefaultIfEmpty().Max();
        _longLengths = [.. lengths.Where(tokens => tokens > _shortTokens)];
        (Cosine, Sine) = Fill(tape.Engine, shape => tape.New(shape, tape.Engine.FloatType).Value);
    }

    private RotaryTable(int maxPositions, int headDim, double theta, RotaryScaling? scaling)
    {
        if (maxPositions < 0 || headDim < 2 || headDim % 2 != 0 || !(theta > 0))
            throw new ArgumentException(
                "a rotary table needs positions >= 0, an even head dimension and theta > 0, got "
                + $"{maxPositions}, {headDim} and {theta}");
        scaling?.Validate(headDim);
        (MaxPositions, HeadDim, _theta, _scaling) = (maxPositions, headDim, theta, scaling);
        (_shortTokens, _longLengths, Cosine, Sine) = (scaling?.ShortTokens ?? int.MaxValue, [], null!, null!);
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
    public int FirstRow(int tokens)
    {
        if (tokens <= _shortTokens)
            return 0;
        int first = _shortRows;
        // A table of one length has no others to choose from.
        for (int i = 0; i + 1 < _longLengths.Length && _longLengths[i] != tokens; i++)
            first += _longLengths[i];
        return first;
    }

    /// <summary>Releases the table.</summary>
    public void Dispose()
    {
        Cosine.Dispose();
        Sine.Dispose();
    }

    /// <summary>Whether the table has the very angles of sequences of a number of tokens.</summary>
    internal bool Serves(int tokens) =>
        tokens <= _shortTokens || _scaling is not { GrowsWithLength: true } || _longLengths.Contains(tokens);

    /// <summary>A table with the angles of whole sequences: this one, or one that the tape owns.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="lengths">Tokens of the sequences, at most <see cref="MaxPositions"/>.</param>
    internal RotaryTable For(Tape tape, IReadOnlySet<int> lengths) =>
        lengths.All(Serves) ? this : new RotaryTable(this, tape, [.. lengths]);

    private (Tensor Cosine, Tensor Sine) Fill(IEngine engine, Func<Shape, Tensor> allocate)
    {
        int half = HeadDim / 2;
        long all = _shortRows + _longLengths.Sum(tokens => (long)tokens);
        if (all * half > Array.MaxLength)
            throw new ArgumentException($"a rotary table of {all} positions with {half} angles "
                + $"each has more than the {Array.MaxLength} elements of an array");
        var (cosine, sine) = (new float[all * half], new float[all * half]);
        for (int c = 0; c < half; c++)
        {
            var pair = new RotaryPair(c, HeadDim, _theta);
            FillRows(0, _shortRows, _scaling?.Frequency(pair) ?? pair.Frequency,
                _scaling?.Magnitude(MaxPositions, isLong: false) ?? 1);
            int first = _shortRows;
            foreach (int tokens in _longLengths)
            {
                FillRows(first, tokens, _scaling!.LongFrequency(pair, tokens),
                    _scaling.Magnitude(MaxPositions, isLong: true));
                first += tokens;
            }

            void FillRows(int firstRow, int rows, double frequency, double magnitude)
            {
                for (int p = 0; p < rows; p++)
                {
                    var (s, r) = Math.SinCos(p * frequency);
                    (sine[(firstRow + p) * half + c], cosine[(firstRow + p) * half + c]) =
                        ((float)(magnitude * s), (float)(magnitude * r));
                }
            }
        }
        var shape = new Shape((int)all, half);
        var tensors = (Cosine: allocate(shape), Sine: allocate(shape));
        engine.Upload(cosine, tensors.Cosine);
        engine.Upload(sine, tensors.Sine);
        return tensors;
    }
}
