using System.CommandLine;
using S2ILGPU.Cli.Bench;
using S2ILGPU.Cli.Devices;
using S2ILGPU.Cli.Invocation;
using S2ILGPU.Cli.Json;
using S2ILGPU.Engines;
using S2ILGPU.Grammars;
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
        var folder = ModelOption.Create();
        var prompt = Options.Text(PromptOption, "TEXT",
            "Text to continue; - reads standard input; empty begins a document",
            unset: "standard input where that is a file or a pipe");
        var maxTokens = Options.Number("--max-tokens", 200, "The most tokens to generate", least: 0);
        var text = new TextOptions();
        var json = Options.Json();
        var attention = AttentionOption.CreateOfRun();
        var precision = DeviceOption.PrecisionOfFiles();
        var cache = DeviceOption.Cache();
        var speculate = DeviceOption.Speculate();
        var device = DeviceOption.Create();
        var command = new Command("generate", "Continue a prompt with a trained model.") { folder, prompt, maxTokens };
        text.AddTo(command);
        foreach (Option option in (Option[])[json, attention, precision, cache, speculate, device])
            command.Add(option);
        command.SetAction((parsed, cancellation) =>
        {
            var (sampling, grammar) = (text.Sampling(parsed), text.Grammar(parsed));
            var request = new Request(ModelOption.Folder(parsed, folder), parsed.GetValue(prompt),
                parsed.GetValue(maxTokens), sampling, text.Stop(parsed), grammar,
                parsed.GetValue(json), parsed.GetValue(device)!, DeviceOption.TypeOfFiles(parsed.GetValue(precision)),
                DeviceOption.CacheType(parsed.GetValue(cache)), parsed.GetValue(attention), parsed.GetValue(speculate));
            var streams = (ToolConfiguration)parsed.InvocationConfiguration;
            return Interruptible.RunAsync(() => Run(request, streams, cancellation), cancellation);
        });
        return command;
    }

    private static int Run(Request request, ToolConfiguration streams, CancellationToken cancellation)
    {
        string prompt = Prompt(request.Prompt, streams.Input);
        using var engine = Engine.Create(request.Device);
        using var loaded = ModelOption.Load(request.Folder, engine, request.Precision, request.Attention,
            streams.Error, cancellation);
        ModelOption.NoteUnused(loaded, streams.Error);
        var notes = EngineNotes.Begin(engine, loaded.Model, request.CacheType, streams.Error);
        using var generator = new TextGenerator(loaded.Model, loaded.Tokenizer,
            new KeyValueCacheOptions { ElementType = request.CacheType }, loaded.EndTokens);
        var pieces = generator.Generate(prompt, request.MaxTokens, request.Sampling(loaded.Generation), cancellation,
            request.Stop, request.Grammar, request.Speculate);
        if (request.IsJson)
            WriteJson(streams.Output, prompt, string.Concat(pieces));
        else
            Write(streams.Output, prompt, pieces);
        notes.WriteNew();
        foreach (string line in SampleReport.Lines(loaded.Model))
            streams.Error.WriteLine(line);
        if (request.Speculate > 0)
            streams.Error.WriteLine("speculation: " + SpeculationText.Of(generator.Speculation.Proposals,
                generator.Speculation.ProposedTokens, generator.Speculation.AcceptedTokens));
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

    private sealed record Request(string Folder, string? Prompt, int MaxTokens,
        Func<GenerationDefaults, SamplingOptions> Sampling,
        IReadOnlyList<string> Stop, Grammar? Grammar, bool IsJson, string Device,
        ElementType? Precision, ElementType? CacheType, string? Attention, int Speculate);
}
