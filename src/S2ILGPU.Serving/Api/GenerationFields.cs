using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Scheduling;

namespace S2ILGPU.Serving.Api;

/// <summary>The fields that completions and chat share, with OpenAI's ranges; <c>top_k</c>, <c>min_p</c> and
/// <c>repetition_penalty</c> besides. Defaults are those of the model's files, then OpenAI's.</summary>
internal static class GenerationFields
{
    private const int MaxStops = 4, MaxTop = 20;

    // OpenAI's, of a model whose files say nothing.
    private static readonly SamplingOptions s_defaults = new() { Temperature = 1, TopK = 0, TopP = 1 };

    /// <summary>The request, without its prompt.</summary>
    /// <param name="body">The fields.</param>
    /// <param name="server">Its tokenizer and context.</param>
    /// <param name="tools">What the model may call, in chat; null for completions. Log-probabilities are asked for
    /// differently in chat, and a text may fill the context.</param>
    /// <exception cref="ApiException">A field has a wrong type, is out of its range, or is not supported.</exception>
    public static GenerationRequest Read(RequestBody body, ModelServer server, ToolFields? tools)
    {
        RefuseUnsupported(body);
        bool isChat = tools is not null;
        var format = ResponseFormat.Read(body);
        if (format is not null && tools?.Tools is not null)
            throw ApiException.Unsupported("response_format",
                "'response_format' together with 'tools' is not supported");
        return new GenerationRequest
        {
            Prompt = [],
            MaxTokens = (int)(body.Integer("max_completion_tokens", 1, int.MaxValue)
                ?? body.Integer("max_tokens", 1, int.MaxValue) ?? (isChat ? server.ContextTokens : 16)),
            Choices = (int)(body.Integer("n", 1, 128) ?? 1),
            Sampling = Sampling(body, server.Pretrained),
            Stop = [.. Stop(body), .. tools?.Use?.Stop ?? []],
            Grammar = format ?? tools?.Use?.Grammar,
            Timeout = server.Options.RequestTimeout,
            EndTokens = server.Pretrained.EndTokens,
            TopLogProbabilities = isChat ? ChatTop(body) : (int?)body.Integer("logprobs", 0, MaxTop),
        };
    }

    private static SamplingOptions Sampling(RequestBody body, PretrainedModel model)
    {
        var defaults = s_defaults.For(model.Generation);
        return new SamplingOptions
        {
            Temperature = body.Number("temperature", 0, 2) ?? defaults.Temperature,
            // 0 keeps the most likely token alone.
            TopP = Math.Max(body.Number("top_p", 0, 1) ?? defaults.TopP, 1e-6f),
            TopK = (int)(body.Integer("top_k", 0, int.MaxValue) ?? defaults.TopK),
            MinP = body.Number("min_p", 0, 1) ?? defaults.MinP,
            RepetitionPenalty = body.Number("repetition_penalty", 0.01, 100) ?? defaults.RepetitionPenalty,
            PresencePenalty = body.Number("presence_penalty", -2, 2) ?? 0,
            FrequencyPenalty = body.Number("frequency_penalty", -2, 2) ?? 0,
            LogitBias = LogitBias(body, model.Tokenizer.VocabularySize),
            Seed = unchecked((ulong?)body.Integer("seed", long.MinValue, long.MaxValue))
                ?? BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong))),
        };
    }

    private static Dictionary<int, float>? LogitBias(RequestBody body, int vocabularySize)
    {
        if (body.Find("logit_bias") is not { } biases)
            return null;
        if (biases.ValueKind != JsonValueKind.Object)
            throw RequestBody.WrongType("logit_bias", "an object", biases);
        var found = new Dictionary<int, float>();
        foreach (var (name, value) in biases.EnumerateObject().Select(p => (p.Name, p.Value)))
        {
            if (!int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int token)
                || token >= vocabularySize)
                throw ApiException.Invalid("logit_bias",
                    $"'logit_bias' has tokens 0 to {vocabularySize - 1}, got '{Excerpt.Of(name)}'");
            if (value.ValueKind != JsonValueKind.Number || !(Math.Abs(value.GetDouble()) <= 100))
                throw ApiException.Invalid("logit_bias",
                    $"'logit_bias' must be -100 to 100, got {Excerpt.Of(value.GetRawText())} for token {token}");
            found[token] = (float)value.GetDouble();
        }
        return found;
    }

    private static string[] Stop(RequestBody body)
    {
        if (body.Find("stop") is not { } stop)
            return [];
        JsonElement[] items = stop.ValueKind switch
        {
            JsonValueKind.String => [stop],
            JsonValueKind.Array => [.. stop.EnumerateArray()],
            _ => throw RequestBody.WrongType("stop", "a string or an array of strings", stop),
        };
        if (items.Length > MaxStops)
            throw ApiException.Invalid("stop", $"'stop' has at most {MaxStops} strings, got {items.Length}");
        return [.. items.Select(StopString)];
    }

    private static string StopString(JsonElement item) =>
        item.ValueKind == JsonValueKind.String && item.GetString() is { Length: > 0 } text ? text
        : throw ApiException.Invalid("stop",
            $"'stop' must be strings that are not empty, got {Excerpt.Of(item.GetRawText())}");

    private static int? ChatTop(RequestBody body)
    {
        bool isAsked = body.Flag("logprobs");
        int? top = (int?)body.Integer("top_logprobs", 0, MaxTop);
        if (top is not null && !isAsked)
            throw ApiException.Invalid("top_logprobs", "'top_logprobs' needs 'logprobs': true");
        return isAsked ? top ?? 0 : null;
    }

    // What would change the text if it were ignored.
    private static void RefuseUnsupported(RequestBody body)
    {
        if (body.Flag("echo"))
            throw ApiException.Unsupported("echo", "'echo' is not supported");
        if (body.Text("suffix") is not null)
            throw ApiException.Unsupported("suffix", "'suffix' is not supported");
        if (body.Find("modalities") is { } modalities)
            CheckModalities(modalities);
        if (body.Integer("best_of", 1, 128) is { } best && best != (body.Integer("n", 1, 128) ?? 1))
            throw ApiException.Unsupported("best_of", "'best_of' other than 'n' is not supported");
    }

    private static void CheckModalities(JsonElement modalities)
    {
        if (modalities.ValueKind != JsonValueKind.Array)
            throw RequestBody.WrongType("modalities", "an array of strings", modalities);
        foreach (var item in modalities.EnumerateArray())
            if (item.ValueKind != JsonValueKind.String)
                throw RequestBody.WrongType("modalities", "an array of strings", item);
            else if (!item.ValueEquals("text"))
                throw ApiException.Unsupported("modalities",
                    $"'modalities' has {Excerpt.Of(item.GetRawText())}, only text is supported");
    }
}
