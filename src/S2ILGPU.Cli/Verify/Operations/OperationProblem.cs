using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Verify.Operations;

/// <summary>An input of an operation: on the device, and exactly on the host.</summary>
/// <param name="Tensor">On the device.</param>
/// <param name="Values">Row-major.</param>
internal sealed record Operand(Tensor Tensor, double[] Values);

/// <summary>Operands and exact results of one call of an operation, which runs it twice and measures its
/// errors.</summary>
/// <param name="engine">The engine; stays with the caller.</param>
/// <param name="seed">Seed of the inputs.</param>
internal sealed class OperationProblem(IEngine engine, int seed) : IDisposable
{
    private readonly List<Tensor> _tensors = [];
    private readonly List<(string Name, Tensor Tensor, Tolerance Tolerance, double[] Exact, float[]? Before)> _results =
        [];

    /// <summary>The engine.</summary>
    public IEngine Engine => engine;

    /// <summary>Where inputs come from.</summary>
    public Random Random { get; } = new(seed);

    /// <summary>Whether rows of matrices lie further apart than they are long; set before operands are made.</summary>
    public bool HasWideRows { get; set; }

    /// <summary>N(0, scale^2), rounded to the type.</summary>
    public Operand Normal(Shape shape, ElementType type, double scale = 1)
    {
        double[] values = [.. HostTensor.Normal(Random, shape, ElementType.Float32).Values.Select(v => v * scale)];
        return Given(HostTensor.Rounded(shape, type, values));
    }

    /// <summary>An operand of given values.</summary>
    public Operand Given(HostTensor host)
    {
        var tensor = Allocate(host.Shape, host.Type);
        engine.Upload(host.Values, tensor);
        return new Operand(tensor, Array.ConvertAll(host.Values, v => (double)v));
    }

    /// <summary>Int32 values.</summary>
    public Tensor Integers(int[] values, Shape shape)
    {
        var tensor = Own(engine.Allocate(shape, ElementType.Int32));
        engine.Upload(values, tensor);
        return tensor;
    }

    /// <summary>A result that the call must write: NaN before each run.</summary>
    /// <param name="name">Its name in a report.</param>
    /// <param name="shape">Its shape.</param>
    /// <param name="type">Its element type.</param>
    /// <param name="exact">What is right.</param>
    /// <param name="before">What is there before each run, for results that are added to or updated in place.</param>
    /// <param name="tolerance">What is allowed; null for what rounding to the type costs.</param>
    public Tensor Result(string name, Shape shape, ElementType type, double[] exact, double[]? before = null,
        Tolerance? tolerance = null)
    {
        var tensor = Allocate(shape, type);
        _results.Add((name, tensor, tolerance ?? Rounded(type), exact, before is null ? null
            : Array.ConvertAll(before, v => (float)v)));
        return tensor;
    }

    /// <summary>A gradient that is overwritten, or added to random numbers.</summary>
    public GradientTarget Gradient(string name, Shape shape, ElementType type, double[] exact, bool accumulate,
        Tolerance? tolerance = null)
    {
        if (!accumulate)
            return GradientTarget.Into(Result(name, shape, type, exact, tolerance: tolerance));
        var before = HostTensor.Normal(Random, shape, type).Values;
        return GradientTarget.AddTo(Result(name, shape, type, [.. exact.Select((x, n) => x + before[n])],
            Array.ConvertAll(before, v => (double)v), tolerance));
    }

    /// <summary>The worst element of each result.</summary>
    /// <exception cref="InvalidOperationException">A second run gave other bits.</exception>
    public IReadOnlyList<WorstError> Run(Action call)
    {
        float[][] first = Values(call), second = Values(call);
        for (int r = 0; r < first.Length; r++)
            if (!first[r].AsSpan().SequenceEqual(second[r], BitComparer.Instance))
                throw new InvalidOperationException($"not deterministic: {_results[r].Name} differs between two runs");
        return [.. _results.Select((r, n) => WorstError.Of(r.Name, r.Tensor.Shape, r.Tolerance, r.Exact, first[n]))];
    }

    public void Dispose()
    {
        for (int n = _tensors.Count - 1; n >= 0; n--)
            _tensors[n].Dispose();
    }

    // Computed in the engine's float type and rounded to nearest once: half a unit in the last place, and a little.
    private static Tolerance Rounded(ElementType type) => type switch
    {
        ElementType.BFloat16 => new(4.5e-3, IsRelative: true),
        ElementType.Float16 => new(6e-4, IsRelative: true),
        _ => new(1e-5, IsRelative: true),
    };

    private float[][] Values(Action call)
    {
        foreach (var (_, tensor, _, _, before) in _results)
            engine.Upload(before ?? Enumerable.Repeat(float.NaN, checked((int)tensor.Count)).ToArray(), tensor);
        call();
        return [.. _results.Select(r => engine.ToArray(r.Tensor))];
    }

    private Tensor Allocate(Shape shape, ElementType type)
    {
        const int Gap = 8;
        return HasWideRows && shape.Rank == 2
            ? Own(Own(engine.Allocate(shape.With(1, shape[1] + Gap), type)).Slice(1, 0, shape[1]))
            : Own(engine.Allocate(shape, type));
    }

    private Tensor Own(Tensor tensor)
    {
        _tensors.Add(tensor);
        return tensor;
    }

    private sealed class BitComparer : IEqualityComparer<float>
    {
        public static readonly BitComparer Instance = new();

        public bool Equals(float x, float y) => BitConverter.SingleToInt32Bits(x) == BitConverter.SingleToInt32Bits(y);

        public int GetHashCode(float value) => BitConverter.SingleToInt32Bits(value);
    }
}
