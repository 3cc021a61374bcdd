using System.Collections.Concurrent;
using S2ILGPU.Autograd;
using S2ILGPU.Collectives;
using S2ILGPU.Cpu;
using S2ILGPU.Distributed;
using S2ILGPU.Engines;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using S2ILGPU.Tokenizers;
using Xunit;

namespace S2ILGPU.Core.Tests.Models;

/// <summary>Ranks that share layers compute what one process computes.</summary>
public sealed class TensorShardTests
{
    private const int Tokens = 75, Batch = 2;

    private static readonly TransformerConfig s_config = new()
    {
        VocabularySize = 97,
        Dim = 24,
        Layers = 2,
        QueryHeads = 8,
        KeyValueHeads = 4,
        HeadDim = 8,
        FeedForwardDim = 40,
        ContextTokens = 80,
        Attention = AttentionPlan.FirstDense(2, 1,
            new LocalStrideAttention { BlockTokens = 16, LocalBlocks = 1, VerticalStride = 4 }),
    };

    private readonly Random _random = Seeds.NewRandom();

    public static TheoryData<string, int> Cases => [.. from name in (string[])["llama", "qwen3", "biases", "gelu"]
                                                       from ranks in (int[])[2, 4] select (name, ranks)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Loss_and_every_gradient_are_those_of_one_process(string name, int ranks) =>
        Check(Config(name), ranks, null, recompute: _random.Next(2) == 0, 1e-5);

    [Fact]
    public void Activations_in_16_bits_too() => Check(s_config, 2, ElementType.BFloat16, recompute: false, 4e-2);

    [Fact]
    public void A_rank_sends_what_the_plan_says()
    {
        int ranks = _random.Next(2) * 2 + 2;
        foreach (var (type, bytes) in new[] { (ElementType.Float32, 4), (ElementType.BFloat16, 2) })
        {
            long[] sent = [.. OnRanks(s_config, ranks, type, (model, group) =>
            {
                long before = group.SentBytes;
                Gradients(model, recompute: false, whole: false);
                return group.SentBytes - before;
            })];
            double layer = TensorPlan.Of(Batch * Tokens, s_config.Dim, ranks, bytes).LayerBytes;
            Assert.Equal(2 * s_config.Layers * layer, sent.Max());
        }
    }

    [Fact]
    public void Initial_parameters_and_files_are_those_of_one_process_to_the_bit()
    {
        using var folder = new TemporaryFolder();
        var config = Config("qwen3") with { VocabularySize = 280 };
        var trainer = new BytePairTrainer();
        trainer.Add("some text"u8);
        var tokenizer = trainer.Build(config.VocabularySize);
        string whole = folder["whole"], shared = folder["shared"];
        using var engine = new CpuEngine();
        using var model = new TransformerModel(engine, config, 7);
        ModelFolder.Save(whole, model, tokenizer);
        foreach (var parameters in OnRanks(config, 2, null, (part, _) =>
        {
            ModelFolder.Save(shared, part, tokenizer);
            return part.WholeParameters();
        }, seed: 7))
            Assert.Equal(model.WholeParameters(), parameters);
        Assert.Equal(File.ReadAllBytes(Path.Combine(whole, ModelFolder.Weights)),
            File.ReadAllBytes(Path.Combine(shared, ModelFolder.Weights)));
    }

    [Fact]
    public void A_rank_has_the_pattern_of_its_heads_in_the_whole_model()
    {
        using var engine = new CpuEngine();
        using var model = new TransformerModel(engine, s_config);
        OnRanks(s_config, 4, null, (part, group) =>
        {
            for (int i = 0; i < 5; i++)
                for (int j = 0; j <= i; j++)
                    Assert.Equal(model.Pattern(1).Keeps(group.Rank, i, j), part.Pattern(1).Keeps(0, i, j));
            return 0;
        });
    }

    [Fact]
    public void What_cannot_be_shared_is_refused()
    {
        Refused(s_config, 3, "3 ranks cannot share 4 key/value heads");
        Refused(s_config with { FeedForwardDim = 42 }, 4, "4 ranks cannot share a feed-forward block of 42 columns");
        OnRanks(s_config, 2, null, (part, _) =>
        {
            Assert.Contains("2 ranks share the layers",
                Assert.Throws<ArgumentException>(() => new TransformerDecoder(part)).Message);
            Assert.Contains("2 ranks share the layers",
                Assert.Throws<InvalidOperationException>(() => part.StoredTensors).Message);
            return 0;
        });

        static void Refused(TransformerConfig config, int ranks, string message) => Assert.Contains(message,
            Assert.Throws<RankFailedException>(() => OnRanks(config, ranks, null, (_, _) => 0)).Message);
    }

    private void Check(TransformerConfig config, int ranks, ElementType? type, bool recompute, double most)
    {
        using var engine = new CpuEngine();
        using var model = new TransformerModel(engine, config, activationType: type);
        var (loss, expected) = Gradients(model, recompute, whole: true);
        foreach (var (actual, gradients) in OnRanks(config, ranks, type,
            (part, _) => Gradients(part, recompute, whole: true)))
        {
            Assert.Equal(loss, actual, most);
            for (int p = 0; p < expected.Length; p++)
            {
                var worst = MaximumError.Of([.. expected[p].Select(x => (double)x)],
                    [.. gradients[p].Select(x => (double)x)], isRelative: true);
                Assert.True(worst.Error <= most, $"{model.Specs[p].Name} of {ranks} ranks: {worst}; {Seeds.Text}");
            }
        }
    }

    private static TransformerConfig Config(string name) => name switch
    {
        "qwen3" => s_config with { Architecture = "Qwen3ForCausalLM", QueryKeyNorm = true, TiedEmbeddings = false },
        "biases" => s_config with { Architecture = "Phi3SmallForCausalLM", Dim = 64, QueryKeyValueBias = true,
            OutputBias = true, FeedForwardBias = true, Norm = NormKind.Layer, Activation = Activation.Gegelu },
        "gelu" => s_config with { Activation = Activation.Gelu, FeedForwardBias = true },
        _ => s_config,
    };

    // The same tokens and parameters on every rank, large enough for attention to matter.
    private static (double Loss, float[][] Gradients) Gradients(TransformerModel model, bool recompute, bool whole)
    {
        var random = Seeds.NewRandom();
        int[] tokens = [.. Enumerable.Range(0, Batch * Tokens).Select(_ => random.Next(model.Config.VocabularySize))],
            targets = [.. tokens.Skip(1), 0];
        foreach (var (spec, parameter) in model.Specs.Zip(model.Parameters))
        {
            float[] values = new float[spec.Shape.Count];
            bool isVector = spec.Shape.Rank == 1;
            foreach (ref float value in values.AsSpan())
                value = (random.NextSingle() - 0.5f) * 0.5f + (isVector ? 0.8f : 0);
            model.Engine.Upload(spec.Slice?.Take(values, spec.Shape) ?? values, parameter.Value);
        }
        model.RefreshShadows();
        model.ZeroGradients();
        using var tape = new Tape(model.Engine, recompute: recompute, activationType: model.ActivationType);
        var losses = model.Loss(tape, tokens, targets, Batch);
        tape.Backward(losses, 1f / tokens.Length);
        double loss = model.Engine.ToArray(losses.Value).Average(x => (double)x);
        tape.Reset();
        return (loss, whole ? [.. model.Specs.Zip(model.Parameters, (spec, parameter) =>
            model.Whole(spec, model.Engine.ToArray(parameter.Gradient!)))] : []);
    }

    private static T[] OnRanks<T>(TransformerConfig config, int ranks, ElementType? type,
        Func<TransformerModel, ICollective, T> body, ulong seed = 1)
    {
        var results = new ConcurrentDictionary<int, T>();
        MemoryRanks.Run(ranks, connection =>
        {
            using var engine = new CpuEngine(new CpuOptions { Threads = 1 });
            using var group = connection.CreateCollective(engine);
            using var model = new TransformerModel(engine, config, seed, activationType: type, tensorRanks: group);
            results[connection.Rank] = body(model, group);
        });
        return [.. Enumerable.Range(0, ranks).Select(rank => results[rank])];
    }
}
