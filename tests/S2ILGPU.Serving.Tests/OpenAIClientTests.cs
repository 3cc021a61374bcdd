using System.ClientModel;
using OpenAI;
using OpenAI.Chat;
using S2ILGPU.Inference;
using Xunit;

namespace S2ILGPU.Serving.Tests;

/// <summary>OpenAI's own client against the server.</summary>
public sealed class OpenAIClientTests
{
    private static readonly ChatMessage[] s_messages = [new UserChatMessage("some text")];
    private static readonly ChatCompletionOptions s_options = new() { MaxOutputTokenCount = 30, Temperature = 0 };

    [Fact]
    public async Task Completes_and_streams()
    {
        await using var server = await TestServer.StartAsync(o => o with { ApiKey = "secret" });
        var client = Client(server, "secret");
        string expected = server.Alone("user: some text\nassistant:", 30, new SamplingOptions { Temperature = 0 });
        ChatCompletion whole = await client.CompleteChatAsync(s_messages, s_options);
        Assert.Equal(expected, string.Concat(whole.Content.Select(part => part.Text)));
        Assert.Equal(30, whole.Usage.OutputTokenCount);
        string streamed = "";
        ChatFinishReason? finish = null;
        await foreach (var update in client.CompleteChatStreamingAsync(s_messages, s_options))
        {
            streamed += string.Concat(update.ContentUpdate.Select(part => part.Text));
            finish = update.FinishReason ?? finish;
        }
        Assert.Equal(expected, streamed);
        Assert.Equal(whole.FinishReason, finish);
    }

    [Fact]
    public async Task Wrong_key_is_an_error_of_the_client()
    {
        await using var server = await TestServer.StartAsync(o => o with { ApiKey = "secret" });
        var error = await Assert.ThrowsAsync<ClientResultException>(() =>
            Client(server, "secrex").CompleteChatAsync(s_messages, s_options));
        Assert.Equal(401, error.Status);
        Assert.Contains("the API key is wrong", error.Message);
    }

    internal static ChatClient Client(TestServer server, string key) => new(TestServer.ModelName,
        new ApiKeyCredential(key), new OpenAIClientOptions
        {
            Endpoint = new Uri(server.Host.Address + "/v1"),
            NetworkTimeout = TimeSpan.FromMinutes(10),
        });
}
