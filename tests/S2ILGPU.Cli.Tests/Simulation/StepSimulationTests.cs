using S2ILGPU.Cli.Simulation;
using S2ILGPU.Cli.Simulation.Calibration;
using S2ILGPU.Cli.Simulation.Tracing;
using S2ILGPU.Cli.Training;
using S2ILGPU.Distributed;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Cli.Tests.Simulation;

/// <summary>Simulated steps against arithmetic.</summary>
public sealed class StepSimulationTests
{
    private const double PerMessage = 1e-5, PerByte = 1e-9;

    private static readonly RankMemory s_nothing = new(0, 0, 0, 0, 0);

    [Fact]
    public void A_sum_over_a_ring_takes_its_closed_form()
    {
        var random = Seeds.NewRandom();
        int ranks = random.Next(2, 2000);
        double elements = random.Next(1, 1 << 24), sent = 2.0 * (ranks - 1) / ranks * 4 * elements;
        var step = StepSimulation.Run(Costs(0, overlap: 1), new RankGrid(ranks, 1, 1), [Trace([
            new Begin(RankGroup.All, CollectiveKind.AllReduce, 0, sent, sent), new Await(RankGroup.All, 0)])]);
        Near(2 * (ranks - 1) * (PerMessage + elements * 4 / ranks * PerByte), step.Seconds);
        Near(sent, Assert.Single(step.SentBytes));
    }

    // The exchange goes on while the rank computes; what does not overlap comes when it waits.
    [Theory]
    [InlineData(1.0, 5.0)]
    [InlineData(0.5, 6.5)]
    [InlineData(0.0, 8.0)]
    public void Exchanges_overlap_with_computing(double overlap, double expected)
    {
        const double Bytes = 3 / PerByte;
        var costs = Costs(0, overlap) with { Transports = [Transport(overlap, perMessage: 0)] };
        var step = StepSimulation.Run(costs, new RankGrid(2, 1, 1), [Trace([
            new Begin(RankGroup.All, CollectiveKind.AllToAll, 0, Bytes, Bytes), Work(5),
            new Await(RankGroup.All, 0)])]);
        Near(expected, step.Seconds);
        Near(step.Seconds, step.Parts.Sum(part => part.Seconds));
    }

    [Fact]
    public void Ranks_wait_for_the_last_one()
    {
        var late = Trace([Work(7), new Begin(RankGroup.Context, CollectiveKind.AllToAll, 0, 0, 0),
            new Await(RankGroup.Context, 0)]);
        var early = Trace([Work(2), new Begin(RankGroup.Context, CollectiveKind.AllToAll, 0, 0, 0),
            new Await(RankGroup.Context, 0), Work(1)]);
        var step = StepSimulation.Run(Costs(0, overlap: 1), new RankGrid(2, 1, 2), [late, early]);
        Near(8 + PerMessage, step.Seconds);
        Near(5 + PerMessage, step.Parts.Single(part => part.Name == StepForecast.Exchanges).Seconds);
        Near(10, step.ProcessorSeconds);
    }

    // 3 and 1 seconds of work of each of 4 ranks on 2 processors.
    [Fact]
    public void Ranks_share_processors()
    {
        RankTrace[] traces = [Trace([Work(3)]), Trace([Work(1)]), Trace([Work(3)]), Trace([Work(1)])];
        var grid = new RankGrid(4, 1, 4);
        // 4 ranks at half speed until the short ones are done, then 2 ranks at full speed.
        Near(2 + 2, StepSimulation.Run(Costs(2, overlap: 0), grid, traces).Seconds);
        Near(8, StepSimulation.Run(Costs(2, overlap: 0), grid, traces).ProcessorSeconds);
        var contended = Costs(2, overlap: 0) with { Contention = [1, 1.5] };
        Near(1.5 * 4, StepSimulation.Run(contended, grid, traces).Seconds);
    }

    // 5 seconds of work took 7.5 of a processor, and with those of other programs 9 on the clock: so does the work
    // before the exchange, which takes a second more.
    [Fact]
    public void Ranks_side_by_side_say_how_fast_a_step_is()
    {
        var costs = Costs(2, overlap: 0) with { Transports = [Transport(0, perMessage: 1)] };
        var trace = Trace([Work(5), new Begin(RankGroup.All, CollectiveKind.AllGather, 0, 0, 0),
            new Await(RankGroup.All, 0)]);
        var prediction = new StepPrediction(costs, new RankGrid(2, 1, 1), [trace], [Trace([Work(5)])]);
        var step = prediction.Of(new RankTime(Seconds: 9, ProcessorSeconds: 2 * 7.5));
        Near(8.5 * 9 / 7.5, step.Seconds);
        Near(2 * 8.5, step.ProcessorSeconds);
    }

