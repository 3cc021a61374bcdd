using System.Diagnostics;
using System.Globalization;
using S2ILGPU.Attention;
using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;

namespace S2ILGPU.Cli.Bench;

/// <summary>What the host does before a GPU kernel of attention begins: lists from layouts and sequences. No GPU takes
/// part; lists are copied to the memory of the emulated device, which runs no kernel.</summary>
/// <param name="rounds">Repetitions of each case, at least 1.</param>
internal sealed class PlanBench(int rounds)
{
    private const int Heads = 32, KeyValueHeads = 8, BlockTokens = 64;
    private const int Sequences = 16, Apart = 37;
    private const int DecodedTokens = 128 << 10, ForwardTokens = 32 << 10, BackwardTokens = 64 << 10;

    // Decoding steps of a round: twice as many as a block has tokens, so that plans move along and are built anew.
    private const int Steps = 2 * BlockTokens;

    /// <summary>The cases, one line each, as soon as they are measured.</summary>
    /// <param name="cancellation">Ends the run between two cases.</param>
    public IEnumerable<string> Run(CancellationToken cancellation)
    {
        using var engine = IlgpuDevices.CreateEngine("ilgpu-cpu");
        foreach (var measure in (Func<IlgpuEngine, string>[])[Decoding, Forward, Backward])
        {
            cancellation.ThrowIfCancellationRequested();
            yield return measure(engine);
        }
    }

    private string Decoding(IlgpuEngine engine)
    {
        var layout = BlockLayout.Create(Dense(), DecodedTokens, queryTokens: Steps + Sequences * Apart);
        return Measure(engine, $"decoding, a step of {Sequences} sequences of {DecodedTokens >> 10}K, dense", Steps,
            plans =>
        {
            for (int step = 1; step <= Steps; step++)
                plans.Get(PlanRows.LastQueryOfFourHeads, [layout], LastQueries(step), DecodedTokens / BlockTokens);
        });
    }

    // Sequences of different lengths, which enter their next blocks in different steps.
    private static SequenceBatch LastQueries(int step)
    {
        var sequences = new Sequence[Sequences];
        for (int s = 0; s < Sequences; s++)
            sequences[s] = new Sequence(s, 0, 1, 0, DecodedTokens - Steps - s * Apart + step);
        return new SequenceBatch(sequences);
    }

    private string Forward(IlgpuEngine engine)
    {
        var layout = BlockLayout.Create(BenchPatterns.L16S8(Heads, KeyValueHeads), ForwardTokens);
        var batch = SequenceBatch.Uniform(1, ForwardTokens, ForwardTokens);
        return Measure(engine, $"forward, {ForwardTokens >> 10}K, {BenchPatterns.Sparse[0]}", 1, plans =>
            plans.Get(PlanRows.Queries64, [layout], batch));
    }

    private string Backward(IlgpuEngine engine)
    {
        var layout = BlockLayout.Create(Dense(), BackwardTokens);
        var batch = SequenceBatch.Uniform(1, BackwardTokens, BackwardTokens);
        return Measure(engine, $"backward, {BackwardTokens >> 10}K, dense", 1, plans =>
        {
            plans.Get(PlanRows.Keys, [layout], batch);
            plans.Get(PlanRows.Queries64, [layout], batch);
        });
    }

    private static DensePattern Dense() => new(Heads, KeyValueHeads, BlockTokens);

    // The first round is not counted: it compiles.
    private string Measure(IlgpuEngine engine, string what, int calls, Action<PlanCache> run)
    {
        double[] times = new double[rounds], processor = new double[rounds];
        long bytes = 0;
        for (int round = -1; round < rounds; round++)
        {
            var plans = new PlanCache(engine.Queue);
            long before = GC.GetTotalAllocatedBytes(precise: true), begin = Stopwatch.GetTimestamp();
            var busy = Environment.CpuUsage.TotalTime;
            run(plans);
            var (elapsed, used) = (Stopwatch.GetElapsedTime(begin), Environment.CpuUsage.TotalTime - busy);
            bytes = GC.GetTotalAllocatedBytes(precise: true) - before;
            if (round >= 0)
                (times[round], processor[round]) = (elapsed.TotalMilliseconds / calls, used.TotalMilliseconds / calls);
            plans.Clear();
        }
        var samples = new Samples(times);
        return string.Create(CultureInfo.InvariantCulture,
            $"{what,-58} {samples.Quantile(0),9:0.000} ms least {samples.Median,9:0.000} ms median "
            + $"{processor.Min(),9:0.000} ms of processors least {bytes / 1e6 / calls,7:0.00} MB allocated");
    }
}
