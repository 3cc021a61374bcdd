using S2ILGPU.Cli.Bench.Device;
using S2ILGPU.Cli.Training;
using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.Scheduling;
using S2ILGPU.Training;

namespace S2ILGPU.Cli.Bench.Serving;

/// <summary>A dense model and its twin with S2 attention in every layer (B64 L8 s16), at a long context: bytes of the
/// cache, time of a decoding step, sequences that fit a limit. Random weights: none of these depends on them.</summary>
internal sealed class TwinModels(IEngine engine, ServeSettings settings)
{
    private static readonly TransformerConfig s_shape = new()
    {
        VocabularySize = 512,
        Dim = 256,
        Layers = 2,
        QueryHeads = 4,
        KeyValueHeads = 4,
        HeadDim = 64,
        FeedForwardDim = 512,
        ContextTokens = 512,
    };

    // At 32K tokens S2 keeps 7.5 % of the blocks; a limit of 9 % leaves room for the chunk under way.
    private const double BytesTarget = 1 / 0.09, SequencesTarget = 8;
    private const int LongContext = 32768, MostSequences = 64;

    private readonly TrainingPreset _preset = new("twins", s_shape with { ContextTokens = settings.ContextTokens },
        new LocalStrideAttention { BlockTokens = 64, LocalBlocks = 8, VerticalStride = 16 }, DenseLayers: 1,
        new TrainingOptions());

    /// <summary>Measures all three.</summary>
    public FigureGroup Measure(CancellationToken cancellation)
    {
        // Targets hold for the long context; a shorter one keeps more.
        double? Target(double target) => settings.ContextTokens >= LongContext ? target : null;
        // The sparse one first: what a process has given back it may get again without its growth being seen.
        int whole = settings.ContextTokens - 1;
        var (sparse, dense) = (Fill("s2", 1, whole, long.MaxValue, cancellation),
            Fill("dense", 1, whole, long.MaxValue, cancellation));
        long limit = settings.DenseSequences * dense.PageBytes + dense.PageBytes / 16;
        // They go on generating while the last prompt is read, so that all are there at once.
        int most = settings.ContextTokens * 3 / 4;
        var (sparseFit, denseFit) = (Fill("s2", MostSequences, most, limit, cancellation),
            Fill("dense", MostSequences, most, limit, cancellation));
        var decode = new ModelBench(engine, new ModelSize(_preset, 1, settings.ContextTokens, Activations: null),
            settings.Rounds).Decode(isVaried: false, cancellation).Cast<ModelEntry>().ToArray();
        return new FigureGroup($"a dense model and its twin with S2 attention, {settings.ContextTokens} tokens",
        [
            new Figure("bytes of pages, dense over S2", dense.PageBytes / (double)sparse.PageBytes,
                Target(BytesTarget), "x", null, $"{sparse.PageBytes / 1e6:0.0} MB for {dense.PageBytes / 1e6:0.0} MB, "
                + $"{sparse.PageBytes / (double)dense.PageBytes:P1}"),
            new Figure("growth of the process, dense over S2", dense.ProcessBytes / (double)sparse.ProcessBytes, null,
                "x", null, $"{sparse.ProcessBytes / 1e6:0.0} MB for {dense.ProcessBytes / 1e6:0.0} MB, with "
                + "activations and what the runtime keeps"),
            new Figure("decoding step, dense over S2", decode[1].SpeedUp, null, "x", null,
                $"{decode[1].Milliseconds:0.00} ms for {decode[0].Milliseconds:0.00} ms, of {decode[1].Ceiling:0.0} "
                + "by the bytes that are read"),
            new Figure("sequences within the same bytes, S2 over dense", sparseFit.Sequences / (double)
                denseFit.Sequences, Target(SequencesTarget), "x", null, $"{sparseFit.Sequences} and "
                + $"{denseFit.Sequences} in {limit / 1e6:0} MB"),
        ]);
    }

    // Runs sequences that may fill the context side by side, until each of those that fit has begun to generate.
    private Filled Fill(string attention, int sequences, int promptTokens, long maxBytes,
        CancellationToken cancellation)
    {
        var config = (_preset.Model with { Attention = _preset.Attention(attention) }).Validate();
        using var model = new TransformerModel(engine, config);
        GC.Collect();
        long before = Environment.WorkingSet;
        using var scheduler = new Scheduler(model, new SchedulerOptions
        {
            Sequences = sequences,
            MaxBytes = maxBytes,
            Prefixes = 0,
        });
        var begun = new HashSet<int>();
        var random = new Random(1);
        for (int s = 0; s < sequences; s++)
        {
            int sequence = s;
            scheduler.Submit(new GenerationRequest
            {
                Prompt = [.. Enumerable.Range(0, promptTokens).Select(_ => random.Next(config.VocabularySize))],
                MaxTokens = config.ContextTokens - promptTokens + 1,
                OnToken = _ => begun.Add(sequence),
            });
        }
        int running = 0;
        do
        {
            cancellation.ThrowIfCancellationRequested();
            scheduler.Step();
            running = Math.Max(running, scheduler.Counters.Running);
        }
        while (begun.Count < running && scheduler.Counters.Running == running);
        return new Filled(begun.Count, scheduler.Counters.UsedBytes, Environment.WorkingSet - before);
    }

    private sealed record Filled(int Sequences, long PageBytes, long ProcessBytes);
}
