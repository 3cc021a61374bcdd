using System.CommandLine;
using S2ILGPU.Cli.Training;

namespace S2ILGPU.Cli.Commands;

/// <summary><c>s2 train</c>: corpus, tokenizer, model, training, model folder, sample.</summary>
internal sealed class TrainCommand
{
    private const string OfPreset = "of the preset";

    private readonly Option<string[]> _data = DataOption.Create("learn from");
    private readonly Option<string> _folder = new("--out") { Description = "Model folder", HelpName = "DIR",
        DefaultValueFactory = _ => ModelOption.DefaultFolder };
    private readonly Option<string?> _preset = Options.Choice("--preset", [.. TrainingPreset.All.Select(p => p.Name)],
        "Size and schedule", "default");
    private readonly Option<int?> _steps = Options.OptionalNumber<int>("--steps", "Optimizer steps", least: 1,
        unset: OfPreset);
    private readonly Option<int?> _context = Options.OptionalNumber<int>("--context", "Tokens of a training sequence",
        least: 2, unset: OfPreset);
    private readonly Option<int?> _batch = Options.OptionalNumber<int>("--batch", "Sequences per forward pass",
        least: 1, unset: OfPreset);
    private readonly Option<int?> _accumulate = Options.OptionalNumber<int>("--accumulate",
        "Forward passes whose gradients make one step", least: 1, unset: OfPreset);
    private readonly Option<float?> _learningRate = Options.OptionalNumber<float>("--learning-rate",
        "Highest learning rate", least: 0, most: 10, unset: OfPreset);
    private readonly Option<string?> _attention = Options.Choice("--attention", ["dense", "s2", "hybrid"],
        "Attention of the layers; hybrid begins with dense ones", "hybrid");
    private readonly Option<string?> _precision = Options.Choice("--precision", ["fp32", "bf16"],
        "Activations, their gradients and the matrices that products read; bf16 takes half, beside fp32 weights",
        "fp32");
    private readonly Option<int> _seed = Options.Number("--seed", 1, "Seed of weights and data order");
    private readonly Option<bool> _recompute = Options.Switch("--recompute",
        "Recompute activations in the backward pass: less memory, about a third more work");
    private readonly Option<bool> _resume = Options.Switch("--resume",
        "Continue the run in the model folder from its last checkpoint");
    private readonly Option<string> _device = DeviceOption.Create();

    public static Command Create() => new TrainCommand().CreateCommand();

    private Command CreateCommand()
    {
        var command = new Command("train", "Train a transformer with sparsely-sharded attention.")
        {
            _data, _folder, _preset, _steps, _context, _batch, _accumulate, _learningRate, _attention, _precision,
            _seed, _recompute, _resume, _device,
        };
        command.SetAction((parsed, cancellation) =>
        {
            var request = Request(parsed);
            var (output, error) = (parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error);
            // On a thread of its own, so that Ctrl+C reaches the token while the steps run.
            return Task.Run(() => new TrainingRun(request, output, error).Run(cancellation), CancellationToken.None);
        });
        return command;
    }

    private TrainingRequest Request(ParseResult parsed)
    {
        bool isResumed = parsed.GetValue(_resume);
        Option[] fixedOptions = [_preset, _context, _batch, _accumulate, _attention, _precision, _seed,
            _recompute];
        if (isResumed && fixedOptions.FirstOrDefault(o => parsed.GetResult(o) is { Implicit: false }) is { } given)
            throw new ArgumentException(
                $"{given.Name} cannot be given with --resume, which continues the run as it was started; only "
                + "--out, --data, --steps, --learning-rate and --device can");
        return new TrainingRequest
        {
            Folder = parsed.GetValue(_folder) is { Length: > 0 } folder ? folder
                : throw new ArgumentException("--out is empty"),
            IsResumed = isResumed,
            Device = parsed.GetValue(_device)!,
            Preset = TrainingPreset.Find(parsed.GetValue(_preset)!),
            Attention = parsed.GetValue(_attention)!,
            Data = parsed.GetValue(_data) ?? [],
            Steps = parsed.GetValue(_steps),
            Context = parsed.GetValue(_context),
            Batch = parsed.GetValue(_batch),
            Accumulation = parsed.GetValue(_accumulate),
            LearningRate = parsed.GetValue(_learningRate),
            Precision = DeviceOption.TypeOf(parsed.GetValue(_precision)),
            Seed = parsed.GetValue(_seed),
            Recompute = parsed.GetValue(_recompute),
        };
    }
}
