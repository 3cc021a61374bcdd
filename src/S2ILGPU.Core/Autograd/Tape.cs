using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Autograd;

/// <summary>Owns what a forward pass creates and, when it records, knows how to walk it backwards.</summary>
/// <remarks>
/// <para>Ops create their results with <see cref="New(Shape)"/> and leave their gradient with <see cref="Record"/>.
/// Results and scratch lie on one stack; what was created between two recorded ops belongs to the later one, because
/// only ops that come after it read it and their gradients run first. So the backward walk pops the stack, and memory
/// falls while it runs.</para>
/// <para>A tape that does not record serves inference: it creates no closures, and variables go to a pool when their
/// segment ends, so that a decoding step after the first creates nothing.</para>
/// <para>Not thread-safe; no hidden global state.</para>
/// </remarks>
/// <param name="engine">The engine; not disposed.</param>
/// <param name="recording">Whether gradients will be wanted.</param>
/// <param name="recompute">Keep only the inputs and outputs of segments and run each again during the backward walk:
/// less memory, about a third more work, the same gradients to the bit.</param>
/// <param name="activationType">Element type of what ops compute, and of its gradients; null for the engine's float
/// type. Statistics and losses have the engine's type in any case.</param>
/// <exception cref="ArgumentException">The engine has no activations of that type.</exception>
public sealed class Tape(IEngine engine, bool recording = true, bool recompute = false,
    ElementType? activationType = null) : IDisposable
{
    private readonly List<Node> _nodes = [];
    private readonly List<Variable> _owned = [], _kept = [];
    private readonly VariablePool? _pool = recording ? null : new VariablePool();

    private readonly record struct Node(Variable Output, Action Backward, int OwnedEnd);

    /// <summary>The engine.</summary>
    public IEngine Engine { get; } = engine;

    /// <summary>Element type of activations and their gradients.</summary>
    public ElementType ActivationType { get; } = CheckActivations(engine, activationType ?? engine.FloatType);

    /// <summary>Whether ops must record their gradients now; false inside a segment that will run again.</summary>
    public bool Recording { get; private set; } = recording;

    /// <summary>Whether segments are run again during the backward walk instead of being kept.</summary>
    public bool Recompute { get; } = recompute;

    /// <summary>Told of gradients of parameters while the tape walks backwards; null for none.</summary>
    internal IGradientWatch? Watch { get; set; }

    /// <summary>An uninitialised activation.</summary>
    /// <param name="shape">The shape.</param>
    public Variable New(Shape shape) => New(shape, ActivationType);

    /// <summary>An uninitialised variable.</summary>
    /// <param name="shape">The shape.</param>
    /// <param name="elementType">The element type.</param>
    public Variable New(Shape shape, ElementType elementType)
    {
        var variable = _pool?.Take(shape, elementType) ?? new Variable(Engine.Allocate(shape, elementType));
        _owned.Add(variable);
        return variable;
    }

    /// <summary>Uninitialised memory that lives as long as the op that runs now may need it for its gradient.</summary>
    /// <param name="shape">The shape.</param>
    /// <param name="elementType">The element type; null for the engine's float type.</param>
    public Tensor NewTensor(Shape shape, ElementType? elementType = null) =>
        New(shape, elementType ?? Engine.FloatType).Value;

    /// <summary>An Int32 variable with values from the host: token ids, positions.</summary>
    /// <param name="values">The values in row-major order.</param>
    /// <param name="shape">The shape.</param>
    /// <exception cref="ShapeException">The number of values is not the shape's.</exception>
    public Variable Upload(ReadOnlySpan<int> values, Shape shape)
    {
        if (values.Length != shape.Count)
            throw new ShapeException(nameof(Upload), nameof(values), $"{shape.Count} values for {shape}",
                $"{values.Length}");
        var variable = New(shape, ElementType.Int32);
        Engine.Upload(values, variable.Value);
        return variable;
    }

    /// <summary>Whether an op over these inputs must record its gradient.</summary>
    /// <param name="inputs">The inputs; null for one that is absent.</param>
    public bool Needs(params ReadOnlySpan<Variable?> inputs)
    {
        if (!Recording)
            return false;
        foreach (var input in inputs)
            if (input is { RequiresGradient: true })
                return true;
        return false;
    }

    /// <summary>Records an op: the backward walk calls it when its output has a gradient.</summary>
    /// <param name="output">The result; requires a gradient from now on.</param>
    /// <param name="backward">Reads <c>output.Gradient</c> and writes the inputs' gradients through <see
    /// cref="GradientOf"/> or <see cref="GiveGradient"/>.</param>
    /// <remarks>Call it from a method of its own behind <see cref="Needs"/>, so that inference does not allocate the
    /// closure.</remarks>
    public void Record(Variable output, Action backward)
    {
        output.RequiresGradient = true;
        _nodes.Add(new Node(output, backward, _owned.Count));
    }

    /// <summary>Where an op's gradient writes the gradient of an input: overwriting for the first writer, adding for
    /// the others.</summary>
    /// <param name="variable">The input.</param>
    public GradientTarget GradientOf(Variable variable)
    {
        if (!variable.RequiresGradient)
            return GradientTarget.None;
        if (variable.IsParameter)
            Watch?.Writes(variable);
        if (variable.Gradient is not { } gradient)
            return GradientTarget.Into(variable.ClaimGradient(Engine));
        return GradientTarget.AddTo(gradient.Buffer.References > 1 && variable.Whole is null
            ? Unshare(variable, gradient) : gradient);
    }

    /// <summary>Hands a finished gradient to an input: shares the memory where the input has none yet, adds
    /// otherwise.</summary>
    /// <param name="variable">The input; as many elements as the gradient.</param>
    /// <param name="gradient">The gradient; contiguous unless it has the input's shape. The caller keeps the
    /// tensor.</param>
    public void GiveGradient(Variable variable, Tensor gradient)
    {
        if (!variable.RequiresGradient)
            return;
        using var shaped = ViewKey.Reshape(variable.Shape).Apply(gradient);
        if (!variable.HasGradient && !variable.IsParameter && variable.Whole is null)
        {
            variable.SetGradient(shaped.Share());
            return;
        }
        var target = GradientOf(variable);
        if (!target.Accumulate)
            Engine.Copy(shaped, target.Tensor!);
        else
            Accumulate(shaped, target.Tensor!);
    }

    /// <summary>The gradient of an op's output as memory that the op's gradient may overwrite.</summary>
    /// <param name="output">A variable that has a gradient.</param>
    public Tensor OwnGradient(Variable output)
    {
        var gradient = output.Gradient!;
        return gradient.Buffer.References > 1 && output.Whole is null ? Unshare(output, gradient) : gradient;
    }

    /// <summary>Walks backwards from a loss and adds to the gradients of all parameters that it depends on.</summary>
    /// <param name="loss">The loss, of any shape; its value stays readable until <see cref="Reset"/>, everything else
    /// that the tape created is released.</param>
    /// <param name="seed">Gradient of every element of the loss, as in 1 / tokens for a mean.</param>
    /// <exception cref="InvalidOperationException">The tape does not record, or the loss depends on nothing that
    /// requires a gradient.</exception>
    public void Backward(Variable loss, float seed = 1)
    {
        if (!Recording)
            throw new InvalidOperationException("a tape that does not record has no backward walk");
        if (!loss.RequiresGradient || loss.IsParameter)
            throw new InvalidOperationException(
                $"the loss {loss} was not computed on this tape from anything that requires a gradient");
        if (_owned.Remove(loss))
            _kept.Add(loss);
        Engine.Fill(loss.ClaimGradient(Engine), seed);
        loss.Seed = seed;
        Walk(0, 0);
    }

    /// <summary>Runs a part of a model (a layer) whose intermediates are read only inside it.</summary>
    /// <param name="input">What goes in. A tape that does not record releases it at the end: do not use it
    /// afterwards.</param>
    /// <param name="state">What else the part needs.</param>
    /// <param name="body">The part; must compute the same every time. Keep the delegate: creating one per call
    /// allocates.</param>
    /// <returns>The output. Recording tapes keep the intermediates, or run the part again when <see cref="Recompute"/>
    /// is set; others release them.</returns>
    public Variable Segment<TState>(Variable input, TState state, Func<Tape, Variable, TState, Variable> body)
    {
        if (!Recording)
        {
            int mark = _owned.Count;
            var output = body(this, input, state);
            ReleaseAllBut(output.Root, mark);
            PutInPlaceOf(input.Root, output.Root, mark);
            return output;
        }
        return Recompute ? RunTwice(input, state, body) : body(this, input, state);
    }

    /// <summary>Releases everything that the tape created, without a backward walk; the tape can be used
    /// again.</summary>
    public void Reset()
    {
        _nodes.Clear();
        Free(0);
        foreach (var variable in _kept)
            variable.Dispose();
        _kept.Clear();
        _pool?.NextRound();
    }

    /// <summary>Releases everything, reusable memory too.</summary>
    public void Dispose()
    {
        Reset();
        _pool?.Dispose();
    }

    /// <summary>Refuses a type of activations that an engine does not have.</summary>
    /// <exception cref="ArgumentException">The engine does not support it.</exception>
    internal static ElementType CheckActivations(IEngine engine, ElementType elementType) =>
        engine.SupportsActivations(elementType) && engine.SupportsAttention(elementType) ? elementType
        : throw new ArgumentException($"{engine.Name} computes with {engine.FloatType} activations, not {elementType}");

    /// <summary>A view of a variable, without a gradient of its own.</summary>
    internal Variable View(Variable of, in ViewKey key)
    {
        if (_pool is not null)
            return of.KeptView(key);
        var view = new Variable(key.Apply(of.Value), key);
        _owned.Add(view);
        return view;
    }

    /// <summary>Hands <c>factor * gradient</c> to an input.</summary>
    /// <param name="gradient">Shaped like the input; null where it was not computed because the input needs
    /// none.</param>
    /// <param name="factor">The factor.</param>
    /// <param name="variable">The input.</param>
    internal void AddScaled(Tensor? gradient, float factor, Variable variable)
    {
        if (gradient is null || GradientOf(variable) is not { Tensor: { } sum } target)
            return;
        if (!target.Accumulate)
            Engine.Fill(sum, 0);
        Accumulate(gradient, sum, factor);
    }

    /// <summary><c>sum += factor * x</c> for any strides.</summary>
    internal void Accumulate(Tensor x, Tensor sum, float factor = 1)
    {
        if (x.IsContiguous && sum.IsContiguous)
        {
            Engine.AddScaled(x, factor, sum);
            return;
        }
        using Tensor left = Engine.Allocate(x.Shape, x.ElementType),
            right = Engine.Allocate(sum.Shape, sum.ElementType);
        Engine.Copy(x, left);
        Engine.Copy(sum, right);
        Engine.AddScaled(left, factor, right);
        Engine.Copy(right, sum);
    }

    private Tensor Unshare(Variable variable, Tensor shared)
    {
        var own = Engine.Allocate(shared.Shape, shared.ElementType);
        Engine.Copy(shared, own);
        variable.SetGradient(own);
        return own;
    }

    // Pops nodes down to a count; each takes what it owned with it.
    private void Walk(int nodeCount, int ownedCount)
    {
        while (_nodes.Count > nodeCount)
        {
            var node = _nodes[^1];
            _nodes.RemoveAt(_nodes.Count - 1);
            if (node.Output.HasGradient)
                node.Backward();
            Watch?.StepDone();
            node.Output.ReleaseGradient();
            Free(_nodes.Count > nodeCount ? _nodes[^1].OwnedEnd : ownedCount);
        }
    }

    private Variable RunTwice<TState>(Variable input, TState state, Func<Tape, Variable, TState, Variable> body)
    {
        int mark = _owned.Count;
        Variable output;
        Recording = false;
        try
        {
            output = body(this, input, state);
        }
        finally
        {
            Recording = true;
        }
        ReleaseAllBut(output, mark);
        Record(output, () =>
        {
            int nodes = _nodes.Count, owned = _owned.Count;
            var again = body(this, input, state);
            if (again.RequiresGradient)
            {
                again.SetGradient(output.Gradient!.Share());
                again.Seed = output.Seed;
            }
            Walk(nodes, owned);
            Free(owned);
        });
        return output;
    }

    private void ReleaseAllBut(Variable output, int mark)
    {
        int at = _owned.IndexOf(output, mark);
        if (at >= 0)
            _owned.RemoveAt(at);
        Free(mark);
        if (at >= 0)
            _owned.Add(output);
    }

    // The input's memory is not needed any more: the output takes its place on the stack.
    private void PutInPlaceOf(Variable input, Variable output, int mark)
    {
        int at = _pool is null || mark == 0 ? -1 : _owned.LastIndexOf(input, mark - 1);
        if (at < 0 || ReferenceEquals(input, output) || _owned.Count == mark)
            return;
        _owned.RemoveAt(_owned.Count - 1);
        _owned[at] = output;
        _pool!.Give(input);
    }

    private void Free(int count)
    {
        for (int i = _owned.Count - 1; i >= count; i--)
            if (_pool is null)
                _owned[i].Dispose();
            else
                _pool.Give(_owned[i]);
        _owned.RemoveRange(Math.Min(count, _owned.Count), Math.Max(0, _owned.Count - count));
    }
}