    // The trainer fills in what the others would send, and nothing else is left out.
    [Fact]
    public void Ranks_without_others_do_the_same_operations()
    {
        var run = TrainingShape.Of(TrainingPreset.Find("tiny"), "s2", new RankGrid(4, Tensor: 2, Context: 2),
            microBatches: 1);
        var alone = RankTrace.WithoutOthers(run, rank: 3).Instructions;
        var together = RankTrace.Of(run, rank: 3).Instructions.OfType<Compute>().ToArray();
        Assert.All(alone, instruction => Assert.IsType<Compute>(instruction));
        string[] filling = ["Copy", "Fill"];
        Assert.Equal(together.Where(c => !filling.Contains(c.Operation.Name)), alone.Cast<Compute>()
            .Where(c => !filling.Contains(c.Operation.Name)));
        Assert.True(alone.Count > together.Length);
    }

    [Fact]
    public void A_group_uses_the_nearest_transport()
    {
        var costs = Costs(0, overlap: 1) with
        {
            Transports = [Transport(1, perMessage: 1) with { Ranks = 8 }, Transport(1, perMessage: 100)],
        };
        var near = Trace([new Begin(RankGroup.Tensor, CollectiveKind.AllGather, 0, 0, 0),
            new Await(RankGroup.Tensor, 0)]);
        Near(3, StepSimulation.Run(costs, new RankGrid(64, 4, 1), [near, near, near, near]).Seconds);
        var far = Trace([new Begin(RankGroup.All, CollectiveKind.AllGather, 0, 0, 0), new Await(RankGroup.All, 0)]);
        Near(6300, StepSimulation.Run(costs, new RankGrid(64, 1, 1), [far]).Seconds);
        costs = costs with { Transports = [costs.Transports[1] with { IsTree = true }] };
        Near(600, StepSimulation.Run(costs, new RankGrid(64, 1, 1), [far]).Seconds);
    }

    [Fact]
    public void A_wait_without_an_end_is_an_error() => Assert.Contains("rank 0 waits",
        Assert.Throws<InvalidOperationException>(() => StepSimulation.Run(Costs(0, 1), new RankGrid(2, 1, 2),
            [Trace([new Await(RankGroup.Context, 0)]), Trace([])])).Message);

    // What the simulated ranks send in a forward pass of a layer is what s2 plan counts.
    [Fact]
    public void Traces_send_the_bytes_of_the_plans()
    {
        var preset = TrainingPreset.Find("tiny");
        var run = TrainingShape.Of(preset, "s2", new RankGrid(4, Tensor: 2, Context: 2), microBatches: 1);
        var (model, options) = (run.Config, run.Options);
        var traces = RankTrace.OfGroup(run, TestContext.Current.CancellationToken);
        var pattern = preset.Sparse.CreatePattern(model.QueryHeads, model.KeyValueHeads);
        for (int tensor = 0; tensor < 2; tensor++)
        {
            var part = pattern.SliceHeads((tensor * 2)..(tensor * 2 + 2));
            var plan = ContextPlan.Of(part, options.ContextTokens, ranks: 2, model.HeadDim, sizeof(float));
            double[] received = [.. new[] { tensor, 2 + tensor }.Select(rank => traces[rank].Instructions
                .OfType<Begin>().First(begin => begin.Group == RankGroup.Context).ReceivedBytes)];
            Assert.Equal(plan.MeanBytes * options.BatchSequences, received.Average());
            Assert.Equal(plan.MostReceivedBytes * options.BatchSequences, received.Max());
        }
        long rows = options.BatchSequences * options.ContextTokens / 2;
        var sums = TensorPlan.Of(rows, model.Dim, ranks: 2, sizeof(float));
        var sent = traces[0].Instructions.OfType<Begin>().Where(begin => begin.Group == RankGroup.Tensor).ToArray();
        Assert.All(sent, begin => Assert.Equal(sums.SumBytes, begin.SentBytes));
        Assert.Equal(2 * TensorPlan.SumsPerLayer * model.Layers, sent.Length); // forward and backward
        var step = StepSimulation.Run(Costs(0, 1), run.Grid, traces);
        Assert.Equal(traces.Select(trace => trace.Instructions.OfType<Begin>().Sum(begin => begin.SentBytes)),
            step.SentBytes);
    }

    private static Compute Work(double seconds) => new(new Operation("work", seconds));

    private static RankTrace Trace(RankInstruction[] instructions) => new(instructions, s_nothing);

    private static TransportCost Transport(double overlap, double perMessage) => new("wire", 0, overlap, false,
        new Dictionary<string, ExchangeCost> { [MachineCosts.Others] = new(perMessage, PerByte) });

    private static MachineCosts Costs(int processors, double overlap) => new("test",
        new Dictionary<string, OperationCost> { [MachineCosts.Others] = new(0, 1) }, 0, processors, [],
        [Transport(overlap, PerMessage)]);

    private static void Near(double expected, double actual) =>
        Assert.True(Math.Abs(actual - expected) <= 1e-9 * expected, $"expected {expected}, got {actual}");
}
