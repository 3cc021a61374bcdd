using System.Collections.Concurrent;
using S2ILGPU.Collectives;
using S2ILGPU.Corpora;
using S2ILGPU.Cpu;
using S2ILGPU.Models;
using S2ILGPU.Ops;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using S2ILGPU.Tokenizers;
using S2ILGPU.Training;
using Xunit;

namespace S2ILGPU.Distributed.Tests.Context;

/// <summary>Ranks that share sequences train as one process does.</summary>
public sealed class ContextParallelTests
{
    private static readonly TransformerConfig s_config = new()
    {
        VocabularySize = 280,
        Dim = 32,
        Layers = 3,
        QueryHeads = 4,
        KeyValueHeads = 2,
        HeadDim = 8,
        FeedForwardDim = 48,
        ContextTokens = 160,
        // The angles are those of the whole sequence, not of the part that a rank has.
        RopeScaling = new DynamicScaling(2, 80),
        Attention = AttentionPlan.FirstDense(3, 1,
            new LocalStrideAttention { BlockTokens = 16, LocalBlocks = 1, VerticalStride = 3 }),
    };

    // At a rate of 1e-2 training is at the edge of stability, where any rounding grows.
    private static readonly TrainingOptions s_options = new() { Steps = TestScale.IsFull ? 50 : 5, BatchSequences = 2,
        AccumulationSteps = 2, ContextTokens = 150, LearningRate = 2e-3f, WarmupSteps = 0, ValidationInterval = 2,
        ValidationSequences = 3 };

    [Theory]
    [InlineData(2, 2, null, false)]
    [InlineData(3, 3, null, true)]
    [InlineData(4, 2, null, false)]
    [InlineData(4, 4, null, false)]
    [InlineData(2, 2, ElementType.BFloat16, false)]
    public void A_grid_follows_one_process(int ranks, int context, ElementType? activations, bool recompute)
    {
        // Roundings to 16 bits grow with the steps, past any bound that would show a fault.
        var options = s_options with { ActivationType = activations, Recompute = recompute,
            Steps = activations is null ? s_options.Steps : 5 };
        var (training, validation) = Data();
        var expected = Train(1, 1)[0];
        var actual = Train(ranks, context);
        double most = activations is null ? 1e-5 : 1e-3;
        Assert.Equal(options.Steps, actual[0].Count);
        foreach (var (a, b) in expected.Zip(actual[0]))
        {
            AssertNear(a.Loss, b.Loss, most);
            AssertNear(a.GradientNorm, b.GradientNorm, most * Math.Max(1, a.GradientNorm) * 4);
            AssertNear(a.ValidationLoss ?? 0, b.ValidationLoss ?? 0, most);
        }
        Assert.True(expected[^1].Loss < expected[0].Loss);
        Assert.All(actual, steps => Assert.Equal(actual[0].Select(s => (s.Loss, s.GradientNorm)),
            steps.Select(s => (s.Loss, s.GradientNorm))));

        List<TrainingStep>[] Train(int size, int together)
        {
            var steps = new ConcurrentDictionary<int, List<TrainingStep>>();
            MemoryRanks.Run(size, connection =>
            {
                using var engine = new CpuEngine(new CpuOptions { Threads = 1 });
                using var all = connection.CreateCollective(engine);
                using var group = all.Split(all.Rank / together, all.Rank);
                using var model = new TransformerModel(engine, s_config, activationType: activations);
                using var trainer = new Trainer(model, training, validation, options, all,
                    together > 1 ? new ContextParallel(group, model) : null);
                var own = steps[all.Rank] = [];
                while (!trainer.IsFinished)
                    own.Add(trainer.RunStep());
            });
            return [.. Enumerable.Range(0, size).Select(rank => steps[rank])];
        }
    }

    [Fact]
    public void Ranks_that_send_different_keys_are_refused()
    {
        var (training, validation) = Data();
        Assert.StartsWith("rank 1 has context exchange of AllGather where rank 0 has context exchange of KeptBlocks",
            Assert.Throws<RanksDifferException>(() => MemoryRanks.Run(2, connection =>
            {
                using var engine = new CpuEngine(new CpuOptions { Threads = 1 });
                using var all = connection.CreateCollective(engine);
                using var model = new TransformerModel(engine, s_config);
                new Trainer(model, training, validation, s_options, all, new ContextParallel(all, model,
                    all.Rank == 0 ? ContextScheme.KeptBlocks : ContextScheme.AllGather)).Dispose();
            })).Message);
    }

    private static void AssertNear(double expected, double actual, double most) =>
        Assert.True(Math.Abs(expected - actual) <= most, $"{expected}, {actual}; {Seeds.Text}");

    private static (TokenDataset Training, TokenDataset Validation) Data()
    {
        using var folder = new TemporaryFolder();
        var random = Seeds.NewRandom();
        string[] words = ["the ", "fox ", "jumps ", "over ", "lazy ", "dog, ", "again ", "and "];
        string path = folder.Write("text",
            string.Concat(Enumerable.Range(0, 3000).Select(i => i % 5 == 4 ? random.Pick(words) : words[i % 7])));
        var (training, validation) = Corpus.Read([path]).Split();
        var tokenizer = BytePairTrainer.Train(training, s_config.VocabularySize);
        return (TokenDataset.Create(tokenizer, training), TokenDataset.Create(tokenizer, validation));
    }
}
