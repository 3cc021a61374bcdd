using System.Globalization;
using S2ILGPU.Cli.Training;
using S2ILGPU.Cpu;
using S2ILGPU.Models;
using S2ILGPU.Tokenizers;
using S2ILGPU.Training;

namespace S2ILGPU.Cli.Bench;

/// <summary>Throughput and memory of training against the length of the context, for dense, sparse and hybrid
/// attention.</summary>
internal static class ContextBench
{
    private static readonly string[] s_attentions = ["dense", "s2", "hybrid"];

    public static FigureGroup Measure(BenchMachine machine)
    {
        var preset = TrainingPreset.Find(machine.Settings.TrainingPreset);
        var data = TrainingBench.RandomText(preset.Options.Seed);
        var figures = new List<Figure>();
        foreach (int tokens in machine.Settings.ContextTokens)
        {
            // An engine each: the peak of its memory is that of one run.
            Run[] runs = [.. s_attentions.Select(a => new Run(machine, preset, a, tokens, recompute: false, data))];
            var timings = machine.Time(machine.Settings.ContextRounds, Yardsticks.PeakAllThreads,
                [.. runs.Select(r => (Action)r.Step)]);
            for (int i = 0; i < runs.Length; i++)
            {
                var throughput = timings[i].Each(s => tokens / s);
                string name = $"training step, preset {preset.Name}, 1 x {tokens} tokens, {s_attentions[i]}";
                string note = string.Create(CultureInfo.InvariantCulture,
                    $"{timings.Ratio(i, 0).Median:0.00}x dense; peak {runs[i].PeakMegabytes:#,0} MB, "
                    + $"{PeakOfRecomputing(machine, preset, s_attentions[i], tokens, data):#,0} MB when recomputing");
                figures.Add(timings.RatioFigure(name, throughput, null, "tokens/s", note));
            }
            foreach (var run in runs)
                run.Dispose();
        }
        return new FigureGroup("training against context", figures);
    }

    private static double PeakOfRecomputing(BenchMachine machine, TrainingPreset preset, string attention,
        int tokens, TokenDataset data)
    {
        using var run = new Run(machine, preset, attention, tokens, recompute: true, data);
        run.Step();
        return run.PeakMegabytes;
    }

    /// <summary>A training with an engine of its own.</summary>
    private sealed class Run : IDisposable
    {
        private readonly CpuEngine _engine;
        private readonly Trainer _trainer;

        public Run(BenchMachine machine, TrainingPreset preset, string attention, int tokens, bool recompute,
            TokenDataset data)
        {
            _engine = machine.CreateEngine(new CpuOptions());
            var config = (preset.Model with { Attention = preset.Attention(attention), ContextTokens = tokens })
                .Validate();
            var options = preset.Options with { Steps = int.MaxValue, ValidationInterval = 0, ContextTokens = tokens,
                BatchSequences = 1, Recompute = recompute };
            _trainer = new Trainer(new TransformerModel(_engine, config), data, data, options);
        }

        public double PeakMegabytes => _engine.PeakBytes / 1e6;

        public void Step() => _trainer.RunStep();

        public void Dispose()
        {
            _trainer.Dispose();
            _trainer.Model.Dispose();
            _engine.Dispose();
        }
    }
}
