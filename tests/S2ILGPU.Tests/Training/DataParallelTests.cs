using S2ILGPU.Corpora;
using S2ILGPU.Distributed;
using S2ILGPU.Models;
using S2ILGPU.Patterns;
using S2ILGPU.TestSupport;
using S2ILGPU.Tokenizers;
using S2ILGPU.Training;
using Xunit;

namespace S2ILGPU.Tests.Training;

/// <summary>Ranks on two emulated devices train as one device does.</summary>
public sealed class DataParallelTests
{
    private static readonly TransformerConfig s_config = new()
    {
        VocabularySize = 260,
        Dim = 16,
        Layers = 1,
        QueryHeads = 2,
        KeyValueHeads = 1,
        HeadDim = 8,
        FeedForwardDim = 16,
        ContextTokens = 32,
        Attention = new AttentionPlan(
            new LocalStrideAttention { BlockTokens = 16, LocalBlocks = 1, VerticalStride = 2 }),
    };

    private static readonly TrainingOptions s_options = new()
    {
        Steps = 2,
        BatchSequences = 1,
        ContextTokens = 20,
        AccumulationSteps = 2,
        LearningRate = 1e-2f,
        WarmupSteps = 0,
        ValidationSequences = 1,
    };

    [Fact]
    public void Two_devices_follow_one()
    {
        TestScale.SkipUnlessDrawn(12);
        int seed = Seeds.NewRandom().Next();
        List<TrainingStep> expected = Train(seed, 1), actual = Train(seed, 2);
        Assert.Equal(s_options.Steps, actual.Count);
        foreach (var (one, two) in expected.Zip(actual))
        {
            Assert.Equal(one.Loss, two.Loss, 1e-5);
            Assert.Equal(one.GradientNorm, two.GradientNorm, 1e-5 * Math.Max(1, one.GradientNorm));
        }
        Assert.NotEqual(actual[0].Loss, actual[^1].Loss);
    }

    private static List<TrainingStep> Train(int seed, int devices)
    {
        var random = new Random(seed);
        string path = Path.GetTempFileName();
        File.WriteAllText(path, string.Concat(Enumerable.Range(0, 400).Select(_ => (char)random.Next('a', 'e'))));
        var corpus = Corpus.Read([path]);
        File.Delete(path);
        var data = TokenDataset.Create(BytePairTrainer.Train(corpus, s_config.VocabularySize), corpus);
        var steps = new List<TrainingStep>();
        MemoryRanks.Run(devices, connection =>
        {
            using var engine = Emulated.Create();
            using var ranks = connection.CreateCollective(engine);
            using var model = new TransformerModel(engine, s_config, (ulong)connection.Rank + 1);
            using var trainer = new Trainer(model, data, data, s_options, ranks);
            while (!trainer.IsFinished)
                if (trainer.RunStep() is var step && connection.Rank == 0)
                    steps.Add(step);
        });
        return steps;
    }
}
