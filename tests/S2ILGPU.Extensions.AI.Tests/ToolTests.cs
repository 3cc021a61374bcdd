using System.Text.Json;
using Microsoft.Extensions.AI;
using S2ILGPU.Cpu;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Scheduling;
using S2ILGPU.Templates;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Extensions.AI.Tests;

/// <summary>Functions as tools: the model is random, so calls are those that are demanded.</summary>
public sealed class ToolTests : IDisposable
{
    private const string Message = "some text", PlainPrompt = "user: some text\nassistant:";

    // Greedy texts of a random model repeat themselves: the penalty ends white space and cities.
    private static readonly SamplingOptions s_sampling = new() { Temperature = 0, FrequencyPenalty = 2 };

    private readonly TemporaryFolder _folder = new();
    private readonly CpuEngine _engine = new(new CpuOptions(Threads: 1));
    private readonly PretrainedModel _pretrained;
    private readonly SchedulerThread _scheduler;
    private readonly AIFunction _weather, _time;
    private readonly List<string> _asked = [];

    public ToolTests()
    {
        TinyModelFolder.Save(_folder["tiny"], _engine, TinyModelFolder.Config with { ContextTokens = 2048 });
        _folder.Write("tags/chat_template.jinja", """
            {% for t in tools %}{{ t.type }} {{ t.function.name }} {{ t.function.description }} {% endfor %}
            {% for m in messages %}{{ m.role }} {{ m.content }}
            {%- for c in m.tool_calls %}<tool_call>{{ c.id + c.function.arguments.city }}</tool_call>{% endfor %}
            {%- if m.role == 'tool' %}{{ m.tool_call_id }}{% endif %}{% endfor %}
            """);
        _pretrained = ModelFolder.Load(_folder["tiny"], _engine);
        _scheduler = new SchedulerThread(_pretrained.Model, new SchedulerOptions(), _pretrained.Tokenizer);
        _weather = AIFunctionFactory.Create(Weather, "weather", "Tells the weather.");
        _time = AIFunctionFactory.Create(() => 7, "time");
    }

