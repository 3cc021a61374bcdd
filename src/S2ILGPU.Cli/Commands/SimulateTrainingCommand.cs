using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using S2ILGPU.Cli.Json;
using S2ILGPU.Cli.Simulation;
using S2ILGPU.Cli.Simulation.Tracing;
using S2ILGPU.Cli.Training;
using S2ILGPU.Storage;

namespace S2ILGPU.Cli.Commands;

/// <summary><c>s2 simulate training</c>: step, memory, failures and tokens/s of a run on many ranks.</summary>
internal sealed class SimulateTrainingCommand
{
    private const double Hour = 3600, Day = 24 * Hour;

    private readonly Option<string?> _costs = Options.Text("--costs", "FILE",
        "Costs of the machine, as s2 simulate calibrate writes them");
    private readonly Option<int?> _ranks = Options.OptionalNumber<int>("--ranks",
        "The most ranks; fewer are predicted too, in powers of two", least: 1, most: 1_000_000);
    private readonly Option<string?> _preset = Options.Choice("--preset", [.. TrainingPreset.All.Select(p => p.Name)],
        "Size of model and micro-batch", "default");
    private readonly Option<string?> _attention = AttentionOption.CreateOfPreset();
    private readonly Option<int?> _context = Options.OptionalNumber<int>("--context", "Tokens of a training sequence",
        least: 2, unset: "of the preset");
    private readonly Option<int?> _batch = Options.OptionalNumber<int>("--batch", "Sequences per forward pass",
        least: 1, unset: "of the preset");
    private readonly Option<int> _microBatches = Options.Number("--micro-batches", 1,
        "Forward passes of a data-parallel group in a step", least: 1, most: 10_000);
    private readonly Option<string?> _precision = Options.Choice("--precision", ["fp32", "bf16"],
        "Activations, their gradients and the matrices that products read", "fp32");
    private readonly Option<int> _contextParallel = Options.Number("--context-parallel", 1,
        "Ranks that share each sequence", least: 1);
    private readonly Option<int> _tensorParallel = Options.Number("--tensor-parallel", 1, "Ranks that share each layer",
        least: 1);
    private readonly Option<double> _hours = Options.Number("--hours-between-failures", 50_000d,
        "Mean time between failures of one rank; 0 for no failures", least: 0, most: 1e12);
    private readonly Option<double> _recovery = Options.Number("--recovery-seconds", 300d,
        "From a failure to the first step after it: detection, restart, reading the checkpoint", least: 0, most: 1e6);
    private readonly Option<double> _checkpoint = Options.Number("--checkpoint-seconds", 10d,
        "How long a checkpoint stops the run", least: 1e-3, most: 1e6);
    private readonly Option<double?> _interval = Options.OptionalNumber<double>("--checkpoint-interval",
        "Seconds between checkpoints", least: 1e-3, most: 1e9, unset: "those that lose least");
    private readonly Option<double> _days = Options.Number("--days", 30d, "Length of the played run", least: 1e-3,
        most: 3650);
    private readonly Option<int> _seed = Options.Number("--seed", 1, "Seed of the failures");
    private readonly Option<string?> _plot = Options.Text("--plot", "FILE",
        "SVG file: tokens/s of a rank against ranks");
    private readonly Option<bool> _json = Options.Json();

    public static Command Create() => new SimulateTrainingCommand().CreateCommand();

