using System.CommandLine;
using S2ILGPU.Engines;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Commands;

/// <summary><c>s2 generate</c>: continues a prompt with a trained model.</summary>
internal static class GenerateCommand
{
    public static Command Create()
    {
        var defaults = new SamplingOptions();
        var folder = new Option<string>("--model") { Description = "model folder", Required = true };
        var prompt = new Option<string>("--prompt") { Description = "text to continue; empty begins a new document",
            DefaultValueFactory = _ => "" };
        var maxTokens = Options.Number("--max-tokens", 200, "the most tokens to generate");
        var temperature = Options.Number("--temperature", defaults.Temperature, "0 always takes the most likely token");
        var topK = Options.Number("--top-k", defaults.TopK, "draw from the k most likely tokens; 0 for all");
        var topP = Options.Number("--top-p", defaults.TopP,
            "draw from the most likely tokens that reach this probability");
        var seed = Options.Number("--seed", defaults.Seed, "seed of the draws");
        var weights = DeviceOption.Weights();
        var cache = DeviceOption.Cache();
        var device = DeviceOption.Create();
        var command = new Command("generate", "Continue a prompt with a trained model.") { folder, prompt, maxTokens,
            temperature, topK, topP, seed, weights, cache, device };
        command.SetAction((parsed, cancellation) =>
        {
            var sampling = new SamplingOptions { Temperature = parsed.GetValue(temperature),
                TopK = parsed.GetValue(topK), TopP = parsed.GetValue(topP), Seed = parsed.GetValue(seed) }.Validate();
            var request = new Request(parsed.GetValue(folder)!, parsed.GetValue(prompt)!, parsed.GetValue(maxTokens),
                sampling, parsed.GetValue(device)!,
                DeviceOption.MatrixType(parsed.GetValue(weights)), DeviceOption.CacheType(parsed.GetValue(cache)));
            return Task.Run(() => Run(request, parsed.InvocationConfiguration.Output, cancellation),
                CancellationToken.None);
        });
        return command;
    }

    private static int Run(Request request, TextWriter output, CancellationToken cancellation)
    {
        var tokenizer = ModelFolder.LoadTokenizer(request.Folder);
        using var engine = Engine.Create(request.Device);
        using var model = ModelFolder.LoadModel(request.Folder, engine, request.MatrixType);
        using var generator = new TextGenerator(model, tokenizer,
            new KeyValueCacheOptions { ElementType = request.CacheType });
        var pieces = generator.Generate(request.Prompt, request.MaxTokens, request.Sampling, cancellation);
        output.Write(request.Prompt);
        foreach (string piece in pieces)
        {
            output.Write(piece);
            output.Flush();
        }
        output.WriteLine();
        return 0;
    }

    private sealed record Request(string Folder, string Prompt, int MaxTokens, SamplingOptions Sampling, string Device,
        ElementType? MatrixType, ElementType? CacheType);
}
