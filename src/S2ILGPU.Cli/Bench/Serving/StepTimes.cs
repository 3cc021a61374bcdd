using System.Diagnostics;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Scheduling;

namespace S2ILGPU.Cli.Bench.Serving;

/// <summary>Where the time of a scheduler's step goes when every sequence generates: no server and no clients.
/// </summary>
/// <param name="model">A model on a traced engine; not disposed.</param>
/// <param name="operations">What the engine reports to.</param>
/// <param name="settings">Sizes.</param>
internal sealed class StepTimes(PretrainedModel model, OperationTimes operations, ServeSettings settings)
{
    private const int Warmup = 4;

    private static readonly string[] s_parts =
        ["products", "attention and its pages", "other operations", "drawing and handing out tokens", "all else"];

    /// <summary>Runs as many greedy sequences as there are clients.</summary>
    public FigureGroup Measure(CancellationToken cancellation)
    {
        int steps = Math.Max(1, Math.Min(settings.TextTokens, model.Model.Config.ContextTokens - 1) - Warmup - 1);
        using var scheduler = new Scheduler(model.Model, settings.Scheduler, model.Tokenizer);
        for (int s = 0; s < settings.Clients; s++)
            scheduler.Submit(new GenerationRequest
            {
                Prompt = [model.Tokenizer.Encode(" ")[0]],
                MaxTokens = steps + Warmup + 1,
                Sampling = new SamplingOptions { Temperature = 0 },
            });
        for (int s = 0; s < Warmup; s++)
            scheduler.Step();
        var times = new List<double[]>();
        for (int s = 0; s < steps; s++)
        {
            cancellation.ThrowIfCancellationRequested();
            if (scheduler.Counters.Running == settings.Clients)
                times.Add(Step(scheduler));
        }
        double whole = times.Count == 0 ? 0 : Median(times.Select(t => t.Sum()));
        return new FigureGroup($"a step of {settings.Clients} sequences",
        [
            new Figure("time of a step", whole * 1e3, null, "ms", null,
                $"median of {times.Count}, each operation waited for"),
            .. s_parts.Select((name, p) => new Figure(name,
                times.Count == 0 ? 0 : Median(times.Select(t => t[p])) / whole, null, "of the step", null)),
        ]);
    }

    // Seconds of each part.
    private double[] Step(Scheduler scheduler)
    {
        operations.Reset();
        long start = Stopwatch.GetTimestamp();
        scheduler.Step();
        long end = Stopwatch.GetTimestamp();
        double drawing = Stopwatch.GetElapsedTime(operations.DownloadTimestamp, end).TotalSeconds;
        double[] known = [operations.ProductSeconds, operations.AttentionSeconds, operations.OtherSeconds, drawing];
        return [.. known, Math.Max(0, Stopwatch.GetElapsedTime(start, end).TotalSeconds - known.Sum())];
    }

    private static double Median(IEnumerable<double> values) => new Samples([.. values]).Median;
}
