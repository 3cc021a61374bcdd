using System.Text.Json;
using OpenAI.Chat;
using S2ILGPU.Templates;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Serving.Tests;

/// <summary>JSON mode and calls of tools, also through OpenAI's own client.</summary>
public sealed class JsonTests
{
    private const string Path = "/v1/chat/completions";

    private const string Parameters = """
        {"type":"object","properties":{"city":{"enum":["Aachen","Köln"]},"isShort":{"type":"boolean"}},
         "required":["city","isShort"],"additionalProperties":false}
        """;

    private static readonly ChatMessage[] s_messages = [new UserChatMessage("some text")];
    private static readonly ChatTool s_weather = ChatTool.CreateFunctionTool("weather", "Tells the weather.",
        BinaryData.FromString(Parameters));
    private static readonly ChatTool s_time = ChatTool.CreateFunctionTool("time");

    [Fact]
    public async Task Client_gets_what_its_schema_says()
    {
        await using var server = await TestServer.StartAsync();
        var client = OpenAIClientTests.Client(server, "none");
        var options = new ChatCompletionOptions
        {
            LogitBiases = { [server.TokenOf('\n')] = -100 },
            ResponseFormat = ChatResponseFormat.CreateJsonSchemaFormat("place", BinaryData.FromString(Parameters),
                jsonSchemaIsStrict: true),
        };
        for (int n = 0; n < 5; n++)
        {
            ChatCompletion answer = await client.CompleteChatAsync(s_messages, options);
            Check(answer.Content[0].Text);
            Assert.Equal(ChatFinishReason.Stop, answer.FinishReason);
        }
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("true")]
    [InlineData("""{"description":"what is needed"}""")]
    public async Task Arguments_are_an_object_whatever_the_schema_leaves_open(string parameters)
    {
        await using var server = await TestServer.StartAsync();
        for (int seed = 0; seed < 8; seed++)
        {
            var answer = await server.SucceedAsync(Path, $$"""
                {"model":"tiny","max_tokens":60,"seed":{{seed}},"messages":[{"role":"user","content":"some"}],
                 "tools":[{"type":"function","function":{"name":"f","parameters":{{parameters}} } }],
                 "tool_choice":"required"}
                """);
            var call = answer.GetProperty("choices")[0].GetProperty("message").GetProperty("tool_calls")[0];
            Assert.StartsWith("{", call.GetProperty("function").GetProperty("arguments").GetString());
        }
    }

