using System.Collections.Concurrent;
using S2ILGPU.Collectives;
using S2ILGPU.Cpu;
using S2ILGPU.Distributed;
using S2ILGPU.Models;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using S2ILGPU.Training;
using Xunit;

namespace S2ILGPU.Core.Tests.Training;

/// <summary>Ranks that share layers, in grids with ranks that share sequences and micro-batches, train as one process
/// does.</summary>
public sealed class TensorParallelTests
{
    private static readonly TransformerConfig s_config = TinyTraining.Config with { QueryHeads = 8, KeyValueHeads = 4 };

    private static readonly TrainingOptions s_options = TinyTraining.Options with { AccumulationSteps = 2,
        BatchSequences = 1, Steps = 50, LearningRate = 1e-3f, ValidationInterval = 20 };

    private static readonly ulong s_seed = (ulong)Seeds.Current; // of the initial weights

    [Theory]
    [InlineData(2, 2, 1, null, false)]
    [InlineData(4, 4, 1, null, true)]
    [InlineData(4, 2, 1, null, false)]
    [InlineData(4, 2, 2, null, false)]
    [InlineData(2, 2, 1, ElementType.BFloat16, false)]
    public void A_grid_follows_one_process(int ranks, int tensor, int context, ElementType? activations,
        bool recompute)
    {
        TestScale.SkipUnlessDrawn(6);
        var options = s_options with { ActivationType = activations, Recompute = recompute };
        using var one = new TinyTraining(options, seed: s_seed, config: s_config);
        var expected = one.Finish();
        var actual = OnGrid(ranks, tensor, context, options, run => run.Finish());
        double most = activations is null ? 1e-5 : 5e-3;
        foreach (var (a, b) in expected.Zip(actual[0]))
        {
            Assert.True(Math.Abs(a.Loss - b.Loss) <= most, $"step {a.Step}: {a.Loss}, {b.Loss}; {Seeds.Text}");
            Assert.Equal(a.GradientNorm, b.GradientNorm, 10 * most * Math.Max(1, a.GradientNorm));
            Assert.Equal(a.ValidationLoss ?? 0, b.ValidationLoss ?? 0, most);
        }
        Assert.Equal(options.Steps, actual[0].Count);
        Assert.All(actual, steps => Assert.Equal(actual[0].Select(s => (s.Loss, s.GradientNorm, s.ValidationLoss)),
            steps.Select(s => (s.Loss, s.GradientNorm, s.ValidationLoss))));
    }

    [Fact]
    public void A_run_continues_on_any_grid()
    {
        using var folder = new TemporaryFolder();
        string state = folder["state"];
        var options = s_options with { Steps = 8 };
        using var whole = new TinyTraining(options, seed: s_seed, config: s_config);
        var expected = whole.Finish();
        OnGrid(4, 2, 1, options, run =>
        {
            for (int i = 0; i < 4; i++)
                run.Trainer.RunStep();
            TrainingState.Save(state, run.Trainer);
            return 0;
        });
        foreach (var (ranks, tensor, context) in new[] { (1, 1, 1), (4, 4, 1), (4, 2, 2), (2, 1, 1) })
        {
            string copy = folder[$"copy-{tensor}-{context}-{ranks}"];
            var resumed = OnGrid(ranks, tensor, context, TrainingState.ReadOptions(state), run =>
            {
                TrainingState.Restore(state, run.Trainer);
                TrainingState.Save(copy, run.Trainer);
                return run.Finish();
            })[0];
            Assert.Equal(File.ReadAllBytes(state), File.ReadAllBytes(copy));
            foreach (var (a, b) in expected.Skip(4).Zip(resumed))
                Assert.Equal(a.Loss, b.Loss, 1e-5);
        }
    }

    [Fact]
    public void One_cancelled_rank_stops_those_that_share_its_layers()
    {
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        OnGrid(2, 2, 1, s_options, run =>
        {
            var token = run.Trainer.Parallel!.All.Rank == 1 ? cancelled.Token : CancellationToken.None;
            Assert.Throws<RanksCancelledException>(() => run.Trainer.RunStep(token));
            Assert.Equal(0, run.Trainer.CompletedSteps);
            run.Trainer.RunStep();
            return 0;
        });
    }

    [Fact]
    public void Grids_that_do_not_fit_are_refused()
    {
        Assert.Contains("2 ranks that share layers times 2 that share sequences do not divide 6 ranks",
            Refusal<RankFailedException>(6, _ => 2, 2));
        Assert.Equal("rank 1 has a grid of 1 tensor x 1 context parallel where rank 0 has 2 x 1: all ranks of a run "
            + "need the same", Refusal<RanksDifferException>(2, rank => rank == 0 ? 2 : 1, 1));

        static string Refusal<T>(int ranks, Func<int, int> tensor, int context) where T : Exception =>
            Assert.Throws<T>(() => MemoryRanks.Run(ranks, connection =>
            {
                using var engine = new CpuEngine(new CpuOptions { Threads = 1 });
                using var all = connection.CreateCollective(engine);
                new RankGroups(all, engine, tensor(all.Rank), context).Dispose();
            })).Message;
    }

    private static T[] OnGrid<T>(int ranks, int tensor, int context, TrainingOptions options,
        Func<TinyTraining, T> body)
    {
        var results = new ConcurrentDictionary<int, T>();
        MemoryRanks.Run(ranks, connection =>
        {
            var engine = new CpuEngine(new CpuOptions { Threads = 1 });
            using var all = connection.CreateCollective(engine);
            using var groups = new RankGroups(all, engine, tensor, context);
            using var run = new TinyTraining(options, seed: s_seed, config: s_config, engine: engine, ranks: all,
                groups: groups);
            results[connection.Rank] = body(run);
        });
        return [.. Enumerable.Range(0, ranks).Select(rank => results[rank])];
    }
}
