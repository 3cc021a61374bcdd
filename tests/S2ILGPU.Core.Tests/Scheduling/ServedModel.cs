using S2ILGPU.Core.Tests.Models;
using S2ILGPU.Cpu;
using S2ILGPU.Grammars;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Scheduling;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;

namespace S2ILGPU.Core.Tests.Scheduling;

/// <summary>A tiny model on the CPU engine, and what one request alone gets from it.</summary>
internal sealed class ServedModel : IDisposable
{
    public const int ChunkTokens = 32;

    private readonly CpuEngine _engine = new(new CpuOptions(Threads: 2));

    public ServedModel(int vocabularySize = 61) => Model = TinyModels.Create(_engine,
        TinyModels.Config(TinyModels.Dense, TinyModels.Sparse, TinyModels.ByQueryHead,
        TinyModels.Window with { BlockTokens = 32 }) with
        { VocabularySize = vocabularySize, Dim = 24, HeadDim = 16, FeedForwardDim = 28 }, Random);

    public Random Random { get; } = Seeds.NewRandom();

    public TransformerModel Model { get; }

    /// <summary>Element type of caches; null for the model's.</summary>
    public ElementType? CacheType { get; set; }

    public int[] Prompt(int tokens) => TinyModels.Tokens(Random, tokens, Model.Config.VocabularySize);

    /// <summary>The tokens of a choice, without a scheduler.</summary>
    public int[] Alone(GenerationRequest request, int choice = 0, TokenTrie? trie = null)
    {
        using var decoder = new TransformerDecoder(Model, new KeyValueCacheOptions { ChunkTokens = ChunkTokens,
            ElementType = CacheType });
        int vocabulary = Model.Config.VocabularySize;
        var logits = new float[vocabulary];
        int[] next = [.. request.Prompt];
        var sampler = new TokenSampler(request.Sampling with { Seed = request.Sampling.Seed + (ulong)choice },
            vocabulary);
        sampler.Begin(next);
        var constraint = request.Grammar is { } grammar
            ? new TokenConstraint(grammar, trie!, request.EndTokens) : null;
        var tokens = new List<int>();
        while (tokens.Count < request.MaxTokens && decoder.Cache.Length(0) + next.Length <= decoder.Cache.MaxTokens)
        {
            decoder.Append(next, logits);
            next = [sampler.Next(logits, constraint?.Allowed())];
            if (request.EndTokens.Contains(next[0]))
                break;
            tokens.Add(next[0]);
            constraint?.Accept(next[0]);
            if (constraint is { IsFinished: true })
                break;
        }
        return [.. tokens];
    }

    public void Dispose()
    {
        Model.Dispose();
        _engine.Dispose();
    }
}

/// <summary>Collects what a request gets.</summary>
internal sealed class Received
{
    private readonly List<GeneratedToken> _all = [];

    public IReadOnlyList<GeneratedToken> All => _all;

    public void Take(GeneratedToken token) => _all.Add(token);

    public int[] Tokens(int choice = 0) =>
        [.. _all.Where(t => t.Choice == choice && t.Token is not null).Select(t => t.Token!.Value)];

    public string TextOf(int choice) => string.Concat(_all.Where(t => t.Choice == choice).Select(t => t.Text));

    public FinishReason? Finish(int choice = 0) => _all.LastOrDefault(t => t.Choice == choice)?.Finish;

    public string Text => string.Concat(_all.Select(t => t.Text));
}
