using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Extensions.AI;
using S2ILGPU.Grammars;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Scheduling;
using S2ILGPU.Templates;

namespace S2ILGPU.Extensions.AI;

/// <summary>Messages and options as a request of the scheduler.</summary>
internal static class ChatRequest
{
    /// <summary>Refuses what would change the answer if it were ignored.</summary>
    /// <exception cref="NotSupportedException">An option is not supported.</exception>
    public static void RefuseUnsupported(ChatOptions options, string model)
    {
        Refuse(options.ConversationId is not null, nameof(options.ConversationId));
        Refuse(options.Reasoning is not null, nameof(options.Reasoning));
        Refuse(options.ResponseFormat is not (null or ChatResponseFormatText or ChatResponseFormatJson),
            nameof(options.ResponseFormat));
        Refuse(options.RawRepresentationFactory is not null, nameof(options.RawRepresentationFactory));
        foreach (string name in options.AdditionalProperties?.Keys ?? Enumerable.Empty<string>())
            Refuse(true, $"{nameof(options.AdditionalProperties)}[\"{name}\"]");
        if (options.ModelId is { } asked && asked != model)
            throw new NotSupportedException($"ChatOptions.ModelId is '{asked}', this client has '{model}'");
    }

    /// <summary>The request.</summary>
    /// <exception cref="NotSupportedException">A message has content other than text, calls and results.</exception>
    /// <exception cref="ArgumentException">There is no message, the template refuses them, or the schema of the
    /// response format uses what grammars do not know.</exception>
    public static GenerationRequest Create(IEnumerable<ChatMessage> messages, ChatOptions options, ChatTools tools,
        ChatTemplate template, PretrainedModel pretrained)
    {
        var values = ChatMessages.Values(options.Instructions is { } instructions
            ? messages.Prepend(new ChatMessage(ChatRole.System, instructions)) : messages);
        if (values.Count == 0)
            throw new ArgumentException("there are no messages", nameof(messages));
        var defaults = new SamplingOptions().For(pretrained.Generation);
        return new GenerationRequest
        {
            Prompt = pretrained.Tokenizer.Encode(Render(template, values, tools.Described), template.HasSpecialTokens,
                addSpecial: !template.HasSpecialTokens),
            MaxTokens = options.MaxOutputTokens ?? pretrained.Model.Config.ContextTokens,
            Sampling = defaults with
            {
                Temperature = options.Temperature ?? defaults.Temperature,
                TopP = options.TopP ?? defaults.TopP,
                TopK = options.TopK ?? defaults.TopK,
                FrequencyPenalty = options.FrequencyPenalty ?? defaults.FrequencyPenalty,
                PresencePenalty = options.PresencePenalty ?? defaults.PresencePenalty,
                Seed = options.Seed is { } seed ? unchecked((ulong)seed)
                    : BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong))),
            },
            Stop = [.. options.StopSequences ?? [], .. tools.Use?.Stop ?? []],
            EndTokens = pretrained.EndTokens,
            Grammar = options.ResponseFormat is not ChatResponseFormatJson json ? tools.Use?.Grammar
                : json.Schema is { } schema ? Grammar.FromJsonSchema(schema) : Grammar.JsonObject,
        };
    }

    private static string Render(ChatTemplate template, List<object?> messages, JsonElement? tools)
    {
        try
        {
            return template.Render(messages, tools);
        }
        catch (TemplateException e)
        {
            throw new ArgumentException(e.IsRaised ? e.Message : $"the chat template fails: {e.Message}", e);
        }
    }

    private static void Refuse(bool isSet, string option)
    {
        if (isSet)
            throw new NotSupportedException($"ChatOptions.{option} is not supported");
    }
}
