using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.TestSupport;

/// <summary>One operand of a call, twice: on the engine under test and, in double precision, on the
/// reference.</summary>
/// <remarks>Contents are set on the reference; <see cref="EngineTest.Check"/> rounds them to the tested type and
/// uploads them.</remarks>
public sealed class TestTensor
{
    internal TestTensor(string name, Tensor tested, Tensor reference) =>
        (Name, Tested, Reference) = (name, tested, reference);

    /// <summary>Name in failure messages.</summary>
    public string Name { get; }

    /// <summary>The shape.</summary>
    public Shape Shape => Reference.Shape;

    /// <summary>Tolerance of this operand where it differs from that of the call.</summary>
    public Tolerance? Tolerance { get; set; }

    /// <summary>The content before a check, or what the reference computed after it, row-major.</summary>
    public double[] Values
    {
        get => ReferenceEngine.Values(Reference);
        set => ReferenceEngine.SetValues(Reference, value);
    }

    internal Tensor Tested { get; }

    internal Tensor Reference { get; }

    internal bool IsInteger => Reference.ElementType == ElementType.Int32;
}

/// <summary>One of the two engines during a check, with its half of every operand.</summary>
public readonly struct Side
{
    private readonly bool _isReference;

    internal Side(IEngine engine, bool isReference) => (Engine, _isReference) = (engine, isReference);

    /// <summary>The engine to call.</summary>
    public IEngine Engine { get; }

    /// <summary>The operand on this engine.</summary>
    public Tensor this[TestTensor operand] => _isReference ? operand.Reference : operand.Tested;

    /// <summary>The operand on this engine; null for null.</summary>
    public Tensor? Optional(TestTensor? operand) => operand is null ? null : this[operand];

    /// <summary>The operand as target of a gradient; none for null.</summary>
    public GradientTarget Target(TestTensor? operand, bool accumulate) => new(Optional(operand), accumulate);
}
