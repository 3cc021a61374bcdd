using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;
using S2ILGPU.Models;
using S2ILGPU.Scheduling;
using S2ILGPU.Templates;

namespace S2ILGPU.Extensions.AI;

/// <summary>A model in this process as a chat client. Calls that run at the same time are computed in the same
/// steps.</summary>
/// <remarks>
/// <para>Thread-safe. A call that is cancelled gives its pages back after the next step. Options that are not
/// supported are refused with <see cref="NotSupportedException"/>, which names them; those that are left out have the
/// defaults of <see cref="Inference.SamplingOptions"/>, with a random seed.</para>
/// <para>Tools are functions. <see cref="ChatToolMode.RequireAny"/> and a function by name hold the answer to one
/// call, whose arguments meet the schema of the function; with <see cref="ChatToolMode.Auto"/> calls are what the model
/// writes between <c>&lt;tool_call></c> and <c>&lt;/tool_call></c>, where its chat template knows these. Calls come
/// with the last update; one that is cut off is left out.</para>
/// </remarks>
public sealed class S2ChatClient : IChatClient
{
    private const string Provider = "s2ilgpu";

    private readonly PretrainedModel _pretrained;
    private readonly SchedulerThread _scheduler;
    private readonly ChatTemplate _template;
    private readonly ChatClientMetadata _metadata;

    /// <summary>Creates a client.</summary>
    /// <param name="pretrained">Model, tokenizer and end tokens; not disposed.</param>
    /// <param name="scheduler">A scheduler of this model, with its tokenizer; not disposed.</param>
    /// <param name="template">How messages become a prompt.</param>
    /// <param name="modelName">The model's name in responses.</param>
    public S2ChatClient(PretrainedModel pretrained, SchedulerThread scheduler, ChatTemplate template, string modelName)
    {
        ArgumentNullException.ThrowIfNull(pretrained);
        ArgumentNullException.ThrowIfNull(scheduler);
        ArgumentNullException.ThrowIfNull(template);
        ArgumentException.ThrowIfNullOrEmpty(modelName);
        (_pretrained, _scheduler, _template) = (pretrained, scheduler, template);
        _metadata = new ChatClientMetadata(Provider, defaultModelId: modelName);
    }

    /// <summary>The whole answer.</summary>
    /// <param name="messages">The conversation: texts, calls of functions and their results.</param>
    /// <param name="options">How to continue it; null for the defaults.</param>
    /// <param name="cancellationToken">Ends the request.</param>
    /// <exception cref="NotSupportedException">An option or a content is not supported.</exception>
    /// <exception cref="ArgumentException">An option is out of its range, the conversation is too long, or a schema
    /// uses what grammars do not know.</exception>
    /// <exception cref="InvalidOperationException">The queue is full, or the model failed.</exception>
    public Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null,
        CancellationToken cancellationToken = default) =>
        GetStreamingResponseAsync(messages, options, cancellationToken).ToChatResponseAsync(cancellationToken);

    /// <summary>The answer in pieces as they come; the last one has the reason for the end and the usage.</summary>
    /// <param name="messages">The conversation: texts, calls of functions and their results.</param>
    /// <param name="options">How to continue it; null for the defaults.</param>
    /// <param name="cancellationToken">Ends the request.</param>
    /// <exception cref="NotSupportedException">An option or a content is not supported.</exception>
    /// <exception cref="ArgumentException">An option is out of its range, the conversation is too long, or a schema
    /// uses what grammars do not know.</exception>
    /// <exception cref="InvalidOperationException">The queue is full, or the model failed.</exception>
    public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages,
        ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        options ??= new ChatOptions();
        ChatRequest.RefuseUnsupported(options, _metadata.DefaultModelId!);
        var tools = ChatTools.Read(options, _template);
        return StreamAsync(ChatRequest.Create(messages, options, tools, _template, _pretrained),
            new ChatAnswer(tools.Use?.Reader()), cancellationToken);
    }

    /// <summary>The client itself, its <see cref="ChatClientMetadata"/>, <see cref="SchedulerThread"/> and <see
    /// cref="PretrainedModel"/>.</summary>
    /// <param name="serviceType">The type that is asked for.</param>
    /// <param name="serviceKey">Null; there is nothing with a key.</param>
    /// <returns>Null where there is none of that type.</returns>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        object[] services = [this, _metadata, _scheduler, _pretrained];
        return serviceKey is null ? Array.Find(services, serviceType.IsInstanceOfType) : null;
    }

    /// <summary>Does nothing: model and scheduler belong to the caller.</summary>
    public void Dispose() { }

    private async IAsyncEnumerable<ChatResponseUpdate> StreamAsync(GenerationRequest request, ChatAnswer answer,
        [EnumeratorCancellation] CancellationToken cancellation)
    {
        string id = Guid.NewGuid().ToString("N");
        int outputTokens = 0;
        cancellation.ThrowIfCancellationRequested();
        using var stream = _scheduler.Submit(request);
        await foreach (var token in stream.ReadAsync(cancellation).ConfigureAwait(false))
        {
            if (token.Failure is { } failure)
                throw new InvalidOperationException(failure);
            outputTokens += token.Token is null ? 0 : 1;
            string text = answer.Read(token.Text, isLast: token.Finish is not null);
            // A token may be a part of a character or of a call, or held back for a stop string.
            if (text.Length == 0 && token.Finish is null)
                continue;
            var update = new ChatResponseUpdate(ChatRole.Assistant, text)
            {
                ResponseId = id,
                MessageId = id,
                ModelId = _metadata.DefaultModelId,
                CreatedAt = DateTimeOffset.UtcNow,
            };
            if (token.Finish is { } finish)
            {
                FunctionCallContent[] calls = [.. answer.Calls()];
                foreach (var call in calls)
                    update.Contents.Add(call);
                update.FinishReason = finish != FinishReason.Stop ? ChatFinishReason.Length
                    : calls.Length > 0 ? ChatFinishReason.ToolCalls : ChatFinishReason.Stop;
                update.Contents.Add(new UsageContent(new UsageDetails
                {
                    InputTokenCount = request.Prompt.Count,
                    OutputTokenCount = outputTokens,
                    TotalTokenCount = request.Prompt.Count + outputTokens,
                }));
            }
            yield return update;
        }
    }
}
