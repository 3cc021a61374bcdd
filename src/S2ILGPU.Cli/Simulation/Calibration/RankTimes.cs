using System.Diagnostics;
using S2ILGPU.Cli.Bench;
using S2ILGPU.Cli.Simulation.Tracing;
using S2ILGPU.Collectives;
using S2ILGPU.Cpu;
using S2ILGPU.Distributed;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Simulation.Calibration;

/// <summary>Measures ranks that are threads of this process, each with an engine of one thread: alone, side by side,
/// their exchanges, and the steps that are to be predicted.</summary>
internal static class RankTimes
{
    private const int Steps = 2, Exchanges = 12, Readings = 1000;

    /// <summary>The operations of a step with their seconds of processors, and those of the program before each.
    /// </summary>
    /// <param name="run">The run, of which rank 0 trains without the others.</param>
    public static List<(Operation Operation, double Seconds)> Operations(TrainingShape run)
    {
        var calls = new List<(Operation, double)>();
        long last = 0;
        double reading = ReadingSeconds();
        using var device = OneThread();
        using var engine = new TracedEngine(device, (operation, _) =>
        {
            long now = ProcessorTicks();
            calls.Add((operation, (now - last) / (double)TimeSpan.TicksPerSecond - reading));
            last = now;
        });
        using var lone = new LoneTraining(run, 0, engine, _ => { }, engine);
        lone.Step();
        calls.Clear();
        last = ProcessorTicks();
        lone.Step();
        return calls;
    }

    /// <summary>A step of several ranks that do not exchange: each fills in what others would send.</summary>
    /// <param name="run">A run, whose ranks go round where there are fewer of them.</param>
    /// <param name="ranks">Ranks.</param>
    public static RankTime SideBySide(TrainingShape run, int ranks) => Measure(ranks, Steps, (connection, engine,
        measured) =>
    {
        using var lone = new LoneTraining(run, connection.Rank % run.Grid.Ranks, engine, _ => { }, engine);
        lone.Step();
        measured(lone.Step);
    });

    /// <summary>A step of a run.</summary>
    public static RankTime Step(TrainingShape run) => Measure(run.Grid.Ranks, Steps, (connection, engine, measured) =>
    {
        using var ranks = connection.CreateCollective(engine);
        using var groups = new RankGroups(ranks, engine, run.Grid.Tensor, run.Grid.Context);
        using var training = new RankTraining(run, engine, ranks, groups.ContextGroup, groups.TensorGroup, seed: 1);
        training.Step();
        measured(training.Step);
    });

    /// <summary>An exchange.</summary>
    /// <param name="kind">What is exchanged.</param>
    /// <param name="elements">Floats of the whole tensor.</param>
    /// <param name="ranks">Ranks that take part.</param>
    /// <returns>What a rank sends, and its time.</returns>
    public static (double SentBytes, RankTime Time) Exchange(CollectiveKind kind, int elements, int ranks)
    {
        double bytes = 0;
        var time = Measure(ranks, Exchanges, (connection, engine, measured) =>
        {
            using var group = connection.CreateCollective(engine);
            int part = elements / group.Size;
            int[] counts = [.. Enumerable.Repeat(part, group.Size)];
            using Tensor own = engine.Zeros(part), all = engine.Zeros(part * group.Size),
                other = engine.Zeros(part * group.Size);
            void Once() => (kind switch
            {
                CollectiveKind.AllReduce => group.AllReduce(all),
                CollectiveKind.AllGather => group.AllGather(own, all),
                CollectiveKind.ReduceScatter => group.ReduceScatter(all, own),
                _ => group.AllToAll(all, counts, other, counts),
            }).Wait();
            Once();
            long before = group.SentBytes;
            measured(Once);
            if (connection.Rank == 0)
                bytes = (group.SentBytes - before) / (double)Exchanges;
        });
        return (bytes, time);
    }

    // All ranks begin together; the time is from there to the last one's end.
    private static RankTime Measure(int ranks, int repetitions, Action<RankConnection, IEngine, Action<Action>> body)
    {
        var marks = new List<(long Clock, TimeSpan Processors)>();
        using var barrier = new Barrier(ranks,
            _ => marks.Add((Stopwatch.GetTimestamp(), Environment.CpuUsage.TotalTime)));
        MemoryRanks.Run(ranks, connection =>
        {
            bool isThrough = false;
            try
            {
                using var engine = OneThread();
                body(connection, engine, action =>
                {
                    barrier.SignalAndWait();
                    for (int i = 0; i < repetitions; i++)
                        action();
                    barrier.SignalAndWait();
                    isThrough = true;
                });
            }
            finally
            {
                if (!isThrough)
                    barrier.RemoveParticipant(); // the others go on, and hear of it where they exchange
            }
        });
        return new RankTime(Stopwatch.GetElapsedTime(marks[0].Clock, marks[1].Clock).TotalSeconds / repetitions,
            (marks[1].Processors - marks[0].Processors).TotalSeconds / repetitions);
    }

    private static double ReadingSeconds()
    {
        long start = ProcessorTicks();
        for (int i = 1; i < Readings; i++)
            _ = ProcessorTicks();
        return (ProcessorTicks() - start) / (double)TimeSpan.TicksPerSecond / Readings;
    }

    private static long ProcessorTicks() => Environment.CpuUsage.TotalTime.Ticks;

    private static CpuEngine OneThread() => new(new CpuOptions { Threads = 1 });
}

/// <summary>How long some ranks took.</summary>
/// <param name="Seconds">On the clock.</param>
/// <param name="ProcessorSeconds">Of all processors, for all ranks together: other programs do not count.</param>
internal readonly record struct RankTime(double Seconds, double ProcessorSeconds)
{
    /// <summary>The medians of several measurements.</summary>
    public static RankTime Median(IReadOnlyCollection<RankTime> times) => new(
        new Samples([.. times.Select(time => time.Seconds)]).Median,
        new Samples([.. times.Select(time => time.ProcessorSeconds)]).Median);
}
