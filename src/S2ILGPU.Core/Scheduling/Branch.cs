using System.Runtime.InteropServices;
using S2ILGPU.Grammars;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Tokenizers;

namespace S2ILGPU.Scheduling;

/// <summary>One choice of a request: its tokens, how it draws, and where it is in the cache. Until the prompt is
/// computed, the first choice runs for all of them, where there is room for all at a time.</summary>
internal sealed class Branch
{
    private readonly TokenStreamDecoder? _text;
    private readonly StopText _stop;
    private readonly TokenConstraint? _constraint;
    private TokenSampler? _sampler;                                               // bytes in proportion to V
    private List<int>? _tokens;

    public Branch(SubmittedRequest owner, int choice, BytePairTokenizer? tokenizer, TokenConstraint? constraint)
    {
        var request = owner.Request;
        (Owner, Choice, PromptTokens, _constraint) = (owner, choice, request.Prompt.Count, constraint);
        _text = tokenizer is null ? null : new TokenStreamDecoder(tokenizer, isContinuation: true);
        _stop = new StopText(request.Stop);
        foreach (int token in request.Generated)
            Repeat(token);
    }

    public SubmittedRequest Owner { get; }

    public int Choice { get; }

    public int PromptTokens { get; }

    /// <summary>Bytes of pages that it needs here at its longest.</summary>
    public long Bytes { get; init; }

    /// <summary>Bytes that it needs elsewhere besides, for each of the last KV heads of layers; empty where all fits
    /// here.</summary>
    public IReadOnlyList<long> FarBytes { get; init; } = [];

    /// <summary>Prompt and generated tokens.</summary>
    public List<int> Tokens => _tokens ??= [.. Owner.Request.Prompt];

    /// <summary>Prompt and generated tokens, until the next token.</summary>
    public ReadOnlySpan<int> TokenSpan => CollectionsMarshal.AsSpan(Tokens);

    /// <summary>The other choices, which begin when the prompt is computed.</summary>
    public List<Branch> Children { get; } = [];

    /// <summary>Its sequence in the cache; -1 while it waits.</summary>
    public int Sequence { get; set; } = -1;

    /// <summary>What sampled attention kept of its prompt; null where nothing was sampled.</summary>
    public SampleCertificate? Sample { get; set; }

    /// <summary>When it begins among equals, the smallest first.</summary>
    public long Turn { get; set; }

    public int Priority => Owner.Request.Priority;

    public int GeneratedTokens => Tokens.Count - PromptTokens;

    /// <summary>Sequences that it holds while it runs.</summary>
    public int Sequences => 1 + Children.Count;

    /// <summary>Whether a stop string came, or nothing can follow in the grammar.</summary>
    public bool IsStopped => _stop.IsStopped || _constraint is { IsFinished: true };

    /// <summary>What its next token may be followed by.</summary>
    public Speculation Speculation { get; } = new();

    /// <summary>Draws the next token.</summary>
    /// <exception cref="AmbiguousGrammarException">The grammar allows too many ways at once here.</exception>
    public int Draw(ReadOnlySpan<float> logits) =>
        (_sampler ??= CreateSampler(logits.Length)).Next(logits, _constraint?.Allowed());

    /// <summary>Gives memory back that it needs no more until it draws again.</summary>
    public void Rest() => _sampler = null;

    /// <summary>Takes a token and returns the text that is certain now.</summary>
    public string Append(int token)
    {
        Tokens.Add(token);
        _constraint?.Accept(token);
        return _text is null ? "" : _stop.Append(_text.Append(token));
    }

    // Where its text is now.
    private TokenSampler CreateSampler(int vocabularySize)
    {
        var sampling = Owner.Request.Sampling;
        var sampler = new TokenSampler(sampling with { Seed = sampling.Seed + (ulong)Choice }, vocabularySize);
        sampler.Begin(TokenSpan[..PromptTokens]);
        foreach (int token in TokenSpan[PromptTokens..])
            sampler.Repeat(token);
        return sampler;
    }

    // Takes a token that another scheduler drew, and leaves everything as if it had been drawn here.
    private void Repeat(int token)
    {
        Append(token);
        if (IsStopped)
            throw new ArgumentException($"the text ended with the {GeneratedTokens} tokens that are generated already");
    }

    /// <summary>The rest of the text.</summary>
    public string Finish() => _text is null ? "" : _stop.Append(_text.Finish()) + _stop.Finish();

    /// <summary>Whether it comes before another: by priority, by turn, then by the time of submission.</summary>
    public bool IsBefore(Branch other) => Priority != other.Priority ? Priority > other.Priority
        : Turn != other.Turn ? Turn < other.Turn
        : Owner.Order != other.Owner.Order ? Owner.Order < other.Owner.Order : Choice < other.Choice;

    /// <summary>Whether another one takes turns with it: of the same group and priority.</summary>
    public bool IsAlike(Branch other) => Priority == other.Priority && Owner.Group.Equals(other.Owner.Group);
}
