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
    private readonly TokenSampler _sampler;
    private readonly TokenConstraint? _constraint;

    public Branch(SubmittedRequest owner, int choice, int vocabularySize, BytePairTokenizer? tokenizer,
        TokenTrie? trie, long bytes, long[] farBytes)
    {
        var request = owner.Request;
        (Owner, Choice, PromptTokens, Bytes, FarBytes) = (owner, choice, request.Prompt.Count, bytes, farBytes);
        Tokens = [.. request.Prompt];
        _sampler = new TokenSampler(request.Sampling with { Seed = request.Sampling.Seed + (ulong)choice },
            vocabularySize);
        _sampler.Begin(TokenSpan);
        _constraint = trie is null ? null : new TokenConstraint(request.Grammar!, trie, request.EndTokens);
        _text = tokenizer is null ? null : new TokenStreamDecoder(tokenizer, isContinuation: true);
        _stop = new StopText(request.Stop);
        foreach (int token in request.Generated)
            Repeat(token);
    }

    public SubmittedRequest Owner { get; }

    public int Choice { get; }

    public int PromptTokens { get; }

    /// <summary>Bytes of pages that it needs here at its longest.</summary>
    public long Bytes { get; }

    /// <summary>Bytes that it needs elsewhere besides, for each of the last KV heads of layers; empty where all fits
    /// here.</summary>
    public IReadOnlyList<long> FarBytes { get; }

    /// <summary>Prompt and generated tokens.</summary>
    public List<int> Tokens { get; }

    /// <summary>Prompt and generated tokens, until the next token.</summary>
    public ReadOnlySpan<int> TokenSpan => CollectionsMarshal.AsSpan(Tokens);

    /// <summary>The other choices, which begin when the prompt is computed.</summary>
    public List<Branch> Children { get; } = [];

    /// <summary>Its sequence in the cache; -1 while it waits.</summary>
    public int Sequence { get; set; } = -1;

    /// <summary>What sampled attention kept of its prompt; null where nothing was sampled.</summary>
    public SampleCertificate? Sample { get; set; }

    public int Priority => Owner.Request.Priority;

    public int GeneratedTokens => Tokens.Count - PromptTokens;

    /// <summary>Sequences that it holds while it runs.</summary>
    public int Sequences => 1 + Children.Count;

    /// <summary>Whether a stop string came, or nothing can follow in the grammar.</summary>
    public bool IsStopped => _stop.IsStopped || _constraint is { IsFinished: true };

    /// <summary>What its next token may be followed by.</summary>
    public Speculation Speculation { get; } = new();

    /// <summary>Draws the next token.</summary>
    public int Draw(ReadOnlySpan<float> logits) => _sampler.Next(logits, _constraint?.Allowed());

    /// <summary>Takes a token and returns the text that is certain now.</summary>
    public string Append(int token)
    {
        Tokens.Add(token);
        _constraint?.Accept(token);
        return _text is null ? "" : _stop.Append(_text.Append(token));
    }

    // Takes a token that another scheduler drew, and leaves everything as if it had been drawn here.
    private void Repeat(int token)
    {
        if (_constraint?.Allowed().Contains(token) == false)
            throw new ArgumentException($"token {token}, which is generated already, cannot follow in the grammar");
        _sampler.Repeat(token);
        Append(token);
        if (IsStopped)
            throw new ArgumentException($"the text ended with the {GeneratedTokens} tokens that are generated already");
    }

    /// <summary>The rest of the text.</summary>
    public string Finish() => _text is null ? "" : _stop.Append(_text.Finish()) + _stop.Finish();

    /// <summary>Whether it comes before another: by priority, then by the time of submission.</summary>
    public bool IsBefore(Branch other) => Priority != other.Priority ? Priority > other.Priority
        : Owner.Order != other.Owner.Order ? Owner.Order < other.Owner.Order : Choice < other.Choice;
}