    [Fact]
    public async Task Json_mode_gives_objects_in_every_choice_of_both_routes()
    {
        await using var server = await TestServer.StartAsync();
        // what closes is likely, as in texts of a trained model
        string biases = string.Join(',', "\"}]".Select(c => $"\"{server.TokenOf(c)}\":5"));
        foreach (var (path, prompt) in new (string, string)[]
        {
            ("/v1/completions", """ "prompt":"some" """),
            (Path, """ "messages":[{"role":"user","content":"some"}] """),
        })
        {
            var answer = await server.SucceedAsync(path, $$"""
                {"model":"tiny","max_tokens":100,"n":3,"logit_bias":{ {{biases}} },
                 "response_format":{"type":"json_object"},{{prompt}} }
                """);
            foreach (var choice in answer.GetProperty("choices").EnumerateArray())
            {
                string text = choice.TryGetProperty("text", out var plain) ? plain.GetString()!
                    : choice.GetProperty("message").GetProperty("content").GetString()!;
                if (choice.GetProperty("finish_reason").GetString() == "stop")
                    Assert.Equal(JsonValueKind.Object, JsonDocument.Parse(text).RootElement.ValueKind);
                else
                    Assert.StartsWith("{", text);
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Client_gets_the_calls_that_it_demands(bool hasTags)
    {
        using var folder = new TemporaryFolder();
        folder.Write("chat_template.jinja", """
            {% for t in tools %}{{ t.function.name }} {% endfor %}{% for m in messages %}{{ m.role }}
            {%- for c in m.tool_calls %}<tool_call>{{ c.function.arguments.city }}</tool_call>{% endfor %}
            {%- if m.role == 'tool' %}{{ m.tool_call_id[:5] + m.content }}{% endif %}{% endfor %}
            """);
        await using var server = await TestServer.StartAsync(o => o with
        {
            Chat = hasTags ? ChatTemplate.Load(folder.FullPath) : o.Chat,
            StreamInterval = TimeSpan.Zero,                               // so that arguments come in many pieces
        });
        var client = OpenAIClientTests.Client(server, "none");
        ChatCompletionOptions Demand(ChatToolChoice choice) => new()
        {
            Tools = { s_weather, s_time },
            ToolChoice = choice,
            LogitBiases = { [server.TokenOf('\n')] = -100 }, // deep indents do not fit into the context
        };
        var required = Demand(ChatToolChoice.CreateRequiredChoice());
        var named = Demand(ChatToolChoice.CreateFunctionChoice("weather"));
        for (int n = 0; n < 4; n++)
        {
            ChatCompletion any = await client.CompleteChatAsync(s_messages, required);
            Assert.Equal(ChatFinishReason.ToolCalls, any.FinishReason);
            Assert.Empty(any.Content);
            CheckCall(Assert.Single(any.ToolCalls));
            await StreamedAsync(client, named);
        }
        ChatCompletion first = await client.CompleteChatAsync(s_messages, named);
        Assert.Equal("weather", first.ToolCalls[0].FunctionName);
        // the answer of the tool goes through the template
        ChatCompletion second = await client.CompleteChatAsync([.. s_messages, new AssistantChatMessage(first),
            new ToolChatMessage(first.ToolCalls[0].Id, "rain")], new ChatCompletionOptions { Tools = { s_weather },
            MaxOutputTokenCount = 5 });
        Assert.Equal(ChatFinishReason.Length, second.FinishReason);
        if (!hasTags)
            return;
        string city = JsonDocument.Parse(first.ToolCalls[0].FunctionArguments).RootElement.GetProperty("city")
            .GetString()!;
        Assert.Equal(server.CountTokens($"weather userassistant<tool_call>{city}</tool_call>toolcall_rain"),
            second.Usage.InputTokenCount);
    }

    [Fact]
    public async Task A_call_that_is_cut_and_tools_that_are_not_called()
    {
        await using var server = await TestServer.StartAsync();
        var client = OpenAIClientTests.Client(server, "none");
        ChatCompletion cut = await client.CompleteChatAsync(s_messages, new ChatCompletionOptions
        {
            Tools = { s_weather },
            ToolChoice = ChatToolChoice.CreateRequiredChoice(),
            MaxOutputTokenCount = 45,
        });
        Assert.Equal(ChatFinishReason.Length, cut.FinishReason);
        Assert.StartsWith("{", Assert.Single(cut.ToolCalls).FunctionArguments.ToString());
        foreach (var choice in (ChatToolChoice[])[ChatToolChoice.CreateNoneChoice(), ChatToolChoice.CreateAutoChoice()])
        {
            ChatCompletion text = await client.CompleteChatAsync(s_messages, new ChatCompletionOptions
            {
                Tools = { s_weather },
                ToolChoice = choice,
                MaxOutputTokenCount = 20,
                Temperature = 0,
            });
            Assert.Equal(server.Alone("user: some text\nassistant:", 20, new() { Temperature = 0 }),
                text.Content[0].Text);
        }
    }

    private static async Task StreamedAsync(ChatClient client, ChatCompletionOptions options)
    {
        string name = "", id = "", arguments = "";
        int pieces = 0;
        ChatFinishReason? finish = null;
        await foreach (var update in client.CompleteChatStreamingAsync(s_messages, options))
        {
            Assert.DoesNotContain(update.ContentUpdate, part => part.Text?.Length > 0);
            foreach (var call in update.ToolCallUpdates)
            {
                Assert.Equal(0, call.Index);
                (name, id, arguments) = (name + call.FunctionName, id + call.ToolCallId,
                    arguments + call.FunctionArgumentsUpdate);
                pieces++;
            }
            finish = update.FinishReason ?? finish;
        }
        Assert.Equal(("weather", ChatFinishReason.ToolCalls), (name, finish!.Value));
        Assert.StartsWith("call_", id);
        Assert.True(pieces > 5, $"{pieces} pieces");
        Check(arguments);
    }

    private static void CheckCall(ChatToolCall call)
    {
        if (call.FunctionName == "weather")
            Check(call.FunctionArguments.ToString());
        else
            Assert.Equal(("time", "{}"), (call.FunctionName, call.FunctionArguments.ToString().Replace(" ", "")
                .Replace("\n", "").Replace("\t", "")));
    }

    private static void Check(string json)
    {
        var root = JsonDocument.Parse(json).RootElement;
        Assert.Contains(root.GetProperty("city").GetString(), (string[])["Aachen", "Köln"]);
        root.GetProperty("isShort").GetBoolean();
        Assert.Equal(2, root.EnumerateObject().Count());
    }
}
