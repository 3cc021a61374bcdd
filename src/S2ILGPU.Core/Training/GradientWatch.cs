using S2ILGPU.Autograd;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Training;

/// <summary>Follows backward walks: knows which gradients are complete, those that were written as often as in the
/// first walk, and adds each micro-batch's gradient, once it is complete, to those of the micro-batches
/// before.</summary>
/// <remarks>So a gradient is summed as <c>((g_0 + g_1) + g_2) + ...</c> with every <c>g</c> whole, as a sum over ranks
/// is: ranks with one micro-batch each give the bits of one process with as many. The sums before a walk and its own
/// gradients exist together only until each is complete.</remarks>
/// <param name="engine">The engine of the parameters.</param>
/// <param name="parameters">The parameters.</param>
internal sealed class GradientWatch(IEngine engine, IReadOnlyList<Variable> parameters) : IGradientWatch
{
    private readonly Dictionary<Variable, int> _indices =
        parameters.Select((parameter, index) => (parameter, index)).ToDictionary(x => x.parameter, x => x.index);
    private readonly int[] _writes = new int[parameters.Count];
    private readonly Tensor?[] _before = new Tensor?[parameters.Count];
    private readonly List<int> _completed = [];
    private int[]? _expected;
    private Action? _progress;

    /// <summary>Begins a walk: what the parameters have as gradients is the sum so far.</summary>
    /// <param name="progress">Called after each step of the walk, if it is not the first; null for none.</param>
    public void Begin(Action? progress)
    {
        _progress = progress;
        Array.Clear(_writes);
        _completed.Clear();
        for (int i = 0; i < parameters.Count; i++)
        {
            _before[i]?.Dispose(); // of a walk that failed
            _before[i] = parameters[i].TakeGradient();
        }
    }

    /// <summary>Ends a walk: all gradients are complete.</summary>
    public void End()
    {
        _progress = null;
        _expected ??= [.. _writes];
        for (int i = 0; i < parameters.Count; i++)
            Add(i);
    }

    /// <summary>Whether no op of this walk will add to the gradient of a parameter any more.</summary>
    public bool IsComplete(int parameter) => _expected is not null && _writes[parameter] == _expected[parameter];

    /// <inheritdoc/>
    public void Writes(Variable parameter)
    {
        if (!_indices.TryGetValue(parameter, out int index))
            return;
        if (IsComplete(index))
            throw new InvalidOperationException(
                $"{parameter} has more gradients than in the walk before; what was sent of it is not the whole");
        _writes[index]++;
        if (IsComplete(index))
            _completed.Add(index); // when the step that writes it is done
    }

    /// <inheritdoc/>
    public void StepDone()
    {
        if (_expected is null)
            return;
        foreach (int index in _completed)
            Add(index);
        _completed.Clear();
        _progress?.Invoke();
    }

    private void Add(int index)
    {
        if (_before[index] is not { } before)
            return;
        _before[index] = null;
        if (parameters[index].Gradient is not { } gradient)
        {
            parameters[index].SetGradient(before);
            return;
        }
        engine.AddScaled(before, 1, gradient);
        before.Dispose();
    }
}
