using S2ILGPU.Autograd;
using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.Ops;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;

namespace S2ILGPU.Inference;

/// <summary>Keys and values of earlier tokens, paged per layer, sequence, KV head and block. Pages that a head's
/// pattern will never read again are freed at once.</summary>
/// <remarks>
/// <para>With a cache-efficient pattern (dense, window, local-stride) a block that a head drops below the diagonal
/// never returns. So after each step the pages that no query head of a KV head's group reads from the next position on
/// go back to the pool: at 32K tokens (B64, L8, s16) a head holds 7.5 % of its blocks.</para>
/// <para>A prompt into an empty cache attends to its own keys directly, and only the blocks that survive it are written
/// to pages at all.</para>
/// </remarks>
public sealed class KeyValueCache : IAttentionMemory, IDisposable
{
    private readonly TransformerModel _model;
    private readonly KeyValueCacheOptions _options;
    private readonly LayerCache[] _layers;
    private readonly TailLayouts[] _tails;
    private readonly PageCounter _counter = new();
    private readonly int[] _lengths;
    private readonly Sequence[] _step;
    private readonly SequenceBatch _sequences;
    private bool _startsEmpty;

    internal KeyValueCache(TransformerModel model, KeyValueCacheOptions options)
    {
        var config = model.Config;
        _options = options.Validate(config.ContextTokens);
        (_model, MaxTokens) = (model, options.MaxTokens ?? config.ContextTokens);
        (_lengths, _step) = (new int[options.Sequences], new Sequence[options.Sequences]);
        _sequences = new SequenceBatch(_step);
        _layers = new LayerCache[config.Layers];
        _tails = new TailLayouts[config.Layers];
        var tails = new Dictionary<AttentionPattern, TailLayouts>();
        for (int i = 0; i < _layers.Length; i++)
        {
            var pattern = model.Pattern(i);
            var elementType = options.ElementType ?? model.ActivationType;
            _layers[i] = new LayerCache(model.Engine, pattern, config.HeadDim, elementType, options.Sequences,
                MaxTokens, _counter);
            if (!tails.TryGetValue(pattern, out _tails[i]!))
                tails.Add(pattern, _tails[i] = new TailLayouts(pattern, options.Sequences));
        }
    }

    /// <summary>S, number of sequences.</summary>
    public int Sequences => _lengths.Length;

    /// <summary>The most tokens of a sequence.</summary>
    public int MaxTokens { get; }

    /// <summary>Pages in use, over all layers, sequences and KV heads; each holds the keys and the values of one
    /// block.</summary>
    public long UsedPages => _counter.Used;

    /// <summary>The most pages that were ever in use at one time.</summary>
    public long PeakPages => _counter.Peak;

    /// <summary>Bytes of the pages in use.</summary>
    public long UsedBytes
    {
        get
        {
            long bytes = 0;
            foreach (var layer in _layers)
                bytes += layer.UsedPages * layer.PageBytes;
            return bytes;
        }
    }

    /// <summary>Bytes that the cache holds on the device: pages in use, and free pages that wait to be used
    /// again.</summary>
    public long ReservedBytes
    {
        get
        {
            long bytes = 0;
            foreach (var layer in _layers)
                bytes += layer.ReservedBytes;
            return bytes;
        }
    }

    /// <summary>Tokens of a sequence so far.</summary>
    /// <param name="sequence">The sequence, from 0.</param>
    /// <exception cref="ArgumentException">There is no such sequence.</exception>
    public int Length(int sequence) => _lengths[Checked(sequence)];

    /// <summary>Forgets a sequence and frees its pages.</summary>
    /// <param name="sequence">The sequence, from 0.</param>
    /// <exception cref="ArgumentException">There is no such sequence.</exception>
    public void Clear(int sequence)
    {
        _lengths[Checked(sequence)] = 0;
        foreach (var layer in _layers)
            layer.Clear(sequence);
    }

    /// <summary>Releases all pages.</summary>
    public void Dispose()
    {
        foreach (var layer in _layers)
            layer.Dispose();
    }

    /// <summary>Starts a forward pass that adds tokens to each sequence (0: the sequence rests).</summary>
    /// <exception cref="ArgumentException">A sequence would grow beyond <see cref="MaxTokens"/>.</exception>
    /// <exception cref="InvalidOperationException">The pages would take more than the bytes that the options
    /// allow.</exception>
    internal SequenceBatch Begin(ReadOnlySpan<int> newTokens)
    {
        _startsEmpty = true;
        for (int s = 0; s < _lengths.Length; s++)
        {
            int length = _lengths[s] + newTokens[s];
            if (newTokens[s] > MaxTokens - _lengths[s])
                throw new ArgumentException(
                    $"sequence {s} has {_lengths[s]} tokens, {newTokens[s]} more are beyond the {MaxTokens} that "
                    + $"there is room for");
            _step[s] = newTokens[s] == 0 ? new Sequence(s, 0, 0, 0, 0) : new Sequence(s, 0, newTokens[s], 0, length);
            _startsEmpty &= newTokens[s] == 0 || _lengths[s] == 0;
        }
        _sequences.Update(_step);
        CheckRoom();
        return _sequences;
    }

    /// <summary>Ends the forward pass: the tokens are part of their sequences now.</summary>
    internal void End()
    {
        for (int s = 0; s < _lengths.Length; s++)
            _lengths[s] += _step[s].QueryCount;
    }

    Variable IAttentionMemory.Attend(Tape tape, int layer, Variable query, Variable key, Variable value)
    {
        var cache = _layers[layer];
        var output = tape.New(query.Shape);
        float scale = SparseAttention.DefaultScale(query.Shape[3]);
        cache.Reserve(_sequences, liveOnly: _startsEmpty);
        tape.Engine.WritePages(key.Value, cache.Keys, cache.Table, _sequences);
        tape.Engine.WritePages(value.Value, cache.Values, cache.Table, _sequences);
        if (_startsEmpty)
        {
            var layout = _model.Layouts.Get(_model.Pattern(layer), _sequences.MaxKeyCount);
            tape.Engine.AttentionForward(new AttentionForwardArguments(query.Value, key.Value, value.Value,
                output.Value, null, layout, _sequences, scale));
            return output;
        }
        var tails = _tails[layer].For(_sequences);
        tape.Engine.AttentionForward(new AttentionForwardArguments(query.Value, cache.Keys, cache.Values, output.Value,
            null, tails[0], _sequences, scale,
            cache.Table, tails));
        cache.ReleaseDead(_sequences);
        return output;
    }

    private int Checked(int sequence) => (uint)sequence < (uint)_lengths.Length ? sequence
        : throw new ArgumentException($"sequence {sequence} of {_lengths.Length} sequences");

    // Layers run one after the other and free their dead pages at once, so this bounds what is in use at any time from
    // above.
    private void CheckRoom()
    {
        if (_options.MaxBytes == long.MaxValue)
            return;
        long bytes = UsedBytes;
        foreach (var layer in _layers)
            bytes += layer.CountMissing(_sequences, _startsEmpty) * layer.PageBytes;
        if (bytes > _options.MaxBytes)
            throw new InvalidOperationException(
                $"the key/value cache would need {bytes} bytes, {_options.MaxBytes} are allowed");
    }
}
