using S2ILGPU.Models;
using S2ILGPU.Tokenizers;

namespace S2ILGPU.Inference;

/// <summary>Continues text: tokenizer, decoder with a cache that frees dead pages, and sampler in one.</summary>
/// <remarks>Not thread-safe. Dispose it before the model.</remarks>
/// <param name="model">The model; not disposed.</param>
/// <param name="tokenizer">Its tokenizer.</param>
/// <param name="cache">Element type and limits of the cache, for one sequence; null for the type of the activations up
/// to the model's context.</param>
/// <exception cref="ArgumentException">An option is out of its range, or asks for several sequences.</exception>
public sealed class TextGenerator(TransformerModel model, BytePairTokenizer tokenizer,
    KeyValueCacheOptions? cache = null) : IDisposable
{
    private readonly TransformerDecoder _decoder = new(model, OfOneSequence(cache));
    private readonly float[] _logits = new float[model.Config.VocabularySize];

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
        ArgumentOutOfRangeException.ThrowIfNegative(maxTokens);
        int[] tokens = tokenizer.Encode(prompt);
        if (tokens.Length == 0)
            tokens = [tokenizer.EndOfText
                ?? throw new ArgumentException(
                "the prompt is empty, and the tokenizer has no end-of-text token to begin with")];
        if (tokens.Length > Cache.MaxTokens)
            throw new ArgumentException($"the prompt has {tokens.Length} tokens, "
                + (Cache.MaxTokens < model.Config.ContextTokens ? $"the cache has room for {Cache.MaxTokens}"
                : $"the model's context {Cache.MaxTokens}"));
        return Continue(tokens, maxTokens, new TokenSampler(sampling, model.Config.VocabularySize), cancellation);
    }

    /// <summary>Releases the cache.</summary>
    public void Dispose() => _decoder.Dispose();

    private static KeyValueCacheOptions? OfOneSequence(KeyValueCacheOptions? cache) =>
        cache is null or { Sequences: 1 } ? cache
        : throw new ArgumentException(
        $"a text generator has one sequence, its cache options ask for {cache.Sequences}");

    private IEnumerable<string> Continue(int[] tokens, int maxTokens, TokenSampler sampler,
        CancellationToken cancellation)
    {
        _decoder.Clear(0);
        var text = new TokenStreamDecoder(tokenizer);
        int room = Cache.MaxTokens - tokens.Length;
        for (int generated = 0; generated < maxTokens; generated++)
        {
            cancellation.ThrowIfCancellationRequested();
            _decoder.Append(tokens, _logits);
            int next = sampler.Next(_logits);
            if (next == tokenizer.EndOfText)
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
