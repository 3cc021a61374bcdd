using System.Text.Json;
using S2ILGPU.Models;
using S2ILGPU.Serving.Api;

namespace S2ILGPU.Serving.Prompts;

/// <summary>The field <c>prompt</c>: a text, token ids, or an array of either.</summary>
internal static class CompletionPrompts
{
    private const int MaxPrompts = 2048;

    /// <summary>Token ids of each prompt.</summary>
    /// <param name="body">The fields.</param>
    /// <param name="model">The model, for its tokenizer.</param>
    /// <param name="maxQueued">The most requests that wait: more prompts would never be taken, so that it would be of
    /// no use to ask again.</param>
    /// <exception cref="ApiException">The field is missing, is none of these, or has too many prompts.</exception>
    public static List<int[]> Read(RequestBody body, PretrainedModel model, int maxQueued)
    {
        int most = Math.Min(MaxPrompts, maxQueued);
        if (body.Find("prompt") is not { } prompt)
            throw ApiException.Invalid("prompt", "'prompt' is missing");
        bool isMany = prompt.ValueKind == JsonValueKind.Array && prompt.GetArrayLength() > 0
            && prompt[0].ValueKind != JsonValueKind.Number;
        if (isMany && prompt.GetArrayLength() > most)
            throw ApiException.Invalid("prompt",
                $"'prompt' has at most {most} prompts, got {prompt.GetArrayLength()}");
        return isMany ? [.. prompt.EnumerateArray().Select(item => One(item, model))] : [One(prompt, model)];
    }

    // An empty text begins a document.
    private static int[] One(JsonElement prompt, PretrainedModel model)
    {
        var tokenizer = model.Tokenizer;
        int[] tokens = prompt.ValueKind switch
        {
            JsonValueKind.String => tokenizer.Encode(prompt.GetString()!, addSpecial: true),
            JsonValueKind.Array => [.. prompt.EnumerateArray().Select(id => Id(id, tokenizer.VocabularySize))],
            _ => throw Wrong(prompt),
        };
        return tokens.Length > 0 ? tokens
            : model.EndOfText is { } endOfText ? [endOfText]
            : throw ApiException.Invalid("prompt", "'prompt' is empty, and the model has no token to begin with");
    }

    private static int Id(JsonElement id, int vocabularySize) =>
        id.ValueKind != JsonValueKind.Number ? throw Wrong(id)
        : id.TryGetInt32(out int token) && token >= 0 && token < vocabularySize ? token
        : throw ApiException.Invalid("prompt",
            $"'prompt' has token ids from 0 to {vocabularySize - 1}, got {Excerpt.Of(id.GetRawText())}");

    private static ApiException Wrong(JsonElement got) =>
        RequestBody.WrongType("prompt", "a string, an array of token ids, or an array of these", got);
}
