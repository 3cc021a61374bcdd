using S2ILGPU.Autograd;
using S2ILGPU.Cpu;
using S2ILGPU.Distributed;
using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Models;

/// <summary>Ranks that share sequences compute what one process computes.</summary>
public sealed class ContextShardTests
{
    private const int Tokens = 150, Batch = 2;

    private static readonly TransformerConfig s_config = new()
    {
        VocabularySize = 97,
        Dim = 24,
        Layers = 3,
        QueryHeads = 4,
        KeyValueHeads = 2,
        HeadDim = 8,
        FeedForwardDim = 40,
        ContextTokens = 160,
        Attention = AttentionPlan.FirstDense(3, 1,
            new LocalStrideAttention { BlockTokens = 16, LocalBlocks = 1, VerticalStride = 3 }),
    };

    private readonly Random _random = Seeds.NewRandom();

    [Theory]
    [InlineData(2, 1, ContextScheme.KeptBlocks)]
    [InlineData(4, 1, ContextScheme.KeptBlocks)]
    [InlineData(2, 2, ContextScheme.KeptBlocks)]
    [InlineData(4, 1, ContextScheme.AllGather)]
    [InlineData(2, 2, ContextScheme.AllGather)]
    public void Loss_and_every_gradient_are_those_of_one_process(int context, int tensor, ContextScheme scheme)
    {
        bool recompute = _random.Next(2) == 0;
        int[] tokens = [.. Enumerable.Range(0, Batch * (Tokens + 1))
            .Select(_ => _random.Next(s_config.VocabularySize))];
        int seed = _random.Next();
        var (loss, expected) = Alone(tokens, seed, recompute);
        MemoryRanks.Run(context * tensor, connection =>
        {
            using var engine = new CpuEngine(new CpuOptions { Threads = 1 });
            using var ranks = connection.CreateCollective(engine);
            using var groups = new RankGroups(ranks, engine, tensor, context);
            using var model = new TransformerModel(engine, s_config, tensorRanks: groups.TensorGroup);
            Fill(model, seed);
            var shard = new ContextParallel(groups.ContextGroup!, model, scheme);
            using var tape = new Tape(engine, recompute: recompute);
            var (inputs, targets) = Rows(tokens, shard.Positions(Tokens));
            var losses = model.ShardLoss(tape, inputs, targets, Batch, shard, Tokens);
            tape.Backward(losses, 1f / (Batch * Tokens));
            using var sum = engine.FromArray([engine.ToArray(losses.Value).Sum()]);
            groups.ContextGroup!.AllReduce(sum).Wait();
            Assert.Equal(loss, engine.ToArray(sum)[0] / (Batch * Tokens), 1e-5);
            for (int p = 0; p < expected.Length; p++)
            {
                groups.ContextGroup.AllReduce(model.Parameters[p].Gradient!).Wait();
                float[] actual = model.Whole(model.Specs[p], engine.ToArray(model.Parameters[p].Gradient!));
                var worst = MaximumError.Of([.. expected[p].Select(x => (double)x)],
                    [.. actual.Select(x => (double)x)], isRelative: true);
                Assert.True(worst.Error <= 1e-5, $"{model.Specs[p].Name} of {context} x {tensor} ranks: {worst}; "
                    + Seeds.Text);
            }
            tape.Reset();
        });
    }

    private static (double Loss, float[][] Gradients) Alone(int[] tokens, int seed, bool recompute)
    {
        using var engine = new CpuEngine();
        using var model = new TransformerModel(engine, s_config);
        Fill(model, seed);
        using var tape = new Tape(engine, recompute: recompute);
        var (inputs, targets) = Rows(tokens, [.. Enumerable.Range(0, Tokens)]);
        var losses = model.Loss(tape, inputs, targets, Batch);
        tape.Backward(losses, 1f / inputs.Length);
        double loss = engine.ToArray(losses.Value).Average(x => (double)x);
        float[][] gradients = [.. model.Parameters.Select(parameter => engine.ToArray(parameter.Gradient!))];
        tape.Reset();
        return (loss, gradients);
    }

    private static (int[] Inputs, int[] Targets) Rows(int[] tokens, int[] positions)
    {
        int[] At(int offset) => [.. Enumerable.Range(0, Batch).SelectMany(b =>
            positions.Select(position => tokens[b * (Tokens + 1) + position + offset]))];
        return (At(0), At(1));
    }

    // Large enough for attention to matter; the same on every rank.
    private static void Fill(TransformerModel model, int seed)
    {
        var random = new Random(seed);
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
    }
}
