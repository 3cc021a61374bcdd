using System.Diagnostics;
using S2ILGPU.AttentionWorkers;
using S2ILGPU.Engines;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Scheduling;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Bench.Serving;

/// <summary>Texts of one process, and the same with the cache and attention in other processes of this machine: what
/// travels, what overlaps, and the time of each process. Random weights: none of these depends on them.</summary>
/// <remarks>With own computing x and computing of the workers y in steps of z seconds together, <c>x + y - z</c> of
/// them ran at the same time; ideal is <c>min(x, y)</c>. The process computes whenever it does not wait, so x is z less
/// the seconds waited, and what ran at the same time is y less these.</remarks>
internal sealed class WorkersLoad : IDisposable
{
    // Of the ideal.
    private const double OverlapTarget = 0.8;

    private readonly WorkersSettings _settings;
    private readonly TransformerModel _model;
    private readonly int[][] _prompts;
    private readonly Run _alone;

    /// <summary>Makes a model and its texts.</summary>
    /// <param name="engine">Has as many threads as the settings say; not disposed.</param>
    /// <param name="settings">Sizes.</param>
    /// <param name="cancellation">Ends the run.</param>
    public WorkersLoad(IEngine engine, WorkersSettings settings, CancellationToken cancellation)
    {
        _settings = settings;
        _model = new TransformerModel(engine, new TransformerConfig
        {
            VocabularySize = 512,
            Dim = 512,
            Layers = settings.Layers,
            QueryHeads = 8,
            KeyValueHeads = WorkersSettings.KeyValueHeads,
            HeadDim = 64,
            FeedForwardDim = 1024,
            // The first texts go on while later prompts are read.
            ContextTokens = settings.PromptTokens + settings.TextTokens
                + settings.Sequences * (1 + settings.PromptTokens / ChunkTokens),
        });
        var random = new Random(1);
        _prompts = [.. Enumerable.Range(0, settings.Sequences).Select(_ => Enumerable.Range(0, settings.PromptTokens)
            .Select(_ => random.Next(_model.Config.VocabularySize)).ToArray())];
        _alone = Generate(_prompts, options: null, cancellation);
    }

    private static int ChunkTokens => new SchedulerOptions().ChunkTokens;

    /// <summary>Sequences as two micro-batches, which take turns.</summary>
    /// <param name="hasEarlyQueries">Whether workers begin with the queries, before keys and values.</param>
    /// <param name="cancellation">Ends the run.</param>
    public FigureGroup Measure(bool hasEarlyQueries, CancellationToken cancellation)
    {
        var run = GenerateElsewhere(_prompts, hasEarlyQueries, cancellation);
        double equal = run.Texts.Zip(_alone.Texts).Count(pair => pair.First.SequenceEqual(pair.Second));
        return new FigureGroup($"{_prompts.Length} texts in two micro-batches, --attention-overlap "
            + (hasEarlyQueries ? "on" : "off"),
        [
            new Figure("texts that equal those of one process", equal / run.Texts.Length, hasEarlyQueries ? null : 1,
                "of all texts", null, hasEarlyQueries ? "attention of two parts is merged, which rounds differently"
                : $"{run.Texts.Length} texts of {_settings.TextTokens} tokens"),
            Overlap(run, OverlapTarget),
            .. Times(run),
            .. Bytes(run),
            .. Processors(run),
        ]);
    }

    /// <summary>One sequence alone, which is one micro-batch: what overlaps without a second one.</summary>
    public FigureGroup MeasureOne(CancellationToken cancellation)
    {
        var run = GenerateElsewhere(_prompts[..1], hasEarlyQueries: true, cancellation);
        return new FigureGroup("one text, which is one micro-batch", [Overlap(run, target: null), .. Times(run)]);
    }

    public void Dispose() => _model.Dispose();

    private static Figure Overlap(Run run, double? target) => Figure.Of("computing at the same time",
        new Samples([.. run.Rounds.Select(round => round.Overlap)]), target, "of the ideal",
        $"ideal is all of the lesser: {run.Sum(r => r.OwnSeconds):0.00} s here, {run.Sum(r => r.WorkerSeconds):0.00} s "
        + $"of the workers, {run.Sum(r => r.Seconds):0.00} s together");

    private IEnumerable<Figure> Times(Run run)
    {
        double steps = _settings.Rounds * _settings.RoundSteps;
        yield return new Figure("time of a step", 1e3 * run.Sum(r => r.Seconds) / steps, null, "ms", null,
            run.Texts.Length < _prompts.Length ? "" : $"{1e3 * _alone.Sum(r => r.Seconds) / steps:0.00} ms in one "
            + $"process of as many threads as the model worker ({_settings.Threads})");
        yield return new Figure("time away in a step", 1e3 * run.Sum(r => r.AwaySeconds) / steps, null, "ms", null,
            "from queries to their outputs, over all layers and passes");
        yield return new Figure("time waited in a step", 1e3 * run.Sum(r => r.WaitSeconds) / steps, null, "ms", null,
            "with nothing else to do");
    }

    private IEnumerable<Figure> Bytes(Run run)
    {
        var config = _model.Config;
        double group = config.QueryHeads / (double)config.KeyValueHeads, dim = config.QueryHeads * config.HeadDim,
            perToken = (2 + 2 / group) * _model.ActivationType.SizeBytes() * dim * config.Layers,
            tokens = run.Rounds.Count * _settings.RoundSteps * run.Texts.Length;
        yield return new Figure("bytes of tensors over (2 + 2/G) e d L", run.Sum(r => r.TensorBytes)
            / (perToken * tokens), 1, "x", null, $"{run.Sum(r => r.TensorBytes) / tokens:#,0} bytes per token, "
            + $"formula {perToken:#,0}: G {group}, e {_model.ActivationType.SizeBytes()}, d {dim}, L {config.Layers}");
        yield return new Figure("all bytes over those of tensors", run.Sum(r => r.Bytes)
            / (double)run.Sum(r => r.TensorBytes), null, "x", null, "with headers, and times of the workers");
    }

