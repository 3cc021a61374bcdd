using System.CommandLine;
using System.Globalization;
using S2ILGPU.Cli.Devices;
using S2ILGPU.Cli.DotNetDocumentation;
using S2ILGPU.Cli.Invocation;
using S2ILGPU.Cli.Json;
using S2ILGPU.Corpora;
using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.Tensors;
using S2ILGPU.Tokenizers;
using S2ILGPU.Training;

namespace S2ILGPU.Cli.Commands;

/// <summary><c>s2 eval</c>: the loss of a model on text.</summary>
internal static class EvalCommand
{
    private const string Dense = "dense";

    public static Command Create()
    {
        var files = new Argument<string[]>("DATA")
        {
            Description = "The same as --data",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var folder = ModelOption.Create();
        var data = DataOption.Create("measure on");
        var maxBytes = DataOption.MaxBytes();
        var context = Options.OptionalNumber<int>("--context", "Tokens of a window", least: 1,
            unset: "the model's context");
        var json = Options.Json();
        var attention = AttentionOption.CreateOfRun();
        var precision = DeviceOption.PrecisionOfFiles();
        var device = DeviceOption.Create();
        var command = new Command("eval", "Measure the loss of a trained model on text.") { files, folder, data,
            maxBytes, context, json, attention, precision, device };
        command.SetAction((parsed, cancellation) =>
        {
            var request = new Request(ModelOption.Folder(parsed, folder),
                [.. parsed.GetValue(files) ?? [], .. parsed.GetValue(data) ?? []], parsed.GetValue(maxBytes),
                parsed.GetValue(context), parsed.GetValue(device)!,
                DeviceOption.TypeOfFiles(parsed.GetValue(precision)), parsed.GetValue(attention));
            var (isJson, streams) = (parsed.GetValue(json), parsed.InvocationConfiguration);
            return Interruptible.RunAsync(() => Run(request, isJson, streams, cancellation), cancellation);
        });
        return command;
    }

    private static int Run(Request request, bool isJson, InvocationConfiguration streams,
        CancellationToken cancellation)
    {
        var output = streams.Output;
        var corpus = ReferencePacks.ReadOr(request.Data, request.MaxBytes);
        using var engine = Engine.Create(request.Device);
        var measured = Measure(request, request.Attention, corpus, engine, streams, cancellation);
        var dense = request.Attention is null ? null
            : Measure(request, Dense, corpus, engine, streams, cancellation);
        if (isJson)
            WriteJson(output, measured, dense);
        else
        {
            output.WriteLine($"{corpus}; {measured.Describe()}");
            if (dense is not null)
                output.WriteLine(measured.Beside(dense, request.Attention!));
            if (measured.Sample is { } sample)
                foreach (string line in SampleReport.Lines(sample))
                    output.WriteLine(line);
        }
        return 0;
    }

    private static Measured Measure(Request request, string? attention, Corpus corpus,
        IEngine engine, InvocationConfiguration streams, CancellationToken cancellation)
    {
        using var loaded = ModelOption.Load(request.Folder, engine, request.Precision, attention, streams.Error,
            cancellation);
        var model = loaded.Model;
        int context = request.Context ?? model.Config.ContextTokens;
        if (context > model.Config.ContextTokens)
            throw new ArgumentException(
                $"--context must be 1 to {model.Config.ContextTokens} (the model's context), got {context}");
        var notes = EngineNotes.Begin(engine, model, cache: null, streams.Error);
        var data = TokenDataset.Create(loaded.Tokenizer, corpus, loaded.EndOfText);
        double loss = Evaluation.MeanLoss(model, data, context, cancellation: cancellation);
        notes.WriteNew();
        var sample = model.SampleAttention is null ? null : model.SampleFigures;
        return double.IsFinite(loss) ? new Measured(data, context, loss, sample)
            : throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture,
                $"the loss is {loss}: the weights in {request.Folder} are damaged"));
    }

    private static void WriteJson(TextWriter output, Measured measured, Measured? dense) =>
        JsonText.WriteLine(output, writer =>
        {
            var (data, _, loss, sample) = measured;
            writer.WriteStartObject();
            writer.WriteNumber("tokens", data.TokenCount);
            writer.WriteNumber("loss", loss);
            JsonText.WriteNumber(writer, "perplexity", Math.Exp(loss));
            writer.WriteNumber("bitsPerByte", data.BitsPerByte(loss));
            writer.WriteNumber("unigramBitsPerByte", data.EntropyBitsPerByte);
            if (dense is { Loss: var denseLoss })
            {
                writer.WriteNumber("denseLoss", denseLoss);
                writer.WriteNumber("denseBitsPerByte", data.BitsPerByte(denseLoss));
                writer.WriteNumber("bitsPerByteDifference", data.BitsPerByte(loss - denseLoss));
            }
            if (sample is not null)
                SampleReport.WriteJson(writer, sample);
            writer.WriteEndObject();
        });

    /// <summary>The loss of a text, with what turns it into bits per byte, and what blocks chosen at run time
    /// kept.</summary>
    private sealed record Measured(TokenDataset Data, int Context, double Loss, SampleAttentionFigures? Sample)
    {
        public string Describe() => string.Create(CultureInfo.InvariantCulture,
            $"{Data.TokenCount:#,0} tokens in windows of {Context:#,0}\n"
            + $"loss {Loss:0.0000} nats/token, perplexity {Math.Exp(Loss):0.00}, "
            + $"{Data.BitsPerByte(Loss):0.0000} bits/byte; "
            + $"unigram entropy {Data.EntropyBitsPerByte:0.0000} bits/byte");

        public string Beside(Measured dense, string attention) => string.Create(CultureInfo.InvariantCulture,
            $"dense {dense.Loss:0.0000} nats/token, {Data.BitsPerByte(dense.Loss):0.0000} bits/byte; {attention} "
            + $"differs by {Loss - dense.Loss:+0.0000;-0.0000;0.0000} nats/token, "
            + $"{Data.BitsPerByte(Loss - dense.Loss):+0.0000;-0.0000;0.0000} bits/byte");
    }

    private sealed record Request(string Folder, IReadOnlyList<string> Data, int MaxBytes, int? Context, string Device,
        ElementType? Precision, string? Attention);
}
