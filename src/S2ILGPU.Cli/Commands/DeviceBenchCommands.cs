using System.CommandLine;
using S2ILGPU.Cli.Bench;
using S2ILGPU.Cli.Bench.Device;
using S2ILGPU.Cli.Devices;
using S2ILGPU.Cli.Training;
using S2ILGPU.Engines;

namespace S2ILGPU.Cli.Commands;

/// <summary><c>s2 bench attention</c>, <c>matmul</c>, <c>train</c> and <c>decode</c>: what a device does with the parts
/// of a transformer, and with all of it.</summary>
internal sealed class DeviceBenchCommands
{
    private const string OfDevice = "for the device";

    private readonly Option<string?> _preset = Options.Choice("--preset", [.. TrainingPreset.All.Select(p => p.Name)],
        "Shape of the model, as in s2 train", unset: OfDevice);
    private readonly Option<int?> _rows = Options.OptionalNumber<int>("--rows", "Tokens of a step", least: 1,
        unset: OfDevice);
    private readonly Option<int?> _context = Options.OptionalNumber<int>("--context",
        "Tokens of a sequence; while decoding, positions in the cache", least: 16, unset: OfDevice);
    private readonly Option<int?> _batch = Options.OptionalNumber<int>("--batch", "Sequences of a step", least: 1,
        unset: OfDevice);
    private readonly Option<string?> _precision = DeviceOption.Precision();
    private readonly Option<bool> _varied = Options.Switch("--varied",
        "Lengths that no recent call had, so that the host's plans are measured too; sequences of different lengths "
        + "while a model decodes");

    /// <summary>The commands.</summary>
    public static IEnumerable<Command> Create()
    {
        yield return new DeviceBenchCommands().CreateAttention();
        yield return new DeviceBenchCommands().CreateProducts();
        yield return new DeviceBenchCommands().CreateTraining();
        yield return new DeviceBenchCommands().CreateDecoding();
    }

    private Command CreateAttention() => DeviceBenchCommand.Create("attention",
        "Time attention forward, backward and decoding on a device: dense and sparse in turn, beside the ceiling.",
        [_varied], (parsed, engine, device, settings, show, cancellation) =>
            new DeviceBench(engine, device, settings with { IsVaried = parsed.GetValue(_varied) })
                .Run(show, cancellation).Notes);

    private Command CreateProducts() => DeviceBenchCommand.Create("matmul",
        "Time the matrix products of a preset's layer and head on a device, forward and both gradients.",
        [_preset, _rows], (parsed, engine, device, settings, show, cancellation) =>
        {
            var defaults = ModelDefaults.Of(device.Kind);
            var preset = TrainingPreset.Find(parsed.GetValue(_preset) ?? defaults.Preset);
            var bench = new ProductBench(engine, preset.Model, parsed.GetValue(_rows) ?? defaults.Rows, settings);
            return Refusals.Catch(preset.Name, () =>
            {
                foreach (var entries in bench.Run(cancellation))
                    show(entries);
            });
        });

    private Command CreateTraining() => DeviceBenchCommand.Create("train",
        "Time the training step of a preset on a device: dense, S2 and hybrid attention in turn, beside the ceiling.",
        [_preset, _context, _batch, _precision], (parsed, engine, device, settings, show, cancellation) =>
            Models(parsed, device, isDecode: false, (size, defaults) =>
                show(new ModelBench(engine, size, defaults.Rounds(settings)).Train(cancellation))));

    private Command CreateDecoding() => DeviceBenchCommand.Create("decode",
        "Time the decoding step of a preset's model on a device: dense, S2 and hybrid attention in turn.",
        [_preset, _context, _batch, _precision, _varied],
        (parsed, engine, device, settings, show, cancellation) =>
            Models(parsed, device, isDecode: true, (size, defaults) =>
                show(new ModelBench(engine, size, defaults.Rounds(settings))
                    .Decode(parsed.GetValue(_varied), cancellation))));

    private IReadOnlyList<string> Models(ParseResult parsed, DeviceInfo device, bool isDecode,
        Action<ModelSize, ModelDefaults> measure)
    {
        var defaults = ModelDefaults.Of(device.Kind);
        var preset = TrainingPreset.Find(parsed.GetValue(_preset) ?? defaults.Preset);
        var activations = DeviceOption.TypeOf(parsed.GetValue(_precision));
        var size = new ModelSize(preset,
            parsed.GetValue(_batch) ?? (isDecode ? defaults.DecodeSequences : preset.Options.BatchSequences),
            parsed.GetValue(_context) ?? preset.Model.ContextTokens, activations);
        return Refusals.Catch(preset.Name, () => measure(size, defaults));
    }
}
