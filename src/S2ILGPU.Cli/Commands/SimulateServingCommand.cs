using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using S2ILGPU.Cli.Json;
using S2ILGPU.Cli.Simulation;
using S2ILGPU.Cli.Simulation.Serving;
using S2ILGPU.Cli.Training;
using S2ILGPU.Models;
using S2ILGPU.Scheduling;
using S2ILGPU.Storage;

namespace S2ILGPU.Cli.Commands;

/// <summary><c>s2 simulate serving</c>: what texts wait for, and what instances do, under traffic.</summary>
internal sealed class SimulateServingCommand
{
    private const double Hour = 3600;

    private static readonly SchedulerOptions s_defaults = new();

    private readonly Option<string?> _costs = Options.Text("--costs", "FILE",
        "Costs of the machine of an instance, as s2 simulate calibrate-serving writes them");
    private readonly Option<double?> _rate = Options.OptionalNumber<double>("--rate",
        "Texts per second that are asked for; an eighth, a quarter and half of it are predicted too", least: 1e-6,
        most: 1e9);
    private readonly Option<int> _texts = Options.Number("--texts", 200, "Number of texts", least: 1, most: 1_000_000);
    private readonly Option<int> _prompt = Options.Number("--prompt-tokens", 256, "Tokens of a prompt in the mean",
        least: 1);
    private readonly Option<int> _output = Options.Number("--output-tokens", 64, "Tokens of a text in the mean",
        least: 1);
    private readonly Option<double> _variation = Options.Number("--length-variation", 1d,
        "Standard deviation of both lengths over their mean", least: 0, most: 10);
    private readonly Option<double> _prefixShare = Options.Number("--prefix-share", 0d,
        "The part of the prompts that begins with one shared prefix", least: 0, most: 1);
    private readonly Option<int> _prefixTokens = Options.Number("--prefix-tokens", 256,
        "Tokens of that prefix, besides those of the prompt", least: 1);
    private readonly Option<int> _instances = Options.Number("--instances", 1, "Servers", least: 1, most: 10_000);
    private readonly Option<string?> _preset = Options.Choice("--preset", [.. TrainingPreset.All.Select(p => p.Name)],
        "Size of the model", "default");
    private readonly Option<string?> _attention = AttentionOption.CreateOfPreset();
    private readonly Option<int?> _context = Options.OptionalNumber<int>("--context", "The most tokens of prompt and "
        + "text", least: 2, unset: "of the preset");
    private readonly Option<string?> _precision = Options.Choice("--precision", ["fp32", "bf16"],
        "Activations, keys and values", "fp32");
    private readonly Option<long?> _cacheBytes = Options.OptionalNumber<long>("--cache-bytes",
        "The most bytes of keys and values of an instance", least: 1, unset: "no limit");
    private readonly Option<int> _sequences = Options.Number("--sequences", s_defaults.Sequences,
        "The most texts that run side by side in an instance", least: 1, most: 100_000);
    private readonly Option<int> _batchTokens = Options.Number("--max-batch-tokens", s_defaults.StepTokens,
        "The most tokens of a step", least: 2);
    private readonly Option<double> _overcommit = Options.Number("--overcommit", s_defaults.Overcommit,
        "How many times --cache-bytes running texts may need at their longest; above 1 some give way", least: 1,
        most: 1000);
    private readonly Option<double> _hours = Options.Number("--hours-between-failures", 0d,
        "Mean time between failures of an instance; 0 for no failures", least: 0, most: 1e12);
    private readonly Option<double> _restart = Options.Number("--restart-seconds", 60d,
        "From a failure until the instance takes requests again", least: 0, most: 1e6);
    private readonly Option<double> _detection = Options.Number("--detection-seconds", 2d,
        "From a failure until its texts go on elsewhere", least: 0, most: 1e6);
    private readonly Option<int> _seed = Options.Number("--seed", 1, "Seed of the texts and of the failures");
    private readonly Option<string?> _plot = Options.Text("--plot", "FILE",
        "SVG file: time to the first token against texts per second");
    private readonly Option<bool> _json = Options.Json();

    public static Command Create() => new SimulateServingCommand().CreateCommand();

    private Command CreateCommand()
    {
        var command = new Command("serving",
            "Predict servers under traffic, with a model's attention and with dense attention.")
        {
            _costs, _rate, _texts, _prompt, _output, _variation, _prefixShare, _prefixTokens, _instances, _preset,
            _attention, _context, _precision, _cacheBytes, _sequences, _batchTokens, _overcommit, _hours, _restart,
            _detection, _seed, _plot, _json,
        };
        _costs.Required = _rate.Required = true;
        command.SetAction((parsed, cancellation) => Task.Run(() => Run(parsed, cancellation), CancellationToken.None));
        return command;
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        string? plot = parsed.GetValue(_plot);
        TargetFile.Check(_plot.Name, plot);
        var costs = MachineCosts.Read(parsed.GetValue(_costs)!);
        var (preset, attention) = (TrainingPreset.Find(parsed.GetValue(_preset)!), parsed.GetValue(_attention)!);
        int instances = parsed.GetValue(_instances);
        if (costs.Processors > 0 && instances > costs.Processors)
            throw new ArgumentException($"{_instances.Name} {instances}: the machine of {_costs.Name} has "
                + $"{costs.Processors} processors, and an instance takes one");
        double hours = parsed.GetValue(_hours);
        var sweep = new ServingSweep(costs, Limits(parsed), instances, hours == 0 ? null
            : new InstanceFailures(hours * Hour, parsed.GetValue(_restart), parsed.GetValue(_detection)),
            parsed.GetValue(_seed));
        var traffic = new Traffic
        {
            Texts = parsed.GetValue(_texts),
            Rate = parsed.GetValue(_rate)!.Value,
            PromptTokens = parsed.GetValue(_prompt),
            OutputTokens = parsed.GetValue(_output),
            Variation = parsed.GetValue(_variation),
            PrefixShare = parsed.GetValue(_prefixShare),
            PrefixTokens = parsed.GetValue(_prefixShare) == 0 ? 0 : parsed.GetValue(_prefixTokens),
        };
        var type = DeviceOption.TypeOf(parsed.GetValue(_precision));
        var shape = preset.Model with { ContextTokens = parsed.GetValue(_context) ?? preset.Model.ContextTokens };
        TransformerConfig Config(string kind) => (shape with { Attention = preset.Attention(kind) }).Validate();
        ServingRow[] rows = [.. new[] { "dense", attention }.Distinct().SelectMany(kind =>
            sweep.Predict(kind, Config(kind), type, traffic, cancellation))];
        var output = parsed.InvocationConfiguration.Output;
        if (parsed.GetValue(_json))
            JsonText.WriteLine(output, writer => Write(writer, rows));
        else
            output.WriteLine(Text(costs, Config(attention), traffic, rows));
        if (plot is not null)
            AtomicFile.WriteText(plot, ServingSweep.Plot($"Preset {preset.Name}, {instances} instances", rows));
        return 0;
    }

