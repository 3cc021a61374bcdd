using System.CommandLine;
using System.Text;
using System.Text.Json;
using S2ILGPU.Cli.Bench;
using S2ILGPU.Cli.Devices;
using S2ILGPU.Cli.DotNetDocumentation;
using S2ILGPU.Cli.Json;
using S2ILGPU.Engines;
using S2ILGPU.Models;

namespace S2ILGPU.Cli.Commands;

/// <summary><c>s2 bench sample</c>: what SampleAttention saves of the time to the first token.</summary>
internal static class SampleBenchCommand
{
    private static readonly int[] s_lengths = [8 << 10, 16 << 10], s_longLengths = [32 << 10, 64 << 10];

    public static Command Create()
    {
        var folder = Options.Text("--model", "DIR", "Folder of a dense model, which reads .NET documentation",
            unset: "random weights with peaked attention");
        var attention = Options.Text("--attention", "SAMPLE", "How blocks are chosen, as in sample:alpha=0.9",
            unset: "sample:alpha=0.95");
        var tokens = Options.OptionalNumber<int>("--tokens", "Tokens of the only prompt", least: 1,
            unset: "8192, then 16384");
        var full = Options.Switch("--full", "Prompts of 32768 and 65536 tokens too");
        var device = DeviceOption.Create();
        var json = Options.Json();
        var command = new Command("sample",
            "Time prompts until their first token: a dense model beside SampleAttention, in turn.") { folder,
            attention, tokens, full, device, json };
        command.SetAction((parsed, cancellation) =>
        {
            int[] lengths = parsed.GetValue(tokens) is { } only ? [only]
                : parsed.GetValue(full) ? [.. s_lengths, .. s_longLengths] : s_lengths;
            var options = SampleAttentionOptions.Parse(parsed.GetValue(attention) ?? "sample");
            var request = new Request(lengths, options, parsed.GetValue(folder), parsed.GetValue(device)!,
                parsed.GetValue(json));
            var streams = parsed.InvocationConfiguration;
            return Task.Run(() => Run(request, streams, cancellation), CancellationToken.None);
        });
        return command;
    }

    private static int Run(Request request, InvocationConfiguration streams, CancellationToken cancellation)
    {
        int longest = request.Lengths.Max();
        using var engine = Engine.Create(request.Device);
        using var loaded = request.Folder is null ? null : ModelOption.Load(ModelOption.Existing("--model",
            request.Folder), engine, null, null, streams.Error, cancellation);
        using var random = loaded is null ? PeakedModel.Create(engine, longest) : null;
        var model = loaded?.Model ?? random!;
        int[] tokens = loaded is null ? RandomTokens(longest, model.Config.VocabularySize)
            : loaded.Tokenizer.Encode(Text(8 * longest));
        string name = request.Folder ?? PeakedModel.Description;
        var lines = request.IsJson ? TextWriter.Null : streams.Output;
        lines.WriteLine($"{engine.Name}; {name}");
        var bench = new SampleBench(engine, model, tokens, request.Options);
        var prompts = new List<SampleTimes>();
        foreach (int length in request.Lengths)
        {
            prompts.Add(bench.Measure(length, cancellation));
            lines.WriteLine(prompts[^1].Line);
        }
        lines.WriteLine(loaded is null
            ? "This shows what choosing and skipping blocks cost and save where attention is as sparse as here. How "
                + "sparse a trained model's is, and what leaving blocks out does to its text, --model and s2 eval show."
            : "This shows nothing of the model's text: s2 eval --attention sample compares the loss.");
        if (request.IsJson)
            JsonText.WriteLine(streams.Output, json => Write(json, engine.Name, name, prompts));
        return 0;
    }

    private static void Write(Utf8JsonWriter json, string device, string model, List<SampleTimes> prompts)
    {
        json.WriteStartObject();
        json.WriteString("device", device);
        json.WriteString("model", model);
        json.WriteStartArray("prompts");
        foreach (var prompt in prompts)
        {
            json.WriteStartObject();
            prompt.Write(json);
            SampleReport.WriteJson(json, prompt.Figures);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static string Text(int bytes)
    {
        var corpus = ReferencePacks.ReadCorpus(bytes);
        return string.Concat(Enumerable.Range(0, corpus.DocumentCount)
            .Select(document => Encoding.UTF8.GetString(corpus.Document(document))));
    }

    private static int[] RandomTokens(int count, int vocabularySize)
    {
        var random = new Random(1);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(vocabularySize))];
    }

    private sealed record Request(int[] Lengths, SampleAttentionOptions Options, string? Folder, string Device,
        bool IsJson);
}
