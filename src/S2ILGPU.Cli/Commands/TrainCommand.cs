using System.CommandLine;
using S2ILGPU.Cli.Training;

namespace S2ILGPU.Cli.Commands;

/// <summary><c>s2 train</c>: corpus, tokenizer, model, training, model folder, sample.</summary>
internal static class TrainCommand
{
    public static Command Create()
    {
        var data = new Option<string[]>("--data")
        {
            Description =
                "files, folders or patterns to learn from; by default the documentation of .NET that every SDK carries",
                AllowMultipleArgumentsPerToken = true,
        };
        var folder = new Option<string>("--out") { Description = "model folder", DefaultValueFactory = _ => "runs/s2" };
        var preset = new Option<string>("--preset") { Description =
            $"size and schedule: {string.Join(", ", TrainingPreset.All.Select(p => p.Name))}",
            DefaultValueFactory = _ => "default" };
        var steps = Options.OptionalNumber<int>("--steps", "optimizer steps");
        var context = Options.OptionalNumber<int>("--context", "tokens of a training sequence");
        var batch = Options.OptionalNumber<int>("--batch", "sequences of a step");
        var learningRate = Options.OptionalNumber<float>("--learning-rate", "highest learning rate");
        var attention = new Option<string>("--attention") { Description = "dense, s2 or hybrid",
            DefaultValueFactory = _ => "hybrid" };
        var seed = Options.Number("--seed", 1, "seed of weights and data order");
        var recompute = new Option<bool>("--recompute") { Description =
            "recompute activations in the backward pass: less memory, about a third more work" };
        var resume = new Option<bool>("--resume") { Description = "continue the run in the model folder" };
        var device = DeviceOption.Create();
        var command = new Command("train", "Train a transformer with sparsely-sharded attention.")
        {
            data, folder, preset, steps, context, batch, learningRate, attention, seed, recompute, resume, device,
        };
        command.SetAction((parsed, cancellation) =>
        {
            bool isResumed = parsed.GetValue(resume);
            Option[] fixedOptions = [data, preset, context, batch, learningRate, attention, seed, recompute];
            if (isResumed && fixedOptions.FirstOrDefault(o => parsed.GetResult(o) is { Implicit: false }) is { } given)
                throw new ArgumentException(
                    $"{given.Name} cannot be given with --resume, which continues the run as it was started; only "
                    + $"--out, --steps and --device can");
            var request = new TrainingRequest
            {
                Folder = parsed.GetResult(folder) is { Implicit: false } || isResumed ? parsed.GetValue(folder)!
                    : TrainingRequest.UnusedFolder(parsed.GetValue(folder)!),
                IsResumed = isResumed,
                Device = parsed.GetValue(device)!,
                Preset = TrainingPreset.Find(parsed.GetValue(preset)!),
                Attention = parsed.GetValue(attention)!,
                Data = parsed.GetValue(data) ?? [],
                Steps = parsed.GetValue(steps),
                Context = parsed.GetValue(context),
                Batch = parsed.GetValue(batch),
                LearningRate = parsed.GetValue(learningRate),
                Seed = parsed.GetValue(seed),
                Recompute = parsed.GetValue(recompute),
            };
            // On a thread of its own, so that Ctrl+C reaches the token while the steps run.
            return Task.Run(() => new TrainingRun(request, parsed.InvocationConfiguration.Output).Run(cancellation),
                CancellationToken.None);
        });
        return command;
    }
}
