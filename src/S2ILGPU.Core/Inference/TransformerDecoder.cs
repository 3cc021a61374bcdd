using S2ILGPU.Models;

namespace S2ILGPU.Inference;

/// <summary>Feeds tokens to a model step by step, prompts and single tokens alike, and returns the logits of the next
/// token.</summary>
/// <remarks>
/// <para>Rows of all sequences are packed one after the other; padding is neither uploaded nor computed. The results
/// equal those of one forward pass over the whole sequence. A step after the first of its shape
/// allocates nothing, on the managed heap or on the device, except where a sequence enters a new block.</para>
/// <para>Not thread-safe. Dispose it before the model.</para>
/// </remarks>
public sealed class TransformerDecoder : IDisposable
{
    private readonly TransformerModel _model;
    private readonly PackedStep _step;
    private readonly int _chunkTokens;

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
        _step = new PackedStep(model, Cache);
        _chunkTokens = options.ChunkTokens;
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

    /// <summary>Adds a few tokens to the only sequence, which <see cref="KeyValueCache.TakeBack"/> may take back.
    /// </summary>
    /// <param name="tokens">At most 1 + <see cref="KeyValueCache.MostProposed"/> token ids.</param>
    /// <param name="logits">Receives the logits [tokens, V] of the token that follows each.</param>
    internal void AppendFew(ReadOnlySpan<int> tokens, Span<float> logits)
    {
        _step.Begin();
        _step.Add(0, tokens, tokens.Length);
        _step.Run();
        for (int t = 0; t < tokens.Length; t++)
            _step.Logits(0, t).CopyTo(logits[(t * _model.Config.VocabularySize)..]);
    }

    /// <summary>Forgets a sequence.</summary>
    /// <param name="sequence">The sequence, from 0.</param>
    public void Clear(int sequence) => Cache.Clear(sequence);

    /// <summary>Releases the cache and the activations.</summary>
    public void Dispose()
    {
        _step.Dispose();
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
        int vocabulary = _model.Config.VocabularySize;
        _step.Begin();
        for (int s = 0; s < counts.Length; s++)
            if (counts[s] > start)
            {
                int count = Math.Min(_chunkTokens, counts[s] - start);
                _step.Add(s, tokens.Slice(s * width + start, count), start + count == counts[s] ? 1 : 0);
            }
        if (_step.Parts == 0)
            return;
        _step.Run();
        for (int s = 0, part = 0; s < counts.Length; s++)
            if (counts[s] > start && part++ is var p && counts[s] - start <= _chunkTokens)
                _step.Logits(p).CopyTo(logits[(s * vocabulary)..]);
    }
}
