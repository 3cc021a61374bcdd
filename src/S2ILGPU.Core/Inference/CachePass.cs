using S2ILGPU.Autograd;
using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.Tensors;

namespace S2ILGPU.Inference;

/// <summary>The sequences of a forward pass that reads and extends a cache. A cache has one for each pass that may run
/// at a time, so that a step allocates nothing.</summary>
/// <param name="cache">The cache.</param>
/// <param name="number">Number of the pass among those that run side by side.</param>
internal sealed class CachePass(KeyValueCache cache, int number) : IAttentionMemory, IAttentionElsewhere
{
    private readonly int[] _active = new int[cache.Sequences];
    private readonly Sequence[] _step = new Sequence[cache.Sequences];
    private int _activeCount;

    /// <summary>Where the sequences lie; entry s is sequence s of the cache.</summary>
    public SequenceBatch Batch { get; } = new(new Sequence[cache.Sequences]);

    /// <summary>Whether keys are rows of the pass and not of pages: all sequences were empty.</summary>
    public bool AttendsDirectly { get; private set; }

    /// <summary>The sequences that get tokens.</summary>
    public ReadOnlySpan<int> Active => _active.AsSpan(0, _activeCount);

    /// <summary>What a sequence gets; nothing for those that rest.</summary>
    public ref readonly Sequence this[int sequence] => ref _step[sequence];

    /// <summary>Begins a pass over some rows.</summary>
    /// <param name="rows">The rows of each sequence.</param>
    /// <param name="mayAttendDirectly">Whether pages have the type of the activations.</param>
    /// <exception cref="ArgumentException">A sequence would grow beyond the most tokens of the cache, or is named
    /// twice.</exception>
    public void Place(ReadOnlySpan<StepRows> rows, bool mayAttendDirectly)
    {
        _step.AsSpan().Clear();
        (_activeCount, AttendsDirectly) = (0, mayAttendDirectly);
        foreach (var (s, firstRow, count) in rows)
        {
            int length = cache.Length(s);
            if (count > cache.MaxTokens - length)
                throw new ArgumentException(
                    $"sequence {s} has {length} tokens, {count} more are beyond the {cache.MaxTokens} that "
                    + $"there is room for");
            if (_step[s].QueryCount != 0)
                throw new ArgumentException($"sequence {s} is named twice in a step");
            _active[_activeCount++] = s;
            _step[s] = new Sequence(0, firstRow, count, 0, length + count);
            AttendsDirectly &= length == 0;
        }
        if (AttendsDirectly)
            foreach (int s in Active)
                _step[s] = _step[s] with { KeyStart = _step[s].QueryStart };
        Batch.Update(_step);
    }

    /// <summary>Forgets the sequences.</summary>
    public void Empty() => _activeCount = 0;

    /// <inheritdoc/>
    public Variable Attend(Tape tape, int layer, Variable query, Variable key, Variable value)
    {
        var output = tape.New(query.Shape);
        cache.Attend(this, layer, query.Value, key.Value, value.Value, output.Value);
        return output;
    }

    /// <inheritdoc/>
    public void Query(int layer, Tensor query) => cache.Remote!.Query(number, layer, query);

    /// <inheritdoc/>
    public void KeyValue(int layer, Tensor key, Tensor value)
    {
        cache.Count(this, layer);
        cache.Remote!.KeyValue(number, layer, key, value);
    }

    /// <inheritdoc/>
    public void Output(int layer, Tensor output) => cache.Remote!.Output(number, layer, output);
}
