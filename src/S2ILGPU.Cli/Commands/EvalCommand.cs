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
        var precision = DeviceOption.Precision();
        var device = DeviceOption.Create();
        var command = new Command("eval", "Measure the loss of a trained model on text.") { files, folder, data,
            maxBytes, context, json, precision, device };
        command.SetAction((parsed, cancellation) =>
        {
            var request = new Request(ModelOption.Folder(parsed, folder),
                [.. parsed.GetValue(files) ?? [], .. parsed.GetValue(data) ?? []], parsed.GetValue(maxBytes),
                parsed.GetValue(context), parsed.GetValue(device)!, DeviceOption.TypeOf(parsed.GetValue(precision)));
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
        DeviceChoice.CheckPrecision(engine, request.Precision);
        using var loaded = ModelFolder.Load(request.Folder, engine, matrixType: request.Precision,
            activationType: request.Precision);
        var (model, tokenizer) = (loaded.Model, loaded.Tokenizer);
        int context = request.Context ?? model.Config.ContextTokens;
        if (context > model.Config.ContextTokens)
            throw new ArgumentException(
                $"--context must be 1 to {model.Config.ContextTokens} (the model's context), got {context}");
        var notes = EngineNotes.Begin(engine, model.Config, cache: null, streams.Error);
        var data = TokenDataset.Create(tokenizer, corpus);
        double loss = Evaluation.MeanLoss(model, data, context, cancellation: cancellation);
        notes.WriteNew();
        if (!double.IsFinite(loss))
            throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture,
                $"the loss is {loss}: the weights in {request.Folder} are damaged"));
        if (isJson)
            WriteJson(output, data, loss);
        else
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{corpus}; {data.TokenCount:#,0} tokens in windows of {context:#,0}\n"
                + $"loss {loss:0.0000} nats/token, perplexity {Math.Exp(loss):0.00}, "
                + $"{data.BitsPerByte(loss):0.0000} bits/byte; "
                + $"unigram entropy {data.EntropyBitsPerByte:0.0000} bits/byte"));
        return 0;
    }

    private static void WriteJson(TextWriter output, TokenDataset data, double loss) =>
        JsonText.WriteLine(output, writer =>
        {
            writer.WriteStartObject();
            writer.WriteNumber("tokens", data.TokenCount);
            writer.WriteNumber("loss", loss);
            JsonText.WriteNumber(writer, "perplexity", Math.Exp(loss));
            writer.WriteNumber("bitsPerByte", data.BitsPerByte(loss));
            writer.WriteNumber("unigramBitsPerByte", data.EntropyBitsPerByte);
            writer.WriteEndObject();
        });

    private sealed record Request(string Folder, IReadOnlyList<string> Data, int MaxBytes, int? Context, string Device,
        ElementType? Precision);
}
