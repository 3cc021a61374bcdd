using S2ILGPU.Inference;
using S2ILGPU.Templates;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Serving.Tests;

public sealed class ChatTests
{
    private const string Path = "/v1/chat/completions";

    private static readonly SamplingOptions s_drawn = new() { Temperature = 1, TopK = 0, TopP = 1, Seed = 7 };

    [Fact]
    public async Task Model_without_a_template_gets_plain_lines()
    {
        await using var server = await TestServer.StartAsync();
        const string Request = """
            {"model":"tiny","max_tokens":30,"seed":7,"logprobs":true,"top_logprobs":3,"stream":STREAM,"messages":
             [{"role":"user","content":"some"},{"role":"user","content":[{"type":"text","text":"te"},
              {"type":"text","text":"xt"}]}]}
            """;
        string expected = server.Alone("user: some\nuser: text\nassistant:", 30, s_drawn);
        var whole = (await server.SucceedAsync(Path, Request.Replace("STREAM", "false"))).GetProperty("choices")[0];
        Assert.Equal(expected, whole.GetProperty("message").GetProperty("content").GetString());
        var first = whole.GetProperty("logprobs").GetProperty("content")[0];
        Assert.Equal(3, first.GetProperty("top_logprobs").GetArrayLength());
        using var response = await server.PostAsync(Path, Request.Replace("STREAM", "true"));
        var chunks = await EventStream.ReadAsync(response);
        Assert.Equal(expected, EventStream.Text(chunks));
        Assert.Equal("assistant", chunks[0].GetProperty("choices")[0].GetProperty("delta").GetProperty("role")
            .GetString());
    }

    [Fact]
    public async Task Template_of_the_model_is_read_and_may_refuse()
    {
        using var folder = new TemporaryFolder();
        folder.Write("tokenizer_config.json", """
            {"bos_token":{"content":"Line"},"chat_template":"{{ raise_exception('never read') }}"}
            """);
        folder.Write("chat_template.jinja", """
            {{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}
            {% endif %}<{{ m.content }}>{% endfor %}{{ tools | length if tools else '' }}
            """);
        await using var server = await TestServer.StartAsync(o => o with { Chat = ChatTemplate.Load(folder.FullPath) });
        var answer = await server.SucceedAsync(Path, """
            {"model":"tiny","max_tokens":30,"seed":7,"messages":[{"role":"user","content":"some"}],
             "tools":[{"type":"function","function":{"name":"f"}}]}
            """);
        Assert.Equal(server.Alone("Line<some>1", 30, s_drawn),
            answer.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
        using var refused = await server.PostAsync(Path,
            """{"model":"tiny","messages":[{"role":"system","content":"some"}]}""");
        Assert.Equal(400, (int)refused.StatusCode);
        Assert.Contains("no system", await refused.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("[", "not valid JSON: fault at line 1")]
    [InlineData("[]", "must be an object")]
    [InlineData("""{"chat_template":3}""", "chat_template must be a string, got 3")]
    [InlineData("""{"chat_template":[{"name":"default"}]}""", "chat_template[0].template is missing")]
    [InlineData("""{"bos_token":5}""", "bos_token must be a string, got 5")]
    [InlineData("""{"chat_template":"{% if %}"}""", "the chat template cannot be read")]
    public void Damaged_configuration_is_refused(string text, string message)
    {
        using var folder = new TemporaryFolder();
        folder.Write("tokenizer_config.json", text);
        string refusal = Assert.Throws<InvalidDataException>(() => ChatTemplate.Load(folder.FullPath)).Message;
        Assert.Contains(message, refusal);
        Assert.DoesNotContain("BytePosition", refusal);
    }
}
