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

/// <summary>Ranks that share a step train as one does.</summary>
public sealed class DataParallelTests
{
    private static readonly TrainingOptions s_options = TinyTraining.Options with { AccumulationSteps = 6,
        BatchSequences = 1, Steps = 8 };

    [Theory]
    [InlineData(2, null, false, 1000)]
    [InlineData(3, null, true, 7001)]
    [InlineData(2, ElementType.BFloat16, false, 1 << 20)]
    public void Ranks_that_share_a_step_follow_one(int ranks, ElementType? activations, bool recompute, int bucket)
    {
        var options = s_options with { ActivationType = activations, Recompute = recompute };
        using var one = new TinyTraining(options);
        var expected = one.Finish();
        var runs = OnRanks(ranks, options, bucket, run => (Steps: run.Finish(), Parameters: run.Parameters()));
        var again = OnRanks(ranks, options, bucket, run => (Steps: run.Finish(), Parameters: run.Parameters()));
        double most = activations is null ? 1e-5 : 2e-3; // rounded to 8 bits on the way
        Assert.Equal(expected[0].Loss, runs[0].Steps[0].Loss, 1e-12); // the same windows, before any update
        foreach (var (a, b) in expected.Zip(runs[0].Steps))
        {
            Assert.Equal(a.Loss, b.Loss, most);
            Assert.Equal(a.ValidationLoss ?? 0, b.ValidationLoss ?? 0, most);
        }
        Assert.Equal(options.Steps, runs[0].Steps.Count);
        Assert.All(runs.Concat(again), run => Assert.Equal(runs[0].Parameters, run.Parameters));
        Assert.All(runs, run => Assert.Equal(runs[0].Steps.Select(s => (s.Loss, s.ValidationLoss, s.GradientNorm)),
            run.Steps.Select(s => (s.Loss, s.ValidationLoss, s.GradientNorm))));
    }

    [Fact]
    public void More_ranks_than_micro_batches_are_refused()
    {
        var failure = Assert.Throws<RankFailedException>(() => OnRanks(4, s_options, 1000, run => 0));
        Assert.Contains("AccumulationSteps 6 is not a multiple of the 4 ranks", failure.Message);
    }

    // Gradients, moments, norms, losses: each is summed in one order, whoever has the terms.
    [Theory]
    [InlineData(2, null, false, 1000)]
    [InlineData(2, ElementType.BFloat16, true, 1 << 20)]
    [InlineData(3, null, true, 7001)]
    [InlineData(4, null, false, 1 << 20)]
    public void Ranks_with_a_micro_batch_each_have_the_bits_of_one_process(int ranks, ElementType? activations,
        bool recompute, int bucket)
    {
        var options = s_options with { AccumulationSteps = ranks, Steps = 30, ActivationType = activations,
            Recompute = recompute };
        using var one = new TinyTraining(options, bucketElements: bucket);
        var (expected, parameters) = Run(one);
        foreach (var actual in OnRanks(ranks, options, bucket, Run))
        {
            Assert.Equal(expected, actual.Steps);
            Assert.Equal(parameters, actual.Parameters);
        }

        static (IEnumerable<(double, double, double?)> Steps, float[] Parameters) Run(TinyTraining run) =>
            (run.Finish().Select(s => (s.Loss, s.GradientNorm, s.ValidationLoss)).ToArray(), run.Parameters());
    }

    [Theory]
    [InlineData(1, 2)]
    [InlineData(3, 1)]
    [InlineData(2, 3)]
    public void A_run_continues_on_another_number_of_ranks(int before, int after)
    {
        using var folder = new TemporaryFolder();
        string state = folder["state"], copy = folder["copy"];
        using var whole = new TinyTraining(s_options);
        var expected = whole.Finish();
        OnRanks(before, s_options, 5000, run =>
        {
            for (int i = 0; i < 5; i++)
                run.Trainer.RunStep();
            TrainingState.Save(state, run.Trainer);
            return 0;
        });
        var resumed = OnRanks(after, TrainingState.ReadOptions(state), 3000, run =>
        {
            TrainingState.Restore(state, run.Trainer);
            TrainingState.Save(copy, run.Trainer);
            return run.Finish();
        })[0];
        Assert.Equal(File.ReadAllBytes(state), File.ReadAllBytes(copy));
        Assert.Equal(expected.Skip(5).Select(s => s.Step), resumed.Select(s => s.Step));
        foreach (var (a, b) in expected.Skip(5).Zip(resumed))
            Assert.Equal(a.Loss, b.Loss, 1e-5);
    }

