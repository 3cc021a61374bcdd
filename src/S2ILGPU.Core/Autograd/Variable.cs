using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Autograd;

/// <summary>A tensor with the gradient of a loss with respect to it.</summary>
/// <remarks>
/// <para>Parameters are made by <see cref="Parameter"/>, live as long as their owner wants and collect gradients over
/// several backward walks. Everything else is made by a <see cref="Tape"/>, which releases it. A variable owns its
/// value. Not thread-safe.</para>
/// </remarks>
public sealed class Variable : IDisposable
{
    private Tensor? _gradient;
    private List<Variable>? _views;

    internal Variable(Tensor value, ViewKey key = default)
    {
        Value = value;
        Key = key;
    }

    /// <summary>The value.</summary>
    public Tensor Value { get; }

    /// <summary>Shape of the value.</summary>
    public Shape Shape => Value.Shape;

    /// <summary>The gradient, shaped like the value; null when none has arrived since the start or since <see
    /// cref="ZeroGradient"/>.</summary>
    public Tensor? Gradient => HasGradient ? _gradient : null;

    /// <summary>Whether the gradient of a loss with respect to this variable is wanted.</summary>
    public bool RequiresGradient { get; internal set; }

    /// <summary>Whether this is a parameter: its gradient stays over backward walks until <see
    /// cref="ZeroGradient"/>.</summary>
    public bool IsParameter { get; private init; }

    /// <summary>Name of a parameter; null for others.</summary>
    public string? Name { get; private init; }

    /// <summary>The value in 16 bits, which products read instead of it; null for none. The variable owns
    /// it.</summary>
    internal Tensor? Shadow { get; set; }

    internal bool HasGradient { get; private set; }

    /// <summary>The value of every element of the gradient, where it is the seed of a backward walk; null for
    /// others.</summary>
    internal float? Seed { get; set; }

    /// <summary>The variable that this one is a range of, where the gradients of all ranges lie in one tensor; null for
    /// others.</summary>
    internal Variable? Whole { get; set; }

    /// <summary>How this variable views another; meaningful for views only.</summary>
    internal ViewKey Key { get; }

    /// <summary>The variable whose memory a kept view shows; null for others.</summary>
    internal Variable? Base { get; private set; }

    /// <summary>The variable that owns the memory: the end of the chain of kept views.</summary>
    internal Variable Root => Base?.Root ?? this;

    /// <summary>Makes a trainable leaf.</summary>
    /// <param name="name">A name unique in its model.</param>
    /// <param name="value">The value; the variable owns it from now on.</param>
    public static Variable Parameter(string name, Tensor value) =>
        new(value) { Name = name, IsParameter = true, RequiresGradient = true };

    /// <summary>Makes a parameter that is read but never trained: a weight stored in fewer bits than the engine
    /// computes with.</summary>
    /// <param name="name">A name unique in its model.</param>
    /// <param name="value">The value; the variable owns it from now on.</param>
    internal static Variable Frozen(string name, Tensor value) => new(value) { Name = name, IsParameter = true };

    /// <summary>Wraps a tensor that needs no gradient.</summary>
    /// <param name="value">The value; the variable takes a share of it, the caller keeps the tensor.</param>
    public static Variable Constant(Tensor value)
    {
        ArgumentNullException.ThrowIfNull(value);
        return new Variable(value.Share());
    }

    /// <summary>Forgets the gradient; the next one overwrites the memory, which a parameter keeps.</summary>
    public void ZeroGradient()
    {
        HasGradient = false;
        if (!IsParameter)
            ReleaseGradient();
    }

    /// <summary>Forgets the gradient and gives its memory back.</summary>
    public void ReleaseGradient()
    {
        HasGradient = false;
        Seed = null;
        _gradient?.Dispose();
        _gradient = null;
    }

    /// <summary>Releases the value, the gradient and the kept views.</summary>
    public void Dispose()
    {
        ReleaseGradient();
        foreach (var view in _views ?? [])
            view.Dispose();
        _views = null;
        Shadow?.Dispose();
        Value.Dispose();
    }

    /// <summary>Shape and role, as in <c>model.norm.weight Float32 [64]</c>.</summary>
    public override string ToString() => Name is null ? Value.ToString() : $"{Name} {Value}";

    /// <summary>Takes the gradient away, so that the next one gets memory of its own.</summary>
    /// <returns>The gradient, which the caller disposes; null when there is none.</returns>
    internal Tensor? TakeGradient()
    {
        if (!HasGradient)
            return null;
        var gradient = _gradient;
        (_gradient, HasGradient) = (null, false);
        return gradient;
    }

    /// <summary>Replaces the gradient; the variable owns the tensor from now on.</summary>
    internal void SetGradient(Tensor gradient)
    {
        if (!ReferenceEquals(gradient, _gradient))
            _gradient?.Dispose();
        _gradient = gradient;
        HasGradient = true;
    }

    /// <summary>The memory of the gradient for a first writer, who must overwrite all of it.</summary>
    internal Tensor ClaimGradient(IEngine engine)
    {
        _gradient ??= Whole is null
            ? engine.Allocate(Shape, Value.ElementType)
            : Key.Apply(Whole.Gradient ?? Whole.ClaimGradient(engine));
        HasGradient = true;
        return _gradient;
    }

    /// <summary>A view that lives as long as this variable, so that a reused variable brings its views along.</summary>
    internal Variable KeptView(in ViewKey key)
    {
        foreach (var view in _views ??= [])
            if (view.Key == key)
                return view;
        var created = new Variable(key.Apply(Value), key) { Base = this };
        _views.Add(created);
        return created;
    }
}

/// <summary>A view of a tensor: a range of one dimension, or all of it under another shape.</summary>
/// <param name="Shape">Shape of the view.</param>
/// <param name="Dimension">The dimension that a range is of; -1 for a reshaped whole.</param>
/// <param name="Start">First index of the range.</param>
internal readonly record struct ViewKey(Shape Shape, int Dimension, int Start)
{
    public static ViewKey Reshape(Shape shape) => new(shape, -1, 0);

    public static ViewKey Range(Shape of, int dimension, int start, int count)
    {
        int d = dimension < 0 ? dimension + of.Rank : dimension;
        return new(of.With(d, count), d, start);
    }

    public Tensor Apply(Tensor tensor) =>
        Dimension >= 0 ? tensor.Slice(Dimension, Start, Shape[Dimension]) : tensor.Shape == Shape ? tensor.Share()
        : tensor.Reshape(Shape);
}
