using S2ILGPU.Autograd;
using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.Tensors;

namespace S2ILGPU.Inference;

/// <summary>Feeds tokens to a model step by step, prompts and single tokens alike, and returns the logits of the next
/// token.</summary>
/// <remarks>
/// <para>The results equal those of one forward pass over the whole sequence. A step after the first of its shape
/// allocates nothing, on the managed heap or on the device, except where a sequence enters a new block.</para>
/// <para>Not thread-safe. Dispose it before the model.</para>
/// </remarks>
public sealed class TransformerDecoder : IDisposable
{
    private readonly TransformerModel _model;
    private readonly Tape _tape;
    private readonly int _chunkTokens;
    private readonly int[] _counts, _rows, _finished;
    private int[] _tokens = [], _positions = [];
    private float[] _logits = [];

    /// <summary>Creates a decoder with an empty cache.</summary>
    /// <param name="model">The model; not disposed.</param>
    /// <param name="options">Number of sequences and limits; null for one sequence up to the model's context.</param>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public TransformerDecoder(TransformerModel model, KeyValueCacheOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        options ??= new KeyValueCacheOptions();
        _model = model;
        Cache = new KeyValueCache(model, options);
        _tape = new Tape(model.Engine, recording: false, activationType: model.ActivationType);
        _chunkTokens = options.ChunkTokens;
        (_counts, _rows, _finished) = (new int[options.Sequences], new int[options.Sequences],
            new int[options.Sequences]);
    }

    /// <summary>The cache, with its memory use.</summary>
    public KeyValueCache Cache { get; }

    /// <summary>Adds tokens to the only sequence.</summary>
    /// <param name="tokens">At least one token id.</param>
    /// <param name="logits">Receives the logits [V] of the token that follows.</param>
    /// <exception cref="ArgumentException">There are several sequences or no tokens, an id is outside the vocabulary,
    /// the context is full, or the target is not V long.</exception>
    /// <exception cref="InvalidOperationException">The cache may not take that much memory.</exception>
    public void Append(ReadOnlySpan<int> tokens, Span<float> logits) => Append(tokens, [tokens.Length], logits);

    /// <summary>Adds tokens to each sequence.</summary>
    /// <param name="tokens">S rows of T token ids; those beyond a sequence's count are padding and not read.</param>
    /// <param name="counts">How many tokens each sequence gets, 0 to T; a sequence with 0 rests.</param>
    /// <param name="logits">Receives S rows of logits [V] of the tokens that follow; the rows of resting sequences stay
    /// as they are.</param>
    /// <exception cref="ArgumentException">The counts do not fit, an id is outside the vocabulary, a context is full,
    /// or the target is not S V long.</exception>
    /// <exception cref="InvalidOperationException">The cache may not take that much memory; what was read of the tokens
    /// so far stays.</exception>
    public void Append(ReadOnlySpan<int> tokens, ReadOnlySpan<int> counts, Span<float> logits)
    {
        int width = Check(tokens, counts, logits);
        for (int start = 0; start < width; start += _chunkTokens)
            AppendChunk(tokens, width, start, counts, logits);
    }

    /// <summary>Forgets a sequence.</summary>
    /// <param name="sequence">The sequence, from 0.</param>
    public void Clear(int sequence) => Cache.Clear(sequence);

    /// <summary>Releases the cache and the activations.</summary>
    public void Dispose()
    {
        _tape.Dispose();
        Cache.Dispose();
    }

    private int Check(ReadOnlySpan<int> tokens, ReadOnlySpan<int> counts, Span<float> logits)
    {
        int sequences = Cache.Sequences, vocabulary = _model.Config.VocabularySize;
        if (counts.Length != sequences || tokens.Length == 0 || tokens.Length % sequences != 0)
            throw new ArgumentException(
                $"{tokens.Length} tokens and {counts.Length} counts do not make rows for {sequences} sequences");
        if (logits.Length != (long)sequences * vocabulary)
            throw new ArgumentException(
                $"logits need {sequences} rows of {vocabulary}, got room for {logits.Length} values");
        int width = tokens.Length / sequences;
        for (int s = 0; s < sequences; s++)
        {
            if (counts[s] < 0 || counts[s] > width)
                throw new ArgumentException($"sequence {s} cannot get {counts[s]} of {width} tokens");
            if (counts[s] > Cache.MaxTokens - Cache.Length(s))
                throw new ArgumentException(
                    $"sequence {s} has {Cache.Length(s)} of at most {Cache.MaxTokens} tokens, {counts[s]} more do not "
                    + $"fit");
            _model.CheckIds("token", tokens.Slice(s * width, counts[s]));
        }
        return width;
    }

    private void AppendChunk(ReadOnlySpan<int> tokens, int width, int start, ReadOnlySpan<int> counts,
        Span<float> logits)
    {
        int sequences = Cache.Sequences, chunk = 0, finished = 0;
        for (int s = 0; s < sequences; s++)
            chunk = Math.Max(chunk,
                _counts[s] = Math.Clamp(counts[s] - start, 0, Math.Min(_chunkTokens, width - start)));
        if (chunk == 0)
            return;
        Array.Resize(ref _tokens, sequences * chunk);
        Array.Resize(ref _positions, sequences * chunk);
        Array.Clear(_tokens);
        Array.Clear(_positions);
        for (int s = 0; s < sequences; s++)
        {
            tokens.Slice(s * width + start, _counts[s]).CopyTo(_tokens.AsSpan(s * chunk));
            for (int t = 0; t < _counts[s]; t++)
                _positions[s * chunk + t] = Cache.Length(s) + t;
            if (_counts[s] > 0 && start + _counts[s] == counts[s])
                (_finished[finished], _rows[finished++]) = (s, s * chunk + _counts[s] - 1);
        }
        try
        {
            Run(chunk, finished, logits);
        }
        finally
        {
            _tape.Reset();
        }
    }

    private void Run(int chunk, int finished, Span<float> logits)
    {
        int sequences = Cache.Sequences, vocabulary = _model.Config.VocabularySize;
        var batch = Cache.Begin(_counts);
        var positions = _tape.Upload(_positions, new Shape(sequences, chunk));
        var hidden = _model.Hidden(_tape, _tokens,
            new ForwardPass(sequences, chunk, positions, batch, _model.Layouts, Cache));
        Cache.End();
        if (finished == 0)
            return;
        var result = _model.Logits(_tape, hidden, _rows.AsSpan(0, finished));
        if (finished == sequences)
        {
            _model.Engine.Download(result.Value, logits);
            return;
        }
        Array.Resize(ref _logits, finished * vocabulary);
        _model.Engine.Download(result.Value, _logits);
        for (int i = 0; i < finished; i++)
            _logits.AsSpan(i * vocabulary, vocabulary).CopyTo(logits[(_finished[i] * vocabulary)..]);
    }
}
