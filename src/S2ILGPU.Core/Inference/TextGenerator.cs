using System.Runtime.InteropServices;
using S2ILGPU.Grammars;
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
    private readonly int? _endOfText;
    private readonly TransformerDecoder _decoder;
    private float[] _logits;                                                      // [tokens, V]
    private TokenTrie? _tokens;

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
        _endOfText = tokenizer.EndOfText ?? (endTokens is [var first, ..] ? first : null);
        _decoder = new TransformerDecoder(model, cache);
        _logits = new float[model.Config.VocabularySize];
    }

    /// <summary>The cache of the last generation, with its memory use.</summary>
    public KeyValueCache Cache => _decoder.Cache;

    /// <summary>What was proposed in the last generation.</summary>
    internal Speculation Speculation { get; private set; } = new();

    /// <summary>Continues a prompt, piece by piece as the text becomes certain.</summary>
    /// <param name="prompt">The prompt; empty starts a new document.</param>
    /// <param name="maxTokens">The most tokens to generate; the end of the text or of the context ends it
    /// earlier.</param>
    /// <param name="sampling">How to draw.</param>
    /// <param name="cancellation">Ends the generation between two tokens.</param>
    /// <param name="stop">Strings that end the text before them; null for none.</param>
    /// <param name="grammar">What the text must be, where <paramref name="maxTokens"/> and the context leave room;
    /// null for any text.</param>
    /// <param name="speculate">The most tokens that are proposed and computed with the next one, from
    /// how the text went on where its last tokens came before, as many as pay; 0 for none. The text stays the
    /// same.</param>
    /// <returns>Pieces of text, without the prompt; the generation runs while they are enumerated.</returns>
    /// <exception cref="ArgumentException">An option is out of range, or the prompt does not fit the
    /// context.</exception>
    public IEnumerable<string> Generate(string prompt, int maxTokens, SamplingOptions sampling,
        CancellationToken cancellation = default, IReadOnlyList<string>? stop = null, Grammar? grammar = null,
        int speculate = 0)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        if (speculate < 0)
            throw new ArgumentException($"the most tokens to propose must not be negative, got {speculate}");
        if (maxTokens < 0)
            throw new ArgumentException($"the most tokens to generate must not be negative, got {maxTokens}");
        int[] tokens = _tokenizer.Encode(prompt, addSpecial: true);
        if (tokens.Length == 0)
            tokens = [_endOfText
                ?? throw new ArgumentException("the prompt is empty, and the model has no token that ends a text to "
                    + "begin with")];
        if (tokens.Length > Cache.MaxTokens)
            throw new ArgumentException($"the prompt has {tokens.Length} tokens, "
                + (Cache.MaxTokens < _model.Config.ContextTokens ? $"the cache has room for {Cache.MaxTokens}"
                : $"the model's context {Cache.MaxTokens}"));
        var sampler = new TokenSampler(sampling, _tokenizer.VocabularySize);
        sampler.Begin(tokens);
        var constraint = grammar is null ? null
            : new TokenConstraint(grammar, _tokens ??= new TokenTrie(_tokenizer), _endTokens);
        return Continue(tokens, maxTokens, speculate, sampler, new StopText(stop ?? []), constraint, cancellation);
    }

    /// <summary>Releases the cache.</summary>
    public void Dispose() => _decoder.Dispose();

    private IEnumerable<string> Continue(int[] prompt, int maxTokens, int speculate, TokenSampler sampler,
        StopText stop, TokenConstraint? constraint, CancellationToken cancellation)
    {
        _decoder.Clear(0);
        Speculation = new Speculation();
        var text = new TokenStreamDecoder(_tokenizer, isContinuation: true);
        var tokens = new List<int>(prompt);
        int[] next = [];                                                          // the last token and a proposal
        for (bool isOpen = maxTokens > 0; isOpen;)
        {
            cancellation.ThrowIfCancellationRequested();
            Read(prompt, next);
            for (int row = 0; row == 0 || (isOpen && Speculation.Accepts(row - 1, tokens[^1])); row++)
            {
                int token = Draw(sampler, row, constraint);
                isOpen = !_endTokens.Contains(token);
                if (!isOpen)
                    break;
                tokens.Add(token);
                constraint?.Accept(token);
                if (stop.Append(text.Append(token)) is { Length: > 0 } piece)
                    yield return piece;
                isOpen = tokens.Count - prompt.Length < maxTokens && tokens.Count <= Cache.MaxTokens && !stop.IsStopped
                    && constraint is not { IsFinished: true };
            }
            if (isOpen)
                next = Next(tokens, speculate, maxTokens - (tokens.Count - prompt.Length) - 1);
        }
        if (stop.Append(text.Finish()) + stop.Finish() is { Length: > 0 } rest)
            yield return rest;
    }

    // The prompt, or what follows it.
    private void Read(int[] prompt, int[] next)
    {
        int vocabulary = _model.Config.VocabularySize;
        if (_logits.Length < next.Length * vocabulary)
            _logits = new float[next.Length * vocabulary];
        if (next.Length == 0)
            _decoder.Append(prompt, _logits.AsSpan(0, vocabulary));
        else
            _decoder.AppendFew(next, _logits);
    }

    private int Draw(TokenSampler sampler, int row, TokenConstraint? constraint) => sampler.Next(
        _logits.AsSpan(row * _model.Config.VocabularySize, _tokenizer.VocabularySize), constraint?.Allowed());

    // Forgets what was proposed and not drawn. The last token, and what is proposed after it.
    private int[] Next(List<int> tokens, int speculate, int left)
    {
        Cache.TakeBack(0, tokens.Count - 1);
        return speculate == 0 ? [tokens[^1]] : [.. Speculation.Propose(CollectionsMarshal.AsSpan(tokens),
            Math.Min(Math.Min(speculate, left), Cache.MostProposed(0)))];
    }
}
