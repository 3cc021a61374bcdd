using S2ILGPU.Cpu;
using S2ILGPU.Engines;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Patterns;
using S2ILGPU.Scheduling;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Tests.Scheduling;

/// <summary>Many texts at once on the emulated device: shared prefixes, choices, texts that give way, proposals, and
/// pages of every type.</summary>
public sealed class ServedTextTests
{
    private const int Vocabulary = 31, ChunkTokens = 16, Requests = 5;

    private static readonly TransformerConfig s_config = new()
    {
        VocabularySize = Vocabulary,
        Dim = 16,
        Layers = 2,
        QueryHeads = 2,
        KeyValueHeads = 1,
        HeadDim = 8,
        FeedForwardDim = 16,
        ContextTokens = 80,
        Attention = AttentionPlan.FirstDense(2, 1,
            new LocalStrideAttention { BlockTokens = 16, LocalBlocks = 1, VerticalStride = 2 }),
    };

    private static readonly SamplingOptions s_greedy = new() { Temperature = 0 };

    private readonly Random _random = Seeds.NewRandom();

    // A plain run takes one type and one length of proposals.
    [Fact]
    public void Random_traffic_gets_the_greedy_tokens_of_the_cpu_engine_and_leaves_no_page()
    {
        TestScale.SkipUnlessDrawn(8);
        foreach (var (type, speculate) in TestScale.Part<(ElementType?, int)>([(null, 0), (null, 7),
            (ElementType.Int8, 0), (ElementType.Int8, 7), (ElementType.BFloat16, 0), (ElementType.BFloat16, 7)], 1))
            Serve(type, speculate);
    }

    private void Serve(ElementType? type, int speculate)
    {
        using var cpu = new CpuEngine(new CpuOptions(Threads: 1));
        using var device = Emulated.Create();
        using TransformerModel expected = new(cpu, s_config, seed: null), model = new(device, s_config, seed: null);
        Fill(expected, model);
        using var scheduler = new Scheduler(model, new SchedulerOptions
        {
            Sequences = 3,
            ChunkTokens = ChunkTokens,
            StepTokens = 40,
            Prefixes = 3,
            ElementType = type,
            Speculate = speculate,
        });
        // With proposals few letters, so that pairs of them come again.
        int[] letters = speculate == 0 ? [.. Enumerable.Range(0, Vocabulary)] : Letters(2);
        int[] shared = Tokens(letters, 2 * ChunkTokens);
        var texts = new List<(GenerationRequest Request, List<GeneratedToken> Received)>();
        for (int n = 0; n < Requests; n++)
        {
            var received = new List<GeneratedToken>();
            var request = new GenerationRequest
            {
                Prompt = [.. shared[..(ChunkTokens * _random.Next(3))], .. Tokens(letters, _random.Next(1, 10))],
                MaxTokens = _random.Next(4, speculate == 0 ? 10 : 16),
                Choices = _random.Pick(1, 1, 2),
                Sampling = s_greedy with
                {
                    LogitBias = Enumerable.Range(0, Vocabulary).Except(letters).ToDictionary(t => t, _ => -100f),
                },
                Priority = n,                                                     // so that earlier ones give way
                TopLogProbabilities = 0,
                OnToken = received.Add,
            };
            scheduler.Submit(request);
            texts.Add((request, received));
            for (int step = _random.Next(1, 4); step > 0; step--)
                scheduler.Step();
        }
        while (scheduler.Step()) { }
        var counters = scheduler.Counters;
        Assert.Equal(Requests, texts.Count(t => t.Received.Count(token => token.Finish is not null)
            == t.Request.Choices));
        Assert.InRange(counters.AcceptedTokens, 0, counters.ProposedTokens);
        Assert.Equal(speculate > 0, counters.Proposals > 0);
        scheduler.ForgetPrefixes();
        Assert.Equal(0, scheduler.Counters.UsedPages);
        foreach (var (request, received) in texts)
            for (int choice = 0; choice < request.Choices; choice++)
                Check(expected, type, letters, request, [.. received.Where(t => t.Choice == choice)]);
    }

    // A token is the most likely one of the CPU engine and has its log-probability, up to rounding, with each token in
    // a step of its own.
    private static void Check(TransformerModel model, ElementType? type, int[] letters, GenerationRequest request,
        GeneratedToken[] text)
    {
        Assert.Equal(request.MaxTokens, text.Length);
        using var decoder = new TransformerDecoder(model,
            new KeyValueCacheOptions { ChunkTokens = ChunkTokens, ElementType = type });
        float[] logits = new float[Vocabulary];
        int[] next = [.. request.Prompt];
        for (int t = 0; t < text.Length; t++)
        {
            decoder.Append(next, logits);
            int token = text[t].Token!.Value;
            next = [token];
            double most = letters.Max(t => logits[t]), bound = Tolerance(type) * (logits.Max() - logits.Min());
            double logProbability = logits[token] - Math.Log(logits.Sum(x => Math.Exp(x)));
            double error = Math.Abs(logProbability - text[t].LogProbability!.Value);
            Assert.True(logits[token] >= most - bound && error <= bound, $"token {t} of a text behind "
                + $"{request.Prompt.Count} is {token}, {most - logits[token]} below the most likely, its "
                + $"log-probability {error} off, of {bound}; pages {type}; {Seeds.Text}");
        }
    }

    // Of the range of logits. 16-bit and 8-bit pages round a key that differs in its last bits to another value now and
    // then.
    private static double Tolerance(ElementType? type) => type is null ? 1e-5 : 1e-2;

    // The same values on both engines, large enough for attention to matter.
    private void Fill(params TransformerModel[] models)
    {
        foreach (var tensors in models[0].StoredTensors.Zip(models[1].StoredTensors))
        {
            float[] values = [.. Enumerable.Range(0, (int)tensors.First.Tensor.Count).Select(_ =>
                tensors.First.Tensor.Shape.Rank == 1 ? 1 : _random.NextSingle() * 1.6f - 0.8f)];
            models[0].Engine.Upload(values, tensors.First.Tensor);
            models[1].Engine.Upload(values, tensors.Second.Tensor);
        }
        foreach (var model in models)
            model.RefreshShadows();
    }

    private int[] Letters(int count)
    {
        int[] all = [.. Enumerable.Range(0, Vocabulary)];
        _random.Shuffle(all);
        return all[..count];
    }

    private int[] Tokens(int[] letters, int count) =>
        [.. Enumerable.Range(0, count).Select(_ => letters[_random.Next(letters.Length)])];
}
