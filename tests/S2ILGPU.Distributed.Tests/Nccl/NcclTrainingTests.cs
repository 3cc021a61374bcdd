using S2ILGPU.Collectives;
using S2ILGPU.Corpora;
using S2ILGPU.Distributed.Hosts;
using S2ILGPU.Distributed.Nccl;
using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.Patterns;
using S2ILGPU.TestSupport;
using S2ILGPU.Tokenizers;
using S2ILGPU.Training;
using Xunit;

namespace S2ILGPU.Distributed.Tests.Nccl;

/// <summary>Training with exchanges between devices has the bits of training through the host.</summary>
[Collection(nameof(NcclDouble))]
public sealed class NcclTrainingTests
{
    private static readonly TransformerConfig s_config = new()
    {
        VocabularySize = 260,
        Dim = 16,
        Layers = 1,
        QueryHeads = 2,
        KeyValueHeads = 2,
        HeadDim = 8,
        FeedForwardDim = 16,
        ContextTokens = 64,
        Attention = new AttentionPlan(
            new LocalStrideAttention { BlockTokens = 16, LocalBlocks = 1, VerticalStride = 2 }),
    };

    private static readonly TrainingOptions s_options = new()
    {
        Steps = 2,
        BatchSequences = 1,
        ContextTokens = 64,
        AccumulationSteps = 2,
        LearningRate = 1e-2f,
        WarmupSteps = 0,
        ValidationSequences = 1,
    };

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 1)]
    [InlineData(1, 2)]
    public void Training_has_the_bits_of_the_host(int tensorRanks, int contextRanks)
    {
        var library = NcclDouble.Get().Library;
        TestScale.SkipUnlessDrawn(3);
        var data = Data();
        float[] host = Train(data, tensorRanks, contextRanks, host => host),
            devices = Train(data, tensorRanks, contextRanks, host => new NcclCollective(library, host));
        Assert.Equal(host, devices);
        Assert.NotEqual(host[0], host[1]); // losses: something was learnt
    }

    private static TokenDataset Data()
    {
        using var folder = new TemporaryFolder();
        var random = Seeds.NewRandom();
        var corpus = Corpus.Read([folder.Write("text", string.Concat(Enumerable.Range(0, 900)
            .Select(_ => (char)random.Next('a', 'e'))))]);
        return TokenDataset.Create(BytePairTrainer.Train(corpus, s_config.VocabularySize), corpus);
    }

    // Losses, norms and parameters of rank 0.
    private static float[] Train(TokenDataset data, int tensorRanks, int contextRanks,
        Func<HostCollective, ICollective> over)
    {
        var numbers = new List<float>();
        MemoryRanks.Run(2, connection =>
        {
            using var engine = Engine.Create("ilgpu-cpu");
            using var ranks = over(new HostCollective(engine, connection.Messages));
            using var groups = new RankGroups(ranks, engine, tensorRanks, contextRanks);
            using var model = new TransformerModel(engine, s_config, 3, tensorRanks: groups.TensorGroup);
            using var trainer = new Trainer(model, data, data, s_options, ranks,
                groups.ContextGroup is { } context ? new ContextParallel(context, model) : null);
            TrainingStep[] steps = [trainer.RunStep(), trainer.RunStep()];
            if (connection.Rank == 0)
                numbers.AddRange([.. steps.Select(step => (float)step.Loss),
                    .. steps.Select(step => (float)step.GradientNorm),
                    .. model.Parameters.SelectMany(parameter => engine.ToArray(parameter.Value))]);
        });
        return [.. numbers];
    }
}