    public enum City
    {
        Aachen,
        Bonn,
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Demanded_calls_come(bool hasTags)
    {
        var client = Client(hasTags);
        for (int n = 0; n < 4; n++)
        {
            var options = Options(ChatToolMode.RequireAny);
            (options.Temperature, options.Seed) = (1, n);
            var response = await client.GetResponseAsync(Message, options);
            Assert.Equal((ChatFinishReason.ToolCalls, ""), (response.FinishReason, response.Text));
            CheckCall(Assert.Single(Calls(response)), "weather", "time");
        }
        var updates = new List<ChatResponseUpdate>();
        await foreach (var update in client.GetStreamingResponseAsync(Message,
            Options(ChatToolMode.RequireSpecific("weather"))))
            updates.Add(update);
        var streamed = updates.ToChatResponse();
        Assert.Equal((ChatFinishReason.ToolCalls, ""), (streamed.FinishReason, streamed.Text));
        CheckCall(Assert.Single(Calls(streamed)), "weather");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Functions_are_invoked_and_their_results_go_through_the_template(bool isStream)
    {
        using var client = new ChatClientBuilder(Client(hasTags: true)).UseFunctionInvocation().Build();
        var options = Options(ChatToolMode.RequireSpecific("weather"));
        var response = isStream
            ? await client.GetStreamingResponseAsync(Message, options).ToChatResponseAsync()
            : await client.GetResponseAsync(Message, options);
        var call = Assert.Single(Calls(response));
        string city = Assert.Single(_asked);
        var result = Assert.Single(response.Messages.SelectMany(message => message.Contents)
            .OfType<FunctionResultContent>());
        Assert.Equal(call.CallId, result.CallId);
        // after the call the model writes what it wants
        string prompt = "function weather Tells the weather. function time  user some textassistant "
            + $"<tool_call>{call.CallId}{city}</tool_call>tool rain in {city}{call.CallId}";
        Assert.Equal(Alone(prompt), response.Messages[^1].Text);
        Assert.Equal(ChatFinishReason.Length, response.FinishReason);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Without_a_call_the_text_is_as_without_tools(bool isNone)
    {
        var options = Options(isNone ? ChatToolMode.None : ChatToolMode.Auto);
        var response = await Client(hasTags: false).GetResponseAsync(Message, options);
        Assert.Equal((Alone(PlainPrompt), ChatFinishReason.Length), (response.Text, response.FinishReason));
        response = await Client(hasTags: true).GetResponseAsync(Message, options);
        Assert.Equal(Alone((isNone ? "" : "function weather Tells the weather. function time  ") + "user some text"),
            response.Text);
    }

    [Fact]
    public async Task A_call_that_is_cut_is_left_out()
    {
        var options = Options(ChatToolMode.RequireAny);
        options.MaxOutputTokens = 30;
        var response = await Client(hasTags: false).GetResponseAsync(Message, options);
        Assert.Equal(ChatFinishReason.Length, response.FinishReason);
        Assert.Empty(Calls(response));
    }

    [Fact]
    public async Task Tools_that_cannot_be_used_are_refused()
    {
        var client = Client(hasTags: false);
        async Task Refuses<TException>(ChatOptions options, string part) where TException : Exception =>
            Assert.Contains(part, (await Assert.ThrowsAsync<TException>(() =>
            client.GetResponseAsync(Message, options))).Message);
        await Refuses<NotSupportedException>(new() { Tools = [new HostedWebSearchTool()] }, "HostedWebSearchTool");
        await Refuses<NotSupportedException>(new() { Tools = [_time], ResponseFormat = ChatResponseFormat.Json },
            "ResponseFormat together with");
        await Refuses<ArgumentException>(new() { Tools = [_time, _time] }, "two functions 'time'");
        await Refuses<ArgumentException>(new() { ToolMode = ChatToolMode.RequireAny }, "Tools is empty");
        await Refuses<ArgumentException>(Options(ChatToolMode.RequireSpecific("date")), "'date'");
        using var schema = JsonDocument.Parse("""{"type":"object","properties":{"a":{"not":{}}}}""");
        var unknown = AIFunctionFactory.CreateDeclaration("f", "", schema.RootElement);
        await Refuses<ArgumentException>(new() { Tools = [unknown], ToolMode = ChatToolMode.RequireAny }, "not");
    }

    public void Dispose()
    {
        _scheduler.Dispose();
        _pretrained.Dispose();
        _engine.Dispose();
        _folder.Dispose();
    }

    private string Weather(City city, bool isShort)
    {
        _asked.Add(city.ToString());
        return $"rain in {city}";
    }

    private S2ChatClient Client(bool hasTags) => new(_pretrained, _scheduler,
        hasTags ? ChatTemplate.Load(_folder["tags"]) : ChatTemplate.Plain, "tiny");

    private ChatOptions Options(ChatToolMode mode) => new()
    {
        Tools = [_weather, _time],
        ToolMode = mode,
        Temperature = s_sampling.Temperature,
        FrequencyPenalty = s_sampling.FrequencyPenalty,
        MaxOutputTokens = 500,
    };

    private static IEnumerable<FunctionCallContent> Calls(ChatResponse response) =>
        response.Messages.SelectMany(message => message.Contents).OfType<FunctionCallContent>();

    private static void CheckCall(FunctionCallContent call, params string[] names)
    {
        Assert.Contains(call.Name, names);
        Assert.StartsWith("call_", call.CallId);
        if (call.Name == "time")
            Assert.Empty(call.Arguments!);
        else
        {
            Assert.Equal(["city", "isShort"], call.Arguments!.Keys.Order());
            Assert.True(Enum.TryParse<City>(call.Arguments["city"]!.ToString(), out _));
            Assert.True(bool.TryParse(call.Arguments["isShort"]!.ToString(), out _));
        }
    }

    // What a program without tools gets for a prompt.
    private string Alone(string prompt)
    {
        using var generator = new TextGenerator(_pretrained.Model, _pretrained.Tokenizer, new KeyValueCacheOptions(),
            _pretrained.EndTokens);
        return string.Concat(generator.Generate(prompt, 500, s_sampling));
    }
}
