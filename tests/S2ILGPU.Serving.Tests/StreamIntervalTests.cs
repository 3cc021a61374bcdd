using System.Text.Json;
using S2ILGPU.Scheduling;
using S2ILGPU.Templates;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Serving.Tests;

/// <summary>What the events of a stream hold, with tokens and timers that the test gives.</summary>
public sealed class StreamIntervalTests
{
    private const string Completions = "/v1/completions", Chat = "/v1/chat/completions";

    [Fact]
    public async Task First_and_last_event_come_at_once_and_the_others_hold_what_came_meanwhile()
    {
        await using var given = await Given.StartAsync(Completions,
            """{"model":"tiny","prompt":"a","logprobs":0,"stream":true,"stream_options":{"include_usage":true}}""");
        var (tokens, timers) = (given.Tokens, given.Timers);
        tokens.Write("a", token: 1);
        Check(await given.NextAsync(), "a", null, [-1], [0]);
        var timer = await timers.NextAsync();
        Assert.Equal(TimeSpan.FromMilliseconds(20), timer.DueTime);
        tokens.Write("bc", token: 2);
        tokens.Write("d", token: 3);
        timer.Fire();
        Check(await given.NextAsync(), "bcd", null, [-2, -3], [1, 3]);
        await timers.NextAsync();                                         // does not fire
        tokens.Write("", token: 4);
        tokens.Write("e", FinishReason.Length, token: 5);
        tokens.End();
        Check(await given.NextAsync(), "e", "length", [-4, -5], [4, 4]);
        var usage = await given.NextAsync();
        Assert.Equal(5, usage!.Value.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
        Assert.Null(await given.NextAsync());

        static void Check(JsonElement? chunk, string text, string? finish, double[] logProbabilities, int[] offsets)
        {
            var choice = Choice(chunk);
            Assert.Equal((text, finish), (choice.GetProperty("text").GetString(), Finish(choice)));
            var told = choice.GetProperty("logprobs");
            Assert.Equal(logProbabilities, told.GetProperty("token_logprobs").EnumerateArray()
                .Select(value => value.GetDouble()));
            Assert.Equal(offsets, told.GetProperty("text_offset").EnumerateArray().Select(value => value.GetInt32()));
        }
    }

    [Fact]
    public async Task Texts_of_one_answer_share_the_interval()
    {
        await using var given = await Given.StartAsync(Completions,
            """{"model":"tiny","prompt":"a","n":2,"stream":true}""");
        var (tokens, timers) = (given.Tokens, given.Timers);
        tokens.Write("a");
        Check(await given.NextAsync(), 0, "a", null);
        var timer = await timers.NextAsync();
        tokens.Write("x", choice: 1);
        tokens.Write("b", FinishReason.Stop);
        tokens.Write("y", choice: 1);
        timer.Fire();
        Check(await given.NextAsync(), 0, "b", "stop");
        Check(await given.NextAsync(), 1, "xy", null);
        await timers.NextAsync();
        tokens.Write("z", FinishReason.Length, choice: 1);
        tokens.End();
        Check(await given.NextAsync(), 1, "z", "length");
        Assert.Null(await given.NextAsync());

        static void Check(JsonElement? chunk, int index, string text, string? finish)
        {
            var choice = Choice(chunk);
            Assert.Equal((index, text, finish), (choice.GetProperty("index").GetInt32(),
                choice.GetProperty("text").GetString(), Finish(choice)));
        }
    }

    [Fact]
    public async Task Call_of_a_tool_that_came_in_an_interval_is_one_piece()
    {
        using var folder = new TemporaryFolder();
        folder.Write("chat_template.jinja", "{{ tools | length }}{# <tool_call> #}");
        await using var given = await Given.StartAsync(Chat, """
            {"model":"tiny","messages":[{"role":"user","content":"a"}],"stream":true,
             "tools":[{"type":"function","function":{"name":"f"}}]}
            """, options => options with { Chat = ChatTemplate.Load(folder.FullPath) });
        given.Tokens.Write("ab");
        var first = Choice(await given.NextAsync()).GetProperty("delta");
        Assert.Equal(("assistant", "ab"), (first.GetProperty("role").GetString(),
            first.GetProperty("content").GetString()));
        var timer = await given.Timers.NextAsync();
        foreach (string text in (string[])["<tool_", "call>{\"name\": \"f\", ", "\"arguments\": {\"x\"", ": 1"])
            given.Tokens.Write(text);
        timer.Fire();
        var call = Choice(await given.NextAsync()).GetProperty("delta").GetProperty("tool_calls")[0];
        Assert.Equal("f", call.GetProperty("function").GetProperty("name").GetString());
        Assert.Equal("{\"x\": 1", call.GetProperty("function").GetProperty("arguments").GetString());
        await given.Timers.NextAsync();
        given.Tokens.Write("}}</tool_", null);
        given.Tokens.Write("call>", FinishReason.Stop);
        given.Tokens.End();
        var last = Choice(await given.NextAsync());
        Assert.Equal("tool_calls", Finish(last));
        Assert.Equal("}", last.GetProperty("delta").GetProperty("tool_calls")[0].GetProperty("function")
            .GetProperty("arguments").GetString());
        Assert.False(last.GetProperty("delta").TryGetProperty("role", out _));
        Assert.Null(await given.NextAsync());
    }

    [Fact]
    public async Task What_says_nothing_yet_is_no_event_and_begins_no_interval()
    {
        await using var given = await Given.StartAsync(Completions, """{"model":"tiny","prompt":"a","stream":true}""");
        given.Tokens.Write("");
        given.Tokens.Write("a");
        Assert.Equal("a", Choice(await given.NextAsync()).GetProperty("text").GetString());
        await given.Timers.NextAsync();
        Assert.Equal(0, given.Timers.Waiting);
        given.Tokens.Write("", FinishReason.Stop);
        given.Tokens.End();
        Assert.Equal("stop", Finish(Choice(await given.NextAsync())));
        Assert.Null(await given.NextAsync());
    }

    [Fact]
    public async Task Zero_is_an_event_per_token()
    {
        await using var given = await Given.StartAsync(Completions, """{"model":"tiny","prompt":"a","stream":true}""",
            options => options with { StreamInterval = TimeSpan.Zero });
        foreach (string text in (string[])["a", "b", "c"])
            given.Tokens.Write(text);
        given.Tokens.Write("d", FinishReason.Stop);
        given.Tokens.End();
        foreach (string text in (string[])["a", "b", "c", "d"])
            Assert.Equal(text, Choice(await given.NextAsync()).GetProperty("text").GetString());
        Assert.Null(await given.NextAsync());
        Assert.Equal(0, given.Timers.Waiting);
    }

    [Fact]
    public async Task Failure_ends_the_interval_and_what_came_before_it_is_told()
    {
        await using var given = await Given.StartAsync(Completions, """{"model":"tiny","prompt":"a","stream":true}""");
        given.Tokens.Write("a");
        await given.NextAsync();
        await given.Timers.NextAsync();
        given.Tokens.Write("b");
        given.Tokens.End(new InvalidOperationException("the model failed: NaN"));
        Assert.Equal("b", Choice(await given.NextAsync()).GetProperty("text").GetString());
        Assert.Contains("NaN", (await given.NextAsync())!.Value.GetProperty("error").GetProperty("message")
            .GetString());
        Assert.Null(await given.NextAsync());
    }

    [Fact]
    public async Task Client_that_leaves_in_an_interval_ends_its_request()
    {
        await using var given = await Given.StartAsync(Completions, """{"model":"tiny","prompt":"a","stream":true}""");
        given.Tokens.Write("a");
        await given.NextAsync();
        await given.Timers.NextAsync();                                   // does not fire
        given.Leave();
        await given.Tokens.Cancelled;
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(20)]
    public async Task Streams_of_a_model_have_the_tokens_of_the_whole_answer(int milliseconds)
    {
        await using var server = await TestServer.StartAsync(options => options with
        {
            StreamInterval = TimeSpan.FromMilliseconds(milliseconds),
        });
        var random = Seeds.NewRandom();
        for (int round = 0; round < 4; round++)
        {
            int texts = random.Next(1, 4);
            string request = $$"""
                {"model":"tiny","prompt":"Line {{random.Next(100)}}","max_tokens":{{random.Next(1, 60)}},
                 "seed":{{random.Next(1000)}},"n":{{texts}},"logprobs":1,"stream":STREAM}
                """;
            var whole = await server.SucceedAsync(Completions, request.Replace("STREAM", "false"));
            using var response = await server.PostAsync(Completions, request.Replace("STREAM", "true"));
            var chunks = (await EventStream.ReadAsync(response)).ConvertAll(chunk => Choice(chunk));
            for (int text = 0; text < texts; text++)
            {
                var parts = chunks.FindAll(choice => choice.GetProperty("index").GetInt32() == text);
                var expected = whole.GetProperty("choices")[text];
                Assert.True(Whole([expected]) == Whole(parts), $"{request}, {Seeds.Text}");
                Assert.All(parts[..^1], part => Assert.Null(Finish(part)));
                Assert.Equal(Finish(expected), Finish(parts[^1]));
            }
        }

        static string Whole(List<JsonElement> parts) => string.Concat(parts.Select(p => p.GetProperty("text")
            .GetString())) + string.Join(' ', ((string[])["tokens", "token_logprobs", "top_logprobs", "text_offset"])
            .SelectMany(field => parts.SelectMany(p => p.GetProperty("logprobs").GetProperty(field).EnumerateArray()))
            .Select(value => value.GetRawText()));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(60_001)]
    public async Task Interval_out_of_its_range_is_refused(int milliseconds)
    {
        var e = await Assert.ThrowsAsync<ArgumentException>(() => TestServer.StartAsync(options => options with
        {
            StreamInterval = TimeSpan.FromMilliseconds(milliseconds),
        }));
        Assert.StartsWith("the time between two events of a stream must be from 0 to 00:01:00, got ", e.Message);
    }

    private static JsonElement Choice(JsonElement? chunk) => chunk!.Value.GetProperty("choices")[0];

    private static string? Finish(JsonElement choice) => choice.GetProperty("finish_reason").GetString();

    // A request to a server whose tokens and timers the test gives, and its stream.
    private sealed class Given(TestServer server) : IAsyncDisposable
    {
        private HttpResponseMessage? _response;
        private StreamReader? _events;

        public GivenTokens Tokens { get; } = new();

        public GivenTimers Timers { get; } = new();

        public static async Task<Given> StartAsync(string path, string json,
            Func<ModelServerOptions, ModelServerOptions>? change = null)
        {
            var given = new Given(await TestServer.StartAsync(change));
            await given.AskAsync(path, json);
            return given;
        }

        // The next chunk; null for the end of the stream.
        public async Task<JsonElement?> NextAsync()
        {
            string line = await _events!.ReadLineAsync() ?? throw new EndOfStreamException();
            Assert.Equal("", await _events.ReadLineAsync());
            return line == "data: [DONE]" ? null : JsonDocument.Parse(line["data: ".Length..]).RootElement;
        }

        public void Leave() => _response!.Dispose();

        public async ValueTask DisposeAsync()
        {
            _response!.Dispose();
            await server.DisposeAsync();
        }

        private async Task AskAsync(string path, string json)
        {
            (server.Server.Router, server.Server.Time) = (Tokens, Timers);
            using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(json) };
            _response = await server.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            Assert.Equal(200, (int)_response.StatusCode);
            _events = new StreamReader(await _response.Content.ReadAsStreamAsync());
        }
    }
}
