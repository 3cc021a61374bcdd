using S2ILGPU.Autograd;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Models;

/// <summary>The parameters of a model, by name, with their initial values.</summary>
/// <remarks>
/// Products that read the same input are one matrix (queries, keys and values; gate and up): one large matmul instead
/// of three small ones. Files keep them apart under the standard names, so that checkpoints are exchangeable with other
/// tools; as the parts are row ranges of the fused matrix, that costs nothing.
/// </remarks>
/// <param name="engine">Where the parameters live.</param>
/// <param name="seed">Seed of the initial values; null leaves matrices uninitialised, to be loaded.</param>
/// <param name="matrixType">How matrices are stored; in another type than the engine's they are not trainable. Vectors
/// always have the engine's.</param>
/// <param name="shadowType">Type of a copy of every matrix that products read; null for none.</param>
internal sealed class ParameterSet(IEngine engine, ulong? seed, ElementType matrixType, ElementType? shadowType)
    : IDisposable
{
    private readonly List<Variable> _parameters = [];
    private readonly List<StoredTensor> _stored = [];

    public IReadOnlyList<Variable> Parameters => _parameters;

    public IReadOnlyList<StoredTensor> Stored => _stored;

    /// <summary>A matrix [rows, columns] with values N(0, deviation^2).</summary>
    public Variable Matrix(string name, int rows, int columns, double deviation) =>
        Fused(name, columns, deviation, (name, rows));

    /// <summary>Matrices of the same number of columns, one under the other. Every part has a random stream of its own
    /// name, so that fusing changes no value.</summary>
    public Variable Fused(string name, int columns, double deviation,
        params ReadOnlySpan<(string Name, int Rows)> parts)
    {
        long rows = 0;
        foreach (var (_, count) in parts)
            rows += count;
        if (rows > int.MaxValue)
            throw new ArgumentException($"{name} would have {rows} rows, more than the {int.MaxValue} of a matrix");
        var parameter = Own(name, new Shape((int)rows, columns));
        int start = 0;
        foreach (var (partName, count) in parts)
        {
            var view = parameter.Value.Slice(0, start, count);
            _stored.Add(new StoredTensor(partName, view));
            start += count;
            if (seed is not { } s)
                continue;
            var values = new float[view.Count];
            new RandomSource(s, partName).FillNormal(values, deviation);
            engine.Upload(values, view);
        }
        return parameter;
    }

    /// <summary>A vector of ones: the weight of a norm.</summary>
    public Variable Ones(string name, int length)
    {
        var parameter = Own(name, new Shape(length));
        _stored.Add(new StoredTensor(name, parameter.Value.Share()));
        engine.Fill(parameter.Value, 1);
        return parameter;
    }

    /// <summary>Rounds all matrices to their shadows.</summary>
    public void RefreshShadows()
    {
        foreach (var parameter in _parameters)
            if (parameter.Shadow is { } shadow)
                engine.Copy(parameter.Value, shadow);
    }

    public void Dispose()
    {
        foreach (var stored in _stored)
            stored.Tensor.Dispose();
        foreach (var parameter in _parameters)
            parameter.Dispose();
        _stored.Clear();
        _parameters.Clear();
    }

    private Variable Own(string name, Shape shape)
    {
        var type = shape.Rank > 1 ? matrixType : engine.FloatType;
        var value = engine.Allocate(shape, type);
        var parameter = type == engine.FloatType ? Variable.Parameter(name, value) : Variable.Frozen(name, value);
        if (shape.Rank > 1 && shadowType is { } shadow)
            parameter.Shadow = engine.Allocate(shape, shadow);
        _parameters.Add(parameter);
        return parameter;
    }
}