    private SchedulerOptions Limits(ParseResult parsed)
    {
        int sequences = parsed.GetValue(_sequences), stepTokens = parsed.GetValue(_batchTokens);
        if (sequences >= stepTokens)
            throw new ArgumentException($"{_batchTokens.Name} {stepTokens} must be above {_sequences.Name} "
                + $"{sequences}: a step has a token of each text and a piece of a prompt");
        return s_defaults with
        {
            Sequences = sequences,
            StepTokens = stepTokens,
            ChunkTokens = Math.Min(s_defaults.ChunkTokens, stepTokens - sequences),
            MaxBytes = parsed.GetValue(_cacheBytes) ?? long.MaxValue,
            Overcommit = parsed.GetValue(_overcommit),
        };
    }

    private static string Text(MachineCosts costs, TransformerConfig config, Traffic traffic,
        IReadOnlyList<ServingRow> rows) => string.Join('\n', [
        $"costs      {costs.Name}",
        $"model      {ModelText.Sizes(config)}",
        string.Create(CultureInfo.InvariantCulture, $"traffic    {traffic.Texts:#,0} texts, prompts of "
            + $"{traffic.PromptTokens:#,0} tokens, {traffic.OutputTokens:#,0} tokens to generate"),
        $"{"",16}{"",10}{"",11}{"",7}{"first token",22}{"between tokens",22}{"pages",22}",
        $"{"attention",-16}{"texts/s",10}{"tokens/s",11}{"busy",7}{"median",11}{"99 %",11}{"median",11}{"99 %",11}"
            + $"{"mean",11}{"most",11}{"gave way",10}{"moved",8}{"lost",6}",
        .. rows.Select(row =>
        {
            var f = row.Forecast;
            return string.Create(CultureInfo.InvariantCulture,
                $"{row.Attention,-16}{row.Rate,10:#,0.##}{f.TokensPerSecond,11:#,0.0}{f.BusyFraction,7:0 %}"
                + $"{Milliseconds(f.FirstSeconds.Median)}{Milliseconds(f.FirstSeconds.Quantile(0.99))}"
                + $"{Milliseconds(f.GapSeconds.Median)}{Milliseconds(f.GapSeconds.Quantile(0.99))}"
                + $"{f.MeanPages,11:#,0}{f.MostPages,11:#,0}{f.Preemptions,10:#,0}{f.MovedTexts,8:#,0}"
                + $"{f.LostTexts,6:#,0}");
        }),
    ]);

    private static string Milliseconds(double seconds) =>
        string.Create(CultureInfo.InvariantCulture, $"{seconds * 1e3,8:#,0.0} ms");

    private static void Write(Utf8JsonWriter writer, IReadOnlyList<ServingRow> rows)
    {
        writer.WriteStartArray();
        foreach (var (attention, rate, forecast) in rows)
        {
            writer.WriteStartObject();
            writer.WriteString("attention", attention);
            writer.WriteNumber("textsPerSecond", rate);
            writer.WriteNumber("seconds", forecast.Seconds);
            writer.WriteNumber("tokensPerSecond", forecast.TokensPerSecond);
            writer.WriteNumber("busyFraction", forecast.BusyFraction);
            foreach (var (name, samples) in new[]
                { ("firstToken", forecast.FirstSeconds), ("betweenTokens", forecast.GapSeconds) })
                foreach (int percent in (int[])[50, 90, 99])
                    writer.WriteNumber($"{name}Seconds{percent}", samples.Quantile(percent / 100.0));
            writer.WriteNumber("meanPages", forecast.MeanPages);
            writer.WriteNumber("mostPages", forecast.MostPages);
            writer.WriteNumber("mostBytesOfInstance", forecast.MostBytes);
            writer.WriteNumber("steps", forecast.Steps);
            writer.WriteNumber("computedTokens", forecast.ComputedTokens);
            writer.WriteNumber("prefixTokens", forecast.PrefixTokens);
            writer.WriteNumber("preemptions", forecast.Preemptions);
            writer.WriteNumber("failures", forecast.Failures);
            writer.WriteNumber("movedTexts", forecast.MovedTexts);
            writer.WriteNumber("lostTexts", forecast.LostTexts);
            writer.WriteNumber("lostPages", forecast.LostPages);
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }
}
