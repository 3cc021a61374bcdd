using System.Diagnostics;
using System.Globalization;
using S2ILGPU.Attention;
using S2ILGPU.Engines;
using S2ILGPU.Inference;
using S2ILGPU.Layouts;
using S2ILGPU.Lists;
using S2ILGPU.Patterns;

namespace S2ILGPU.Cli.Bench;

/// <summary>What the host does before a GPU kernel of attention begins: lists from layouts and sequences. No GPU takes
/// part; lists are copied to the memory of the emulated device, which runs no kernel.</summary>
/// <param name="rounds">Repetitions of each case, at least 1.</param>
internal sealed class PlanBench(int rounds)
{
    private const int Heads = 32, KeyValueHeads = 8, BlockTokens = 64;
    private const int Sequences = 16;
    private const int DecodedTokens = 128 << 10, ForwardTokens = 32 << 10, BackwardTokens = 64 << 10;

    // Decoding steps of a round: each sequence enters 2 blocks.
    private const int Steps = 2 * BlockTokens;

    /// <summary>The cases, one line each, as soon as they are measured.</summary>
    /// <param name="cancellation">Ends the run between two cases.</param>
    public IEnumerable<string> Run(CancellationToken cancellation)
    {
        using var engine = IlgpuDevices.CreateEngine("ilgpu-cpu");
        string decoding = $"decoding, a step of {Sequences} sequences of {DecodedTokens >> 10}K, dense";
        foreach (var measure in (Func<string>[])
            [
                () => Measure(engine, decoding, Steps, plans => Decoding(plans, apart: 37)),
                () => Measure(engine, $"{decoding}, in step", Steps, plans => Decoding(plans, BlockTokens)),
                () => Measure(engine, $"forward, {ForwardTokens >> 10}K, {BenchPatterns.Sparse[0]}", 1, Forward),
                () => Measure(engine, $"backward, {BackwardTokens >> 10}K, dense", 1, Backward),
            ])
        {
            cancellation.ThrowIfCancellationRequested();
            yield return measure();
        }
    }

    // Sequences of different lengths with the layouts and the page table of a cache: they enter their blocks in
    // different steps, or all in the same ones. A step adds a token to each.
    private static Action<int> Decoding(PlanCache plans, int apart)
    {
        var table = new PageTable(Sequences, KeyValueHeads, DecodedTokens / BlockTokens);
        var layouts = new TailLayouts(Dense(), Sequences);
        for (int s = 0; s < Sequences; s++)
            for (int block = 0; block * BlockTokens < Keys(s, 0); block++)
                GivePages(s, block);
        return step =>
        {
            var sequences = new Sequence[Sequences];
            for (int s = 0; s < Sequences; s++)
            {
                sequences[s] = new Sequence(s, 0, 1, 0, Keys(s, step));
                if (Keys(s, step) % BlockTokens == 1)
                    GivePages(s, Keys(s, step) / BlockTokens);
            }
            var batch = new SequenceBatch(sequences);
            plans.Get(PlanRows.LastQueryOfFourHeads, layouts.For(batch), batch, table.MaxBlocks)
                .CheckPages(table, TileGeometry.Of(BlockTokens));
        };

        int Keys(int s, int step) => DecodedTokens - Steps - s * apart + step;

        void GivePages(int s, int block)
        {
            for (int head = 0; head < KeyValueHeads; head++)
                table[s, head, block] = (s * KeyValueHeads + head) * table.MaxBlocks + block;
        }
    }

    private static Action<int> Forward(PlanCache plans)
    {
        var layout = BlockLayout.Create(BenchPatterns.L16S8(Heads, KeyValueHeads), ForwardTokens);
        var batch = SequenceBatch.Uniform(1, ForwardTokens, ForwardTokens);
        return _ => plans.Get(PlanRows.Queries64, [layout], batch);
    }

    private static Action<int> Backward(PlanCache plans)
    {
        var layout = BlockLayout.Create(Dense(), BackwardTokens);
        var batch = SequenceBatch.Uniform(1, BackwardTokens, BackwardTokens);
        return _ =>
        {
            plans.Get(PlanRows.Keys, [layout], batch);
            plans.Get(PlanRows.Queries64, [layout], batch);
        };
    }

    private static DensePattern Dense() => new(Heads, KeyValueHeads, BlockTokens);

    // The first round is not counted: it compiles. Nor is step 0 of a case with several: it begins with no plan.
    private string Measure(IlgpuEngine engine, string what, int steps, Func<PlanCache, Action<int>> prepare)
    {
        double[] means = new double[rounds], processor = new double[rounds], least = new double[steps];
        Array.Fill(least, double.PositiveInfinity);
        long bytes = 0;
        for (int round = -1; round < rounds; round++)
        {
            var plans = new PlanCache(engine.Queue);
            var run = prepare(plans);
            if (steps > 1)
                run(0);
            var times = new double[steps];
            long before = GC.GetTotalAllocatedBytes(precise: true);
            var busy = Environment.CpuUsage.TotalTime;
            for (int step = 1; step <= steps; step++)
            {
                long begin = Stopwatch.GetTimestamp();
                run(step);
                times[step - 1] = Stopwatch.GetElapsedTime(begin).TotalMilliseconds;
            }
            var used = Environment.CpuUsage.TotalTime - busy;
            bytes = GC.GetTotalAllocatedBytes(precise: true) - before;
            plans.Clear();
            if (round < 0)
                continue;
            (means[round], processor[round]) = (times.Average(), used.TotalMilliseconds / steps);
            for (int step = 0; step < steps; step++)
                least[step] = Math.Min(least[step], times[step]);
        }
        var samples = new Samples(means);
        // A step is what it takes at best over the rounds, so that the worst is a step and not an interruption.
        double worst = least.Max();
        string steady = steps == 1 ? "" : string.Create(CultureInfo.InvariantCulture,
            $", median step {new Samples(least).Median:0.000} ms, worst {worst:0.000} ms, "
            + $"{least.Count(time => 2 * time > worst)} of {steps} above half of it");
        return string.Create(CultureInfo.InvariantCulture,
            $"{what,-58} {samples.Quantile(0),9:0.000} ms least {samples.Median,9:0.000} ms median "
            + $"{processor.Min(),9:0.000} ms of processors least {bytes / 1e6 / steps,7:0.00} MB allocated{steady}");
    }
}
