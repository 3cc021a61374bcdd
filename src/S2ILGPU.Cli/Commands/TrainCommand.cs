using System.CommandLine;
using S2ILGPU.Cli.Training;
using S2ILGPU.Distributed;

namespace S2ILGPU.Cli.Commands;

/// <summary><c>s2 train</c>: corpus, tokenizer, model, training, model folder, sample.</summary>
internal sealed class TrainCommand
{
    private const string OfPreset = "of the preset, or for fine-tuning";

    private readonly Option<string[]> _data = DataOption.Create("learn from");
    private readonly Option<string> _folder = new("--out") { Description = "Model folder", HelpName = "DIR",
        DefaultValueFactory = _ => ModelOption.DefaultFolder };
    private readonly Option<string?> _from = Options.Text("--from", "DIR",
        "Model folder to fine-tune, of s2 or of Hugging Face: its weights, tokenizer and attention",
        unset: "none, random weights");
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
    private readonly Option<string?> _attention = AttentionOption.CreateOfPreset();
    private readonly Option<string?> _precision = Options.Choice("--precision", ["fp32", "bf16"],
        "Activations, their gradients and the matrices that products read; bf16 takes half, beside fp32 weights",
        "fp32");
    private readonly Option<int> _seed = Options.Number("--seed", 1, "Seed of weights and data order");
    private readonly Option<bool> _recompute = Options.Switch("--recompute",
        "Recompute activations in the backward pass: less memory, about a third more work");
    private readonly Option<bool> _resume = Options.Switch("--resume",
        "Continue the run in the model folder from its last checkpoint");
    private readonly Option<string> _device = DeviceOption.CreateShared();
    private readonly Option<int?> _ranks = Options.OptionalNumber<int>("--ranks",
        "Ranks to start as threads; with an MPI launcher (mpirun -n N) processes are ranks", least: 1,
        unset: "one per device");
    private readonly Option<int?> _dataParallel = Options.OptionalNumber<int>("--data-parallel",
        "Groups of ranks that share the forward passes of a step", least: 1, unset: "all ranks");
    private readonly Option<int?> _contextParallel = Options.OptionalNumber<int>("--context-parallel",
        "Ranks that share each sequence", least: 1, unset: "1");
    private readonly Option<string?> _contextExchange = Options.Choice("--context-exchange", ["s2", "all-gather"],
        "What ranks that share a sequence send: keys and values that the pattern keeps, or all, to compare", "s2");
    private readonly Option<int?> _tensorParallel = Options.OptionalNumber<int>("--tensor-parallel",
        "Ranks that share each layer: heads and feed-forward columns", least: 1, unset: "1");

    private readonly Option<int> _rankTimeout = Options.Number("--rank-timeout",
        (int)MemoryRanks.DefaultDeadline.TotalSeconds,
        "Seconds that a rank waits for another before the run ends; more than writing a checkpoint takes", least: 1);

    private readonly Option<bool> _tf32 = DeviceOption.Tf32();

    public static Command Create() => new TrainCommand().CreateCommand();

    private Command CreateCommand()
    {
        var command = new Command("train", "Train a transformer with sparsely-sharded attention.")
        {
            _data, _folder, _from, _preset, _steps, _context, _batch, _accumulate, _learningRate, _attention,
            _precision, _seed, _recompute, _resume, _device, _tf32, _ranks, _dataParallel, _contextParallel,
            _contextExchange, _tensorParallel, _rankTimeout,
        };
        command.SetAction((parsed, cancellation) =>
        {
            var request = Request(parsed);
            var (output, error) = (parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error);
            // On a thread of its own, so that Ctrl+C reaches the token while the steps run.
            return Task.Run(() => new TrainingRanks(request, output, error).Run(cancellation), CancellationToken.None);
        });
        return command;
    }

    private TrainingRequest Request(ParseResult parsed)
    {
        bool isResumed = parsed.GetValue(_resume);
        Option[] fixedOptions = [_from, _preset, _context, _batch, _accumulate, _attention, _precision, _seed,
            _recompute];
        if (isResumed && fixedOptions.FirstOrDefault(IsGiven) is { } given)
            throw new ArgumentException(
                $"{given.Name} cannot be given with --resume, which continues the run as it was started; only "
                + "--out, --data, --steps, --learning-rate, --device, --tf32 and the ranks can");
        var checkpoint = parsed.GetValue(_from) is { } from
            ? Checkpoint.Open(ModelOption.Existing(_from.Name, from)) : null;
        if (checkpoint is not null && IsGiven(_preset))
            throw new ArgumentException(
                $"{_preset.Name} cannot be given with {_from.Name}, which takes the size of the checkpoint");
        if (checkpoint is not null && parsed.GetValue(_tensorParallel) > 1)
            throw new ArgumentException($"{_tensorParallel.Name} cannot be given with {_from.Name}, which reads whole "
                + "layers: begin without it, then --resume on any grid");
        return new TrainingRequest
        {
            Folder = parsed.GetValue(_folder) is { Length: > 0 } folder ? folder
                : throw new ArgumentException("--out is empty"),
            IsResumed = isResumed,
            Devices = DeviceOption.Split(parsed.GetValue(_device)!),
            AllowTf32 = parsed.GetValue(_tf32),
            Ranks = parsed.GetValue(_ranks),
            DataParallel = parsed.GetValue(_dataParallel),
            ContextParallel = parsed.GetValue(_contextParallel),
            ContextScheme = parsed.GetValue(_contextExchange) == "all-gather" ? ContextScheme.AllGather
                : ContextScheme.KeptBlocks,
            TensorParallel = parsed.GetValue(_tensorParallel),
            RankTimeout = TimeSpan.FromSeconds(parsed.GetValue(_rankTimeout)),
            Preset = TrainingPreset.Find(parsed.GetValue(_preset)!),
            Checkpoint = checkpoint,
            Attention = checkpoint is null || IsGiven(_attention) ? parsed.GetValue(_attention) : null,
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

        bool IsGiven(Option option) => parsed.GetResult(option) is { Implicit: false };
    }
}
