using S2ILGPU.Cli.Devices;
using S2ILGPU.Cli.Training;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Bench.Device;

/// <summary>A model to measure.</summary>
/// <param name="Preset">Its shape.</param>
/// <param name="Sequences">Sequences of the batch.</param>
/// <param name="Tokens">Tokens of a sequence.</param>
/// <param name="Activations">Element type of activations, and while decoding of matrices and cache; null for the
/// engine's float type.</param>
internal sealed record ModelSize(TrainingPreset Preset, int Sequences, int Tokens, ElementType? Activations)
{
    /// <summary>Attention of the layers: dense first, the others are compared with it.</summary>
    public static IReadOnlyList<string> Attentions { get; } = ["dense", "s2", "hybrid"];
}

/// <summary>Steps of whole models, one per attention, in turn.</summary>
/// <param name="engine">The engine; stays with the caller.</param>
/// <param name="size">The model.</param>
/// <param name="rounds">How often.</param>
/// <param name="machine">The machine whose engine it is, where its limits are measured too.</param>
internal sealed class ModelBench(IEngine engine, ModelSize size, Rounds rounds, BenchMachine? machine = null)
{
    /// <summary>Training steps: forward with the loss and the head's gradients, backward, optimizer.</summary>
    public IReadOnlyList<IDeviceEntry> Train(CancellationToken cancellation)
    {
        ModelTraining[] models = [.. ModelSize.Attentions.Select(a => new ModelTraining(engine, size, a))];
        try
        {
            var (seconds, peak) = Measure(models, Yardsticks.PeakAllThreads, cancellation);
            string[] phases = ["forward", "backward", "optimizer"];
            return [.. models.Select((model, n) => Entry("training", size.Sequences * size.Tokens,
                models[0].Flops / model.Flops, n, seconds) with
            {
                Flops = model.Flops,
                OfLimit = OfLimit.Of(Totals(seconds[n]), model.Flops, peak),
                Phases = [.. phases.Select((phase, p) =>
                    (phase, new Samples([.. seconds[n].Select(s => s[p])]).Median * 1e3))],
            })];
        }
        finally
        {
            Array.ForEach(models, model => model.Dispose());
        }
    }

    /// <summary>Decoding steps, each with a token more in the cache than the step before.</summary>
    /// <param name="isVaried">Whether the sequences of the batch have different lengths, from half the tokens to all of
    /// them.</param>
    /// <param name="cancellation">Ends the run.</param>
    public IReadOnlyList<IDeviceEntry> Decode(bool isVaried, CancellationToken cancellation)
    {
        ModelDecoding[] models =
            [.. ModelSize.Attentions.Select(a => new ModelDecoding(engine, size, a, isVaried, rounds.Most + 1))];
        try
        {
            var (seconds, readRate) = Measure(models, Yardsticks.ReadRate, cancellation);
            return [.. models.Select((model, n) => Entry("decode", size.Sequences,
                models[0].Bytes / (double)model.Bytes, n, seconds) with
            {
                Bytes = model.Bytes,
                OfLimit = OfLimit.Of(Totals(seconds[n]), model.Bytes, readRate),
            })];
        }
        finally
        {
            Array.ForEach(models, model => model.Dispose());
        }
    }

    // Seconds of each phase, by model and round, and the machine's limit in every round; the first round warms up.
    private (List<double[]>[] Seconds, Samples? Limit) Measure(IReadOnlyList<IModelWork> models, Yardsticks yardstick,
        CancellationToken cancellation)
    {
        var limit = new List<double>();
        List<double[]>[] seconds = [.. models.Select(_ => new List<double[]>())];
        foreach (var model in models)
            model.Step();
        long began = Environment.TickCount64;
        for (int round = 0; round < rounds.Most
            && (round < rounds.Least || (Environment.TickCount64 - began) / 1e3 < rounds.Seconds); round++)
        {
            for (int n = 0; n < models.Count; n++)
            {
                cancellation.ThrowIfCancellationRequested();
                seconds[n].Add(models[n].Step());
            }
            if (machine is not null)
                limit.Add(machine.Rate(yardstick));
        }
        return (seconds, machine is null ? null : new Samples([.. limit]));
    }

    private ModelEntry Entry(string work, int tokens, double ceiling, int n, List<double[]>[] seconds)
    {
        Samples dense = Totals(seconds[0]), own = Totals(seconds[n]);
        var speedUp = n == 0 ? null : dense.With(own, (a, b) => a / b);
        return new ModelEntry(work, size.Preset.Name, size.Preset.Model, ModelSize.Attentions[n],
            (size.Activations ?? engine.FloatType).ShortName(), size.Sequences, size.Tokens, tokens,
            own.Median * 1e3, own.Spread * 1e3, ceiling, speedUp?.Median) { SpeedUpSpread = speedUp?.Spread };
    }

    private static Samples Totals(List<double[]> steps) => new([.. steps.Select(s => s.Sum())]);
}