    private Command CreateCommand()
    {
        var command = new Command("training", "Predict a training step, its memory, failures and tokens/s.")
        {
            _costs, _ranks, _preset, _attention, _context, _batch, _microBatches, _precision, _contextParallel,
            _tensorParallel, _hours, _recovery, _checkpoint, _interval, _days, _seed, _plot, _json,
        };
        _costs.Required = _ranks.Required = true;
        command.SetAction((parsed, cancellation) => Task.Run(() => Run(parsed, cancellation), CancellationToken.None));
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        string? plot = parsed.GetValue(_plot);
        TargetFile.Check(_plot.Name, plot);
        var preset = Preset(parsed);
        var costs = MachineCosts.Read(parsed.GetValue(_costs)!);
        int tensor = parsed.GetValue(_tensorParallel), context = parsed.GetValue(_contextParallel),
            most = parsed.GetValue(_ranks)!.Value;
        if (most % ((long)tensor * context) != 0)
            throw new ArgumentException($"{_contextParallel.Name} {context} and {_tensorParallel.Name} {tensor} do not "
                + $"divide the {most} ranks");
        double hours = parsed.GetValue(_hours);
        var sweep = new TrainingSweep(costs, hours == 0 ? null
            : new FailureModel(hours * Hour, parsed.GetValue(_recovery), parsed.GetValue(_checkpoint)),
            parsed.GetValue(_interval), parsed.GetValue(_days) * Day, parsed.GetValue(_seed));
        TrainingForecast[] rows = [.. TrainingSweep.Ranks(tensor * context, most).Select(ranks =>
            sweep.Predict(TrainingShape.Of(preset, parsed.GetValue(_attention)!, new RankGrid(ranks, tensor, context),
                parsed.GetValue(_microBatches)), cancellation))];
        var output = parsed.InvocationConfiguration.Output;
        if (parsed.GetValue(_json))
            JsonText.WriteLine(output, writer => Write(writer, rows));
        else
            output.WriteLine(Text(costs, rows));
        if (plot is not null)
            AtomicFile.WriteText(plot, TrainingSweep.Plot(
                $"Preset {preset.Name}, {context} x {tensor} ranks per group", rows));
        return 0;
    }

    private TrainingPreset Preset(ParseResult parsed)
    {
        var preset = TrainingPreset.Find(parsed.GetValue(_preset)!);
        int tokens = parsed.GetValue(_context) ?? preset.Options.ContextTokens;
        return preset with
        {
            Model = preset.Model with { ContextTokens = Math.Max(tokens, preset.Model.ContextTokens) },
            Options = preset.Options with
            {
                ContextTokens = tokens,
                BatchSequences = parsed.GetValue(_batch) ?? preset.Options.BatchSequences,
                ActivationType = DeviceOption.TypeOf(parsed.GetValue(_precision)),
            },
        };
    }

    private static string Text(MachineCosts costs, IReadOnlyList<TrainingForecast> rows)
    {
        var last = rows[^1];
        double first = rows[0].RankTokensPerSecond;
        return string.Join('\n', [
            $"costs      {costs.Name}",
            $"model      {ModelText.Sizes(last.Run.Config)}",
            $"{"ranks",8}{"step",12}{"exchanges",11}{"of a rank",11}{"checkpoints",13}{"useful",9}{"expected",10}"
                + $"{"tokens/s",15}",
            .. rows.Select(row => string.Create(CultureInfo.InvariantCulture,
                $"{row.Ranks,8:#,0}{row.Step.Seconds * 1e3,9:#,0.0} ms{row.ExchangeFraction,11:0.0 %}"
                + $"{row.RankTokensPerSecond / first,11:0.000}{row.CheckpointInterval,11:#,0} s"
                + $"{row.Failures.UsefulFraction,9:0.000}{row.Expected,10:0.000}{row.UsefulTokensPerSecond,15:#,0}")),
            $"a step on {last.Ranks} ranks:",
            .. last.Step.Parts.Select(part => string.Create(CultureInfo.InvariantCulture,
                $"  {part.Name,-24}{part.Seconds * 1e3,10:#,0.00} ms {part.Seconds / last.Step.Seconds,7:0.0 %}")),
            $"memory of a rank: {MemoryText.Line(last.Memory)}",
        ]);
    }

    private static void Write(Utf8JsonWriter writer, IReadOnlyList<TrainingForecast> rows)
    {
        writer.WriteStartArray();
        foreach (var row in rows)
        {
            writer.WriteStartObject();
            writer.WriteNumber("ranks", row.Ranks);
            writer.WriteNumber("stepSeconds", row.Step.Seconds);
            writer.WriteNumber("tokensPerStep", row.Run.TokensPerStep);
            writer.WriteNumber("usefulFraction", row.Failures.UsefulFraction);
            writer.WriteNumber("expectedUsefulFraction", row.Expected);
            writer.WriteNumber("failures", row.Failures.Failures);
            writer.WriteNumber("checkpointSeconds", row.CheckpointInterval);
            writer.WriteNumber("usefulTokensPerSecond", row.UsefulTokensPerSecond);
            writer.WriteStartObject("parts");
            foreach (var (name, seconds) in row.Step.Parts)
                writer.WriteNumber(name, seconds);
            writer.WriteEndObject();
            writer.WriteStartObject("memory");
            MemoryText.Write(writer, row.Memory);
            writer.WriteEndObject();
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }
}
