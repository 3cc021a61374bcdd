using System.CommandLine;
using S2ILGPU.Backends;
using S2ILGPU.Inference;
using S2ILGPU.Tensors;
using S2ILGPU.Training;

namespace S2ILGPU.Cli.Commands;

/// <summary><c>s2 generate</c>: continues a prompt with a trained model.</summary>
internal static class GenerateCommand
{
    public static Command Create()
    {
        var defaults = new SamplingOptions();
        var folder = new Option<string>("--model") { Description = "model folder", Required = true };
        var prompt = new Option<string>("--prompt") { Description = "text to continue; empty begins a new document", DefaultValueFactory = _ => "" };
        var maxTokens = new Option<int>("--max-tokens") { Description = "the most tokens to generate", DefaultValueFactory = _ => 200 };
        var temperature = new Option<float>("--temperature") { Description = "0 always takes the most likely token", DefaultValueFactory = _ => defaults.Temperature };
        var topK = new Option<int>("--top-k") { Description = "draw from the k most likely tokens; 0 for all", DefaultValueFactory = _ => defaults.TopK };
        var topP = new Option<float>("--top-p") { Description = "draw from the most likely tokens that reach this probability", DefaultValueFactory = _ => defaults.TopP };
        var seed = new Option<ulong>("--seed") { Description = "seed of the draws", DefaultValueFactory = _ => defaults.Seed };
        var weights = DeviceOption.Weights();
        var device = DeviceOption.Create();
        var command = new Command("generate", "Continue a prompt with a trained model.") { folder, prompt, maxTokens, temperature, topK, topP, seed, weights, device };
        command.SetAction((parsed, cancellation) =>
        {
            var sampling = new SamplingOptions { Temperature = parsed.GetValue(temperature), TopK = parsed.GetValue(topK), TopP = parsed.GetValue(topP), Seed = parsed.GetValue(seed) }.Validate();
            return Task.Run(() => Run(parsed.GetValue(folder)!, parsed.GetValue(prompt)!, parsed.GetValue(maxTokens), sampling, parsed.GetValue(device)!,
                DeviceOption.MatrixType(parsed.GetValue(weights)), parsed.InvocationConfiguration.Output, cancellation), CancellationToken.None);
        });
        return command;
    }

    private static int Run(string folder, string prompt, int maxTokens, SamplingOptions sampling, string device, ElementType? matrixType, TextWriter output, CancellationToken cancellation)
    {
        var tokenizer = ModelFolder.LoadTokenizer(folder);
        using var engine = Engine.Create(device);
        using var model = ModelFolder.LoadModel(folder, engine, matrixType);
        using var generator = new TextGenerator(model, tokenizer);
        var pieces = generator.Generate(prompt, maxTokens, sampling, cancellation);
        output.Write(prompt);
        foreach (string piece in pieces)
        {
            output.Write(piece);
            output.Flush();
        }
        output.WriteLine();
        return 0;
    }
}
