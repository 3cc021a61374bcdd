using S2ILGPU.Cli.Simulation.Tracing;
using S2ILGPU.Cli.Training;
using S2ILGPU.Cpu;
using S2ILGPU.Distributed;
using S2ILGPU.Models;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using S2ILGPU.Training;
using Xunit;

namespace S2ILGPU.Cli.Tests.Simulation;

/// <summary>The bytes that are counted without computing are those that engines of real ranks hold.</summary>
public sealed class RankMemoryTests
{
    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(2, 1, 1)]
    [InlineData(1, 2, 1)]
    [InlineData(1, 1, 2)]
    [InlineData(1, 2, 2)]
    public void Counted_bytes_are_those_of_real_ranks(int data, int context, int tensor)
    {
        var random = Seeds.NewRandom();
        var grid = new RankGrid(data * context * tensor, tensor, context);
        var run = new TrainingShape(RandomModel(random), new TrainingOptions
        {
            Steps = 10,
            ValidationInterval = 0,
            ContextTokens = 16 * random.Next(4, 9),
            BatchSequences = random.Next(1, 3),
            AccumulationSteps = data * random.Next(1, 3),
            Recompute = random.Next(2) == 0,
            ActivationType = random.Next(2) == 0 ? ElementType.BFloat16 : null,
        }, grid);
        MemoryRanks.Run(grid.Ranks, connection =>
        {
            using var engine = new CpuEngine(new CpuOptions { Threads = 1 });
            using var ranks = connection.CreateCollective(engine);
            using var groups = new RankGroups(ranks, engine, tensor, context);
            using var training = new RankTraining(run, engine, ranks, groups.ContextGroup, groups.TensorGroup, seed: 1);
            training.Step();
            training.Step();
            var counted = RankTrace.Of(run, connection.Rank).Memory;
            Assert.Equal(training.Memory(counted.Fetched), counted);
            Assert.Equal(engine.PeakBytes, counted.Total);
            Assert.True(context > 1 || counted.Fetched == 0);
        });
    }

    private static TransformerConfig RandomModel(Random random) => new TransformerConfig
    {
        VocabularySize = 300 + random.Next(200),
        Dim = 8 * random.Next(2, 6),
        Layers = random.Next(1, 4),
        QueryHeads = 4,
        KeyValueHeads = 2,
        HeadDim = 8 * random.Next(1, 4),
        FeedForwardDim = 2 * random.Next(10, 40),
        ContextTokens = 128,
        Attention = new AttentionPlan(new LocalStrideAttention
        {
            BlockTokens = 16,
            LocalBlocks = random.Next(1, 3),
            VerticalStride = random.Next(1, 4),
            Stripes = new StripeOptions { SlideByQueryHead = random.Next(2) == 0 },
        }),
    }.Validate();
}
