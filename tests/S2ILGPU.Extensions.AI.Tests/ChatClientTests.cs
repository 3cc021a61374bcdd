using System.Text.Json;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using S2ILGPU.Cpu;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Scheduling;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Extensions.AI.Tests;

public sealed class ChatClientTests : IAsyncLifetime
{
    private const string Message = "some text", Prompt = "user: some text\nassistant:", ModelName = "tiny";

    private readonly TemporaryFolder _folder = new();
    private readonly CpuEngine _engine = new(new CpuOptions(Threads: 1));
    private readonly ServiceProvider _services;
    private readonly IChatClient _client;

    public ChatClientTests()
    {
        TinyModelFolder.Save(_folder[ModelName], _engine, TinyModelFolder.Config with { ContextTokens = 8192 });
        _services = new ServiceCollection()
            .AddS2(new ChatModelOptions { Folder = _folder[ModelName], Device = "cpu" })
            .BuildServiceProvider();
        _client = _services.GetRequiredService<IChatClient>();
    }

    /// <summary>Options that are refused, and the words of the refusal.</summary>
    public static TheoryData<ChatOptions, string> Unsupported => new()
    {
        { new ChatOptions { ConversationId = "7" }, "ChatOptions.ConversationId" },
        { new ChatOptions { Reasoning = new ReasoningOptions() }, "ChatOptions.Reasoning" },
        { new ChatOptions { RawRepresentationFactory = _ => null }, "ChatOptions.RawRepresentationFactory" },
        { new ChatOptions { AdditionalProperties = new() { ["logit_bias"] = 1 } }, "[\"logit_bias\"]" },
        { new ChatOptions { ModelId = "other" }, "'other', this client has 'tiny'" },
    };

    [Fact]
    public async Task Greedy_text_is_that_of_the_text_generator()
    {
        var options = new ChatOptions { Temperature = 0, MaxOutputTokens = 60 };
        string expected = Alone(60, new SamplingOptions { Temperature = 0 });
        var response = await _client.GetResponseAsync(Message, options);
        Assert.Equal(expected, response.Text);
        Assert.Equal((ChatFinishReason.Length, ModelName), (response.FinishReason, response.ModelId));
        int prompt = _services.GetRequiredService<PretrainedModel>().Tokenizer.Encode(Prompt).Length;
        Assert.Equal((prompt, 60, prompt + 60), (response.Usage!.InputTokenCount, response.Usage.OutputTokenCount,
            response.Usage.TotalTokenCount));
        var updates = new List<ChatResponseUpdate>();
        await foreach (var update in _client.GetStreamingResponseAsync(Message, options))
            updates.Add(update);
        Assert.Equal(expected, string.Concat(updates.Select(update => update.Text)));
        Assert.True(updates.Count > 10, $"{updates.Count} updates");
        Assert.Single(updates.Select(update => update.ResponseId).Distinct());
        Assert.Equal(ChatFinishReason.Length, updates[^1].FinishReason);
    }

    [Fact]
    public async Task Options_left_out_are_as_the_model_says()
    {
        _folder.Write(Path.Combine(ModelName, ModelFolder.GenerationConfig), "{\"temperature\": 0.4, \"top_k\": 5}");
        await using var services = new ServiceCollection()
            .AddS2(new ChatModelOptions { Folder = _folder[ModelName], Device = "cpu" }).BuildServiceProvider();
        var client = services.GetRequiredService<IChatClient>();
        var drawn = new SamplingOptions { Temperature = 0.4f, TopK = 5, Seed = 11 };
        var response = await client.GetResponseAsync(Message, new ChatOptions { Seed = 11, MaxOutputTokens = 40 });
        Assert.Equal(Alone(40, drawn), response.Text);
        response = await client.GetResponseAsync(Message,
            new ChatOptions { Seed = 11, MaxOutputTokens = 40, Temperature = 2 });
        Assert.Equal(Alone(40, drawn with { Temperature = 2 }), response.Text);
    }

    [Fact]
    public async Task Options_are_mapped()
    {
        var sampling = new SamplingOptions
        {
            Temperature = 0.9f,
            TopP = 0.8f,
            TopK = 40,
            PresencePenalty = 0.5f,
            FrequencyPenalty = 0.25f,
            Seed = 12,
        };
        var options = new ChatOptions
        {
            Temperature = 0.9f,
            TopP = 0.8f,
            TopK = 40,
            PresencePenalty = 0.5f,
            FrequencyPenalty = 0.25f,
            Seed = 12,
            MaxOutputTokens = 80,
            ModelId = ModelName,
            ResponseFormat = ChatResponseFormat.Text,
        };
        string expected = Alone(80, sampling);
        Assert.Equal(expected, (await _client.GetResponseAsync(Message, options)).Text);
        string stop = expected.Substring(expected.Length / 2, 2);
        options.StopSequences = [stop];
        var stopped = await _client.GetResponseAsync(Message, options);
        Assert.Equal(expected[..expected.IndexOf(stop, StringComparison.Ordinal)], stopped.Text);
        Assert.Equal(ChatFinishReason.Stop, stopped.FinishReason);
        // A system message comes first.
        options.StopSequences = null;
        options.Instructions = "be brief";
        Assert.Equal(Alone(80, sampling, "system: be brief\n" + Prompt),
            (await _client.GetResponseAsync(Message, options)).Text);
    }

