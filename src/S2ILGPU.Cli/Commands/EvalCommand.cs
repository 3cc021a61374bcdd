using System.CommandLine;
using System.Globalization;
using S2ILGPU.Cli.DotNetDocumentation;
using S2ILGPU.Corpora;
using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.Tensors;
using S2ILGPU.Tokenizers;
using S2ILGPU.Training;
using S2ILGPU.Cli.Json;

namespace S2ILGPU.Cli.Commands;

/// <summary><c>s2 eval</c>: the loss of a model on text.</summary>
internal static class EvalCommand
{
    public static Command Create()
    {
        var folder = new Option<string>("--model") { Description = "model folder", Required = true };
        var data = new Option<string[]>("--data")
        {
            Description =
                "files, folders or patterns to measure on; by default the documentation of .NET that every SDK carries",
                AllowMultipleArgumentsPerToken = true,
        };
        var maxBytes = Options.Number("--max-bytes", 1_000_000, "bytes of text to read at most");
        var context = Options.OptionalNumber<int>("--context", "tokens of a window; by default the model's context");
        var json = new Option<bool>("--json") { Description = "print one JSON object" };
        var weights = DeviceOption.Weights();
        var device = DeviceOption.Create();
        var command = new Command("eval", "Measure the loss of a trained model on text.") { folder, data, maxBytes,
            context, json, weights, device };
        command.SetAction(parsed =>
            Run(parsed.GetValue(folder)!, ReferencePacks.ReadOr(parsed.GetValue(data) ?? [], parsed.GetValue(maxBytes)),
            parsed.GetValue(context),
            parsed.GetValue(device)!, DeviceOption.MatrixType(parsed.GetValue(weights)), parsed.GetValue(json),
                parsed.InvocationConfiguration.Output));
        return command;
    }

    private static int Run(string folder, Corpus corpus, int? contextTokens, string device, ElementType? matrixType,
        bool asJson, TextWriter output)
    {
        using var engine = Engine.Create(device);
        using var loaded = ModelFolder.Load(folder, engine, matrixType);
        var (model, tokenizer) = (loaded.Model, loaded.Tokenizer);
        int context = contextTokens ?? model.Config.ContextTokens;
        if (context < 1 || context > model.Config.ContextTokens)
            throw new ArgumentException(
                $"--context must be 1 to {model.Config.ContextTokens} (the model's context), got {context}");
        var data = TokenDataset.Create(tokenizer, corpus);
        double loss = Evaluation.MeanLoss(model, data, context);
        var result = (Tokens: data.TokenCount, Loss: loss, Perplexity: Math.Exp(loss),
            BitsPerByte: data.BitsPerByte(loss), Unigram: data.EntropyBitsPerByte);
        if (asJson)
            WriteJson(output, result);
        else
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{corpus}; {result.Tokens:#,0} tokens in windows of {context:#,0}\n"
                + $"loss {result.Loss:0.0000} nats/token, perplexity {result.Perplexity:0.00}, "
                    + $"{result.BitsPerByte:0.0000} bits/byte; unigram entropy {result.Unigram:0.0000} bits/byte"));
        return 0;
    }

    private static void WriteJson(TextWriter output,
        (int Tokens, double Loss, double Perplexity, double BitsPerByte, double Unigram) result) =>
        JsonText.WriteLine(output, writer =>
    {
        writer.WriteStartObject();
        writer.WriteNumber("tokens", result.Tokens);
        writer.WriteNumber("loss", result.Loss);
        writer.WriteNumber("perplexity", result.Perplexity);
        writer.WriteNumber("bitsPerByte", result.BitsPerByte);
        writer.WriteNumber("unigramBitsPerByte", result.Unigram);
        writer.WriteEndObject();
    });
}
