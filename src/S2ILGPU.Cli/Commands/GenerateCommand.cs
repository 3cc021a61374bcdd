using System.CommandLine;
using S2ILGPU.Cli.Devices;
using S2ILGPU.Cli.Invocation;
using S2ILGPU.Cli.Json;
using S2ILGPU.Engines;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Commands;

/// <summary><c>s2 generate</c>: continues a prompt with a trained model.</summary>
internal static class GenerateCommand
{
    /// <summary>The one option that may be empty.</summary>
    public const string PromptOption = "--prompt";

    private const string FromInput = "-";

    public static Command Create()
    {
        var defaults = new SamplingOptions();
        var folder = ModelOption.Create();
        var prompt = Options.Text(PromptOption, "TEXT",
            "Text to continue; - reads standard input; empty begins a document",
            unset: "standard input where that is a file or a pipe");
        var maxTokens = Options.Number("--max-tokens", 200, "The most tokens to generate", least: 0);
        var temperature = Options.Number("--temperature", defaults.Temperature, "0 always takes the most likely token",
            least: 0, most: 100);
        var topK = Options.Number("--top-k", defaults.TopK, "Draw from the N most likely tokens; 0 for all", least: 0);
        var topP = Options.Number("--top-p", defaults.TopP,
            "Draw from the most likely tokens that reach this probability", least: 0, most: 1);
        var seed = Options.Number("--seed", defaults.Seed, "Seed of the draws");
        var json = Options.Json();
        var precision = DeviceOption.Precision();
        var cache = DeviceOption.Cache();
        var device = DeviceOption.Create();
        var command = new Command("generate", "Continue a prompt with a trained model.") { folder, prompt, maxTokens,
            temperature, topK, topP, seed, json, precision, cache, device };
        command.SetAction((parsed, cancellation) =>
        {
            var sampling = new SamplingOptions
            {
                Temperature = parsed.GetValue(temperature),
                TopK = parsed.GetValue(topK),
                TopP = parsed.GetValue(topP),
                Seed = parsed.GetValue(seed),
            }.Validate();
            var request = new Request(ModelOption.Folder(parsed, folder), parsed.GetValue(prompt),
                parsed.GetValue(maxTokens), sampling, parsed.GetValue(json), parsed.GetValue(device)!,
                DeviceOption.TypeOf(parsed.GetValue(precision)), DeviceOption.CacheType(parsed.GetValue(cache)));
            var streams = (ToolConfiguration)parsed.InvocationConfiguration;
            return Interruptible.RunAsync(() => Run(request, streams, cancellation), cancellation);
        });
        return command;
    }

    private static int Run(Request request, ToolConfiguration streams, CancellationToken cancellation)
    {
        string prompt = Prompt(request.Prompt, streams.Input);
        using var engine = Engine.Create(request.Device);
        DeviceChoice.CheckPrecision(engine, request.Precision);
        using var loaded = ModelFolder.Load(request.Folder, engine, matrixType: request.Precision,
            activationType: request.Precision);
        var notes = EngineNotes.Begin(engine, loaded.Model.Config, request.CacheType, streams.Error);
        using var generator = new TextGenerator(loaded.Model, loaded.Tokenizer,
            new KeyValueCacheOptions { ElementType = request.CacheType }, loaded.EndTokens);
        var pieces = generator.Generate(prompt, request.MaxTokens, request.Sampling, cancellation);
        if (request.IsJson)
            WriteJson(streams.Output, prompt, string.Concat(pieces));
        else
            Write(streams.Output, prompt, pieces);
        notes.WriteNew();
        return 0;
    }

    // The line end that echo and editors add is not part of the prompt.
    private static string Prompt(string? given, TextReader? input)
    {
        if (given is not (null or FromInput))
            return given;
        if (input is null)
            return given is null ? ""
                : throw new ArgumentException("--prompt -: standard input is a terminal; pipe the text into s2");
        string text = input.ReadToEnd();
        return text.EndsWith("\r\n", StringComparison.Ordinal) ? text[..^2] : text.EndsWith('\n') ? text[..^1] : text;
    }

    private static void Write(TextWriter output, string prompt, IEnumerable<string> pieces)
    {
        output.Write(TerminalText.For(output, prompt));
        foreach (string piece in pieces)
        {
            output.Write(TerminalText.For(output, piece));
            output.Flush();
        }
        output.WriteLine();
    }

    private static void WriteJson(TextWriter output, string prompt, string text) =>
        JsonText.WriteLine(output, writer =>
        {
            writer.WriteStartObject();
            writer.WriteString("prompt", prompt);
            writer.WriteString("text", text);
            writer.WriteEndObject();
        });

    private sealed record Request(string Folder, string? Prompt, int MaxTokens, SamplingOptions Sampling, bool IsJson,
        string Device, ElementType? Precision, ElementType? CacheType);
}