    [Fact]
    public void One_cancelled_rank_stops_all_before_a_parameter_changes()
    {
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        OnRanks(2, s_options, 1000, run =>
        {
            float[] before = run.Parameters();
            var token = run.Trainer.Parallel!.Ranks.Rank == 1 ? cancelled.Token : CancellationToken.None;
            Assert.Throws<RanksCancelledException>(() => run.Trainer.RunStep(token));
            Assert.Equal(before, run.Parameters());
            Assert.Equal(0, run.Trainer.CompletedSteps);
            run.Trainer.RunStep();
            return 0;
        });
    }

    [Fact]
    public void Ranks_with_another_setup_are_refused_by_the_field()
    {
        var config = TinyTraining.Config;
        Assert.Equal("rank 1 has LearningRate 0.5 where rank 0 has LearningRate 0.01: all ranks of a run need the same",
            Refusal(rank => s_options with { LearningRate = rank == 1 ? 0.5f : 0.01f }, _ => config));
        Assert.Contains("rank 2 has intermediate_size 96 where rank 0 has intermediate_size 64",
            Refusal(_ => s_options, rank => rank == 2 ? config with { FeedForwardDim = 96 } : config));
        Assert.Contains("rank 1 has data ",
            Refusal(_ => s_options, _ => config, text: rank => rank == 1 ? "b " : "a "));
    }

    [Fact]
    public void Buckets_start_during_the_backward_walk_and_hold_every_element_once()
    {
        using var run = new TinyTraining(s_options);
        var counts = run.Trainer.Model.Parameters.Select(p => p.Value.Count).ToArray();
        var buckets = BucketPiece.Cut(counts, 1000);
        Assert.All(buckets.SkipLast(1), bucket => Assert.Equal(1000, bucket.Sum(piece => piece.Count)));
        for (int p = 0; p < counts.Length; p++)
        {
            int next = 0;
            foreach (var piece in buckets.SelectMany(bucket => bucket).Where(piece => piece.Parameter == p))
            {
                Assert.Equal(next, piece.Start);
                next += piece.Count;
            }
            Assert.Equal(counts[p], next);
        }
        var early = OnRanks(2, s_options with { AccumulationSteps = 2 }, 1000, ranked =>
        {
            ranked.Trainer.RunStep(); // counts what a walk writes
            int first = ranked.Trainer.Parallel!.StartedInWalk;
            ranked.Trainer.RunStep();
            return (first, second: ranked.Trainer.Parallel!.StartedInWalk);
        });
        Assert.All(early, started => Assert.Equal((0, buckets.Count), started));
    }

    private static string Refusal(Func<int, TrainingOptions> options, Func<int, TransformerConfig> config,
        Func<int, string>? text = null) =>
        Assert.Throws<RanksDifferException>(() => MemoryRanks.Run(3, connection =>
        {
            using var engine = new CpuEngine(new CpuOptions { Threads = 1 });
            using var ranks = connection.CreateCollective(engine);
            using var run = new TinyTraining(options(ranks.Rank), config: config(ranks.Rank), engine: engine,
                ranks: ranks, text: text?.Invoke(ranks.Rank) ?? "some text, more text ");
        })).Message;

    // Other initial weights on each rank: all must come from rank 0.
    private static T[] OnRanks<T>(int ranks, TrainingOptions options, int bucketElements, Func<TinyTraining, T> body)
    {
        var results = new ConcurrentDictionary<int, T>();
        MemoryRanks.Run(ranks, connection =>
        {
            var engine = new CpuEngine(new CpuOptions { Threads = 1 });
            using var collective = connection.CreateCollective(engine);
            using var run = new TinyTraining(options, seed: 1 + (ulong)connection.Rank, engine: engine,
                ranks: collective, bucketElements: bucketElements);
            results[connection.Rank] = body(run);
        });
        return [.. Enumerable.Range(0, ranks).Select(rank => results[rank])];
    }
}
