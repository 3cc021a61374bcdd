using S2ILGPU.Models;
using S2ILGPU.Tokenizers;

namespace S2ILGPU.Inference;

/// <summary>Continues text: tokenizer, decoder with a cache that frees dead pages, and sampler in one.</summary>
/// <remarks>A model may have more ids than the tokenizer (a vocabulary padded to a round number): those stand for no
/// text and are never drawn. Not thread-safe. Dispose it before the model.</remarks>
public sealed class TextGenerator : IDisposable
{
    private readonly TransformerModel _model;
    private readonly BytePairTokenizer _tokenizer;
    private readonly HashSet<int> _endTokens;
    private readonly TransformerDecoder _decoder;
    private readonly float[] _logits;

    /// <summary>Creates a generator with an empty cache.</summary>
    /// <param name="model">The model; not disposed.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="cache">Element type and limits of the cache, for one sequence; null for the type of the activations
    /// up to the model's context.</param>
    /// <param name="endTokens">The tokens that end a text, as <see cref="PretrainedModel.EndTokens"/>; null for the
    /// tokenizer's end-of-text token.</param>
    /// <exception cref="ArgumentException">An option is out of its range or asks for several sequences, or the
    /// tokenizer has more tokens than the model.</exception>
    public TextGenerator(TransformerModel model, BytePairTokenizer tokenizer, KeyValueCacheOptions? cache = null,
        IReadOnlyList<int>? endTokens = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokenizer);
        if (tokenizer.VocabularySize > model.Config.VocabularySize)
            throw new ArgumentException($"the tokenizer has {tokenizer.VocabularySize} tokens, the model only "
                + $"{model.Config.VocabularySize}: they do not belong together");
        if (cache is not (null or { Sequences: 1 }))
            throw new ArgumentException(
                $"a text generator has one sequence, its cache options ask for {cache.Sequences}");
        (_model, _tokenizer) = (model, tokenizer);
        _endTokens = [.. endTokens ?? (tokenizer.EndOfText is { } endOfText ? [endOfText] : [])];
        _decoder = new TransformerDecoder(model, cache);
        _logits = new float[model.Config.VocabularySize];
    }

    /// <summary>The cache of the last generation, with its memory use.</summary>
    public KeyValueCache Cache => _decoder.Cache;

    /// <summary>Continues a prompt, piece by piece as the text becomes certain.</summary>
    /// <param name="prompt">The prompt; empty starts a new document.</param>
    /// <param name="maxTokens">The most tokens to generate; the end of the text or of the context ends it
    /// earlier.</param>
    /// <param name="sampling">How to draw.</param>
    /// <param name="cancellation">Ends the generation between two tokens.</param>
    /// <returns>Pieces of text, without the prompt; the generation runs while they are enumerated.</returns>
    /// <exception cref="ArgumentException">An option is out of range, or the prompt does not fit the
    /// context.</exception>
    public IEnumerable<string> Generate(string prompt, int maxTokens, SamplingOptions sampling,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        if (maxTokens < 0)
            throw new ArgumentException($"the most tokens to generate must not be negative, got {maxTokens}");
        int[] tokens = _tokenizer.Encode(prompt);
        if (tokens.Length == 0)
            tokens = [_tokenizer.EndOfText
                ?? throw new ArgumentException(
                "the prompt is empty, and the tokenizer has no end-of-text token to begin with")];
        if (tokens.Length > Cache.MaxTokens)
            throw new ArgumentException($"the prompt has {tokens.Length} tokens, "
                + (Cache.MaxTokens < _model.Config.ContextTokens ? $"the cache has room for {Cache.MaxTokens}"
                : $"the model's context {Cache.MaxTokens}"));
        return Continue(tokens, maxTokens, new TokenSampler(sampling, _tokenizer.VocabularySize), cancellation);
    }

    /// <summary>Releases the cache.</summary>
    public void Dispose() => _decoder.Dispose();

    private IEnumerable<string> Continue(int[] tokens, int maxTokens, TokenSampler sampler,
        CancellationToken cancellation)
    {
        _decoder.Clear(0);
        var text = new TokenStreamDecoder(_tokenizer);
        int room = Cache.MaxTokens - tokens.Length;
        for (int generated = 0; generated < maxTokens; generated++)
        {
            cancellation.ThrowIfCancellationRequested();
            _decoder.Append(tokens, _logits);
            int next = sampler.Next(_logits.AsSpan(0, _tokenizer.VocabularySize));
            if (_endTokens.Contains(next))
                break;
            if (text.Append(next) is { Length: > 0 } piece)
                yield return piece;
            if (generated >= room)
                break;
            tokens = tokens.Length == 1 ? tokens : new int[1];
            tokens[0] = next;
        }
        if (text.Finish() is { Length: > 0 } rest)
            yield return rest;
    }
}