    [Fact]
    public async Task Response_formats_are_met()
    {
        var options = new ChatOptions { MaxOutputTokens = 4000, Seed = 5 };
        using var schema = JsonDocument.Parse(
            """
            {"type":"object","properties":{"a":{"enum":[1,2]},"b":{"type":"boolean"}},"required":["a","b"],
            "additionalProperties":false}
            """);
        options.ResponseFormat = ChatResponseFormat.ForJsonSchema(schema.RootElement);
        var response = await _client.GetResponseAsync(Message, options);
        Assert.Equal(ChatFinishReason.Stop, response.FinishReason);
        using var answer = JsonDocument.Parse(response.Text);
        Assert.InRange(answer.RootElement.GetProperty("a").GetInt32(), 1, 2);
        Assert.True(answer.RootElement.GetProperty("b").ValueKind is JsonValueKind.True or JsonValueKind.False);
        options.ResponseFormat = ChatResponseFormat.Json;
        options.MaxOutputTokens = 20;
        Assert.StartsWith("{", (await _client.GetResponseAsync(Message, options)).Text.TrimStart());
        using var unknown = JsonDocument.Parse("""{"not":{}}""");
        options.ResponseFormat = ChatResponseFormat.ForJsonSchema(unknown.RootElement);
        Assert.Contains("not", (await Assert.ThrowsAsync<ArgumentException>(() =>
            _client.GetResponseAsync(Message, options))).Message);
    }

    [Fact]
    public async Task Concurrent_calls_share_steps_and_cancelled_ones_end()
    {
        var scheduler = _services.GetRequiredService<SchedulerThread>();
        // Slows the steps down, so that the endless text is there when the others end.
        using var slow = scheduler.Submit(new GenerationRequest
        {
            Prompt = [1],
            MaxTokens = 8000,
            OnToken = _ => Thread.Sleep(50),
        });
        using var cancellation = new CancellationTokenSource();
        await using var endless = _client.GetStreamingResponseAsync(Message,
            new ChatOptions { MaxOutputTokens = 8000 }, cancellation.Token).GetAsyncEnumerator();
        Assert.True(await endless.MoveNextAsync());
        var options = new ChatOptions { Temperature = 0, MaxOutputTokens = 20 };
        string expected = Alone(20, new SamplingOptions { Temperature = 0 });
        var answers = await Task.WhenAll(Enumerable.Range(0, 4)
            .Select(_ => _client.GetResponseAsync(Message, options)));
        Assert.All(answers, answer => Assert.Equal(expected, answer.Text));
        while (scheduler.Counters.Running > 2)
            await Task.Delay(5);
        Assert.Equal(2, scheduler.Counters.Running);                      // the first one ran beside them
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            while (await endless.MoveNextAsync()) { }
        });
        while (scheduler.Counters.Running > 1)
            await Task.Delay(5);
        slow.Dispose();
        while (scheduler.Counters.Running > 0)
            await Task.Delay(5);
    }

    [Theory]
    [MemberData(nameof(Unsupported), DisableDiscoveryEnumeration = true)]
    public async Task Unsupported_options_are_refused_by_name(ChatOptions options, string part)
    {
        var error = await Assert.ThrowsAsync<NotSupportedException>(() => _client.GetResponseAsync(Message, options));
        Assert.Contains(part, error.Message);
    }

    [Fact]
    public async Task Bad_requests_are_refused()
    {
        var image = new ChatMessage(ChatRole.User, [new DataContent(new byte[] { 1 }, "image/png")]);
        Assert.Contains("DataContent", (await Assert.ThrowsAsync<NotSupportedException>(() =>
            _client.GetResponseAsync([image]))).Message);
        await Assert.ThrowsAsync<ArgumentException>(() => _client.GetResponseAsync([]));
        await Assert.ThrowsAsync<ArgumentException>(() =>
            _client.GetResponseAsync(Message, new ChatOptions { TopP = 2 }));
        await Assert.ThrowsAsync<ArgumentException>(() =>
            _client.GetResponseAsync(string.Concat(Enumerable.Repeat("\u20ac", 9000))));
    }

    [Fact]
    public async Task Services_are_found_and_end_with_their_container()
    {
        var metadata = _client.GetService<ChatClientMetadata>()!;
        Assert.Equal(("s2ilgpu", ModelName), (metadata.ProviderName, metadata.DefaultModelId));
        Assert.Same(_client, _client.GetService<S2ChatClient>());
        Assert.Same(_services.GetRequiredService<SchedulerThread>(), _client.GetService<SchedulerThread>());
        Assert.Null(_client.GetService(typeof(string)));
        await _services.DisposeAsync();
        await Assert.ThrowsAsync<InvalidOperationException>(() => _client.GetResponseAsync(Message));
    }

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await _services.DisposeAsync();
        _engine.Dispose();
        _folder.Dispose();
    }

    // What `s2 generate` writes.
    private string Alone(int maxTokens, SamplingOptions sampling, string prompt = Prompt)
    {
        using var pretrained = ModelFolder.Load(_folder[ModelName], _engine);
        using var generator = new TextGenerator(pretrained.Model, pretrained.Tokenizer, new KeyValueCacheOptions(),
            pretrained.EndTokens);
        return string.Concat(generator.Generate(prompt, maxTokens, sampling));
    }
}