    private static IEnumerable<Figure> Processors(Run run)
    {
        double seconds = run.Sum(r => r.Seconds);
        yield return Of("CPU time of the model worker", run.Sum(r => r.OwnCpuSeconds));
        for (int worker = 0; worker < run.Rounds[0].WorkerCpuSeconds.Length; worker++)
            yield return Of($"CPU time of attention worker {worker + 1}",
                run.Sum(r => r.WorkerCpuSeconds[worker]));

        Figure Of(string name, double cpu) => new(name, cpu, null, "s", null,
            $"{100 * cpu / seconds:0} % of a processor; machine has {Environment.ProcessorCount}");
    }

    // In new processes each time: a worker takes another model worker only when it has seen that the first is gone.
    private Run GenerateElsewhere(int[][] prompts, bool hasEarlyQueries, CancellationToken cancellation)
    {
        var workers = new List<AttentionWorkerProcess>();
        try
        {
            for (int worker = 0; worker < _settings.Workers; worker++)
                workers.Add(AttentionWorkerProcess.Start(_settings.Threads));
            return Generate(prompts, new AttentionWorkerOptions
            {
                Addresses = [.. workers.Select(worker => worker.Address)],
                Overlap = hasEarlyQueries,
            }, cancellation);
        }
        finally
        {
            workers.ForEach(worker => worker.Dispose());
        }
    }

    private Run Generate(int[][] prompts, AttentionWorkerOptions? options, CancellationToken cancellation)
    {
        using var scheduler = new Scheduler(_model, new SchedulerOptions
        {
            Sequences = prompts.Length,
            StepTokens = prompts.Length + ChunkTokens,
            Prefixes = 0,
            AttentionWorkers = options,
        });
        List<int>[] texts = [.. prompts.Select(_ => new List<int>())];
        foreach (var (prompt, text) in prompts.Zip(texts))
            scheduler.Submit(new GenerationRequest
            {
                Prompt = prompt,
                MaxTokens = _model.Config.ContextTokens - prompt.Length,
                Sampling = new SamplingOptions { Temperature = 0 },
                OnToken = token => text.Add(token.Token!.Value),
            });
        while (texts.Any(text => text.Count == 0))
            Step();
        for (int step = 1; step < _settings.WarmUpSteps; step++)
            Step();
        var rounds = new List<Round>();
        for (int round = 0; round < _settings.Rounds; round++)
        {
            var before = Snapshot.Of(scheduler);
            for (int step = 0; step < _settings.RoundSteps; step++)
                Step();
            rounds.Add(Round.Between(before, Snapshot.Of(scheduler)));
        }
        return new Run([.. texts.Select(text => text.Take(_settings.TextTokens).ToArray())], rounds);

        void Step()
        {
            cancellation.ThrowIfCancellationRequested();
            scheduler.Step();
        }
    }

    // The first tokens of each text, and what the steps of each round took.
    private sealed record Run(int[][] Texts, IReadOnlyList<Round> Rounds)
    {
        public double Sum(Func<Round, double> value) => Rounds.Sum(value);
    }

    // Counters between two steps.
    private sealed record Snapshot(long Timestamp, double CpuSeconds, AttentionWorkerFigures Workers)
    {
        public static Snapshot Of(Scheduler scheduler) => new(Stopwatch.GetTimestamp(),
            Environment.CpuUsage.TotalTime.TotalSeconds, scheduler.AttentionWorkers ?? new());
    }

    private sealed record Round(double Seconds, double OwnCpuSeconds, double AwaySeconds, double WaitSeconds,
        double WorkerSeconds, double[] WorkerCpuSeconds, long TensorBytes, long Bytes)
    {
        public double OwnSeconds => Seconds - WaitSeconds;

        public double Overlap => (OwnSeconds + WorkerSeconds - Seconds) / Math.Min(OwnSeconds, WorkerSeconds);

        // Workers compute at the same time, so the one that computes longest counts; and of its time not more than it
        // had a processor for, as other programs may have taken its own.
        public static Round Between(Snapshot before, Snapshot after)
        {
            var (from, to) = (before.Workers, after.Workers);
            return new Round(Stopwatch.GetElapsedTime(before.Timestamp, after.Timestamp).TotalSeconds,
                after.CpuSeconds - before.CpuSeconds, to.AwaySeconds - from.AwaySeconds,
                to.WaitSeconds - from.WaitSeconds,
                Differences(from.WorkerBusySeconds, to.WorkerBusySeconds).Zip(
                    Differences(from.WorkerCpuSeconds, to.WorkerCpuSeconds), Math.Min).DefaultIfEmpty().Max(),
                Differences(from.WorkerCpuSeconds, to.WorkerCpuSeconds),
                to.TensorBytesSent + to.TensorBytesReceived - from.TensorBytesSent - from.TensorBytesReceived,
                to.BytesSent + to.BytesReceived - from.BytesSent - from.BytesReceived);
        }

        private static double[] Differences(IReadOnlyList<double> from, IReadOnlyList<double> to) =>
            [.. to.Zip(from, (last, first) => last - first)];
    }
}
