using S2ILGPU.Autograd;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Models;

/// <summary>The parameters of a model, with their initial values.</summary>
/// <param name="engine">Where the parameters live.</param>
/// <param name="seed">Seed of the initial values; null leaves matrices uninitialised, to be loaded.</param>
/// <param name="matrixType">How a matrix is stored; in another type than the engine's it is not trainable. Vectors
/// always have the engine's.</param>
/// <param name="shadowType">Type of a copy that products read, of every matrix of the engine's type; null for
/// none.</param>
internal sealed class ParameterSet(IEngine engine, ulong? seed, Func<ParameterSpec, ElementType> matrixType,
    ElementType? shadowType) : IDisposable
{
    private readonly List<Variable> _parameters = [];
    private readonly List<ParameterSpec> _specs = [];
    private readonly List<StoredTensor> _stored = [];

    public IReadOnlyList<Variable> Parameters => _parameters;

    /// <summary>What each parameter is.</summary>
    public IReadOnlyList<ParameterSpec> Specs => _specs;

    /// <summary>Tensors of a file that are whole here.</summary>
    public IReadOnlyList<StoredTensor> Stored => _stored;

    /// <summary>Creates a parameter. Every part that files keep has a random stream of its own name, so that fusing
    /// changes no value.</summary>
    public Variable Create(ParameterSpec spec)
    {
        var parameter = Own(spec, spec.Slice?.Of(spec.Shape) ?? spec.Shape);
        _specs.Add(spec);
        if (spec.Initial != InitialValues.Normal)
            engine.Fill(parameter.Value, spec.Initial == InitialValues.Ones ? 1 : 0);
        if (spec.Slice is { } slice)
        {
            if (spec.Initial == InitialValues.Normal && seed is not null)
                engine.Upload(slice.Take(Whole(spec), spec.Shape), parameter.Value);
            return parameter;
        }
        int start = 0;
        foreach (var part in spec.Parts)
        {
            var view = parameter.Value.Slice(0, start, part.Rows);
            _stored.Add(new StoredTensor(part.Name, view) { Order = part.Order });
            start += part.Rows;
            if (spec.Initial == InitialValues.Normal && seed is not null)
                engine.Upload(Normal(spec, part), view);
        }
        return parameter;
    }

    /// <summary>Creates a parameter that a model may not have.</summary>
    public Variable? CreateOptional(ParameterSpec? spec) => spec is null ? null : Create(spec);

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

    private float[] Whole(ParameterSpec spec) => [.. spec.Parts.SelectMany(part => Normal(spec, part))];

    private float[] Normal(ParameterSpec spec, FilePart part)
    {
        float[] values = new float[part.Rows * (spec.Shape.Count / spec.Shape[0])];
        new RandomSource(seed!.Value, part.Name).FillNormal(values, spec.Deviation);
        return values;
    }

    private Variable Own(ParameterSpec spec, Shape shape)
    {
        var type = shape.Rank > 1 ? matrixType(spec) : engine.FloatType;
        bool isTrainable = type == engine.FloatType;
        var value = engine.Allocate(shape, type);
        var parameter = isTrainable ? Variable.Parameter(spec.Name, value) : Variable.Frozen(spec.Name, value);
        if (isTrainable && shape.Rank > 1 && shadowType is { } shadow)
            parameter.Shadow = engine.Allocate(shape, shadow);
        _parameters.Add(parameter);
        return parameter;
    }
}
