using System.Text;
using System.Text.Json;
using S2ILGPU.Inference;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Serving.Tests;

public sealed class CompletionTests
{
    private const string Path = "/v1/completions";

    private static readonly SamplingOptions s_greedy = new() { Temperature = 0 };

    // OpenAI's defaults.
    private static readonly SamplingOptions s_drawn = new() { Temperature = 1, TopK = 0, TopP = 1, Seed = 7 };

    [Fact]
    public async Task A_byte_order_mark_and_whole_numbers_with_a_point_are_taken()
    {
        await using var server = await TestServer.StartAsync();
        foreach (string number in (string[])["5", "5.0", "0.5e1"])
        {
            byte[] body = [.. "\uFEFF"u8, .. Encoding.UTF8.GetBytes(
                $$"""{"model":"tiny","prompt":"a","max_tokens":{{number}},"logit_bias":{"65":100} }""")];
            using var response = await server.Client.PostAsync("/v1/completions", new ByteArrayContent(body),
                TestContext.Current.CancellationToken);
            string text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
            Assert.True(response.IsSuccessStatusCode, text);
            using var answer = JsonDocument.Parse(text);
            Assert.Equal(5, answer.RootElement.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
        }
    }

    [Fact]
    public async Task A_text_that_takes_too_long_ends_where_it_is()
    {
        await using var server = await TestServer.StartAsync(o => o with
        {
            RequestTimeout = TimeSpan.FromSeconds(1),
        });
        using var slow = server.SlowDown();                               // 150 tokens would take 15 s
        using var response = await server.PostAsync("/v1/completions", """
            {"model":"tiny","prompt":"a","max_tokens":150,"logit_bias":{"65":100},"stream":true,
             "stream_options":{"include_usage":true}}
            """);
        Assert.Equal("no", Assert.Single(response.Headers.GetValues("X-Accel-Buffering")));
        var chunks = await EventStream.ReadAsync(response);
        Assert.Equal("length", chunks[^2].GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        Assert.InRange(chunks[^1].GetProperty("usage").GetProperty("completion_tokens").GetInt32(), 0, 149);
    }

    [Fact]
    public async Task Texts_are_those_of_one_prompt_alone()
    {
        await using var server = await TestServer.StartAsync();
        var greedy = await server.SucceedAsync(Path, """
            {"model":"tiny","prompt":"Line 5 of","max_tokens":30,"temperature":0,"unknown":[1]}
            """);
        Assert.Equal(server.Alone("Line 5 of", 30, s_greedy), TextOf(greedy));
        var drawn = await server.SucceedAsync(Path, """
            {"model":"tiny","prompt":["Line 5","some"],"max_tokens":30,"seed":7,"n":2,"logprobs":2}
            """);
        foreach (var (index, prompt) in new[] { "Line 5", "Line 5", "some", "some" }.Index())
            Assert.Equal(server.Alone(prompt, 30, s_drawn with { Seed = 7 + (ulong)index % 2 }), TextOf(drawn, index));
        var usage = drawn.GetProperty("usage");
        Assert.Equal(usage.GetProperty("total_tokens").GetInt32(),
            usage.GetProperty("prompt_tokens").GetInt32() + usage.GetProperty("completion_tokens").GetInt32());
        var logProbabilities = drawn.GetProperty("choices")[0].GetProperty("logprobs");
        Assert.All(logProbabilities.GetProperty("token_logprobs").EnumerateArray(), value =>
            Assert.InRange(value.GetDouble(), -9999, 0));
        Assert.Equal(0, logProbabilities.GetProperty("text_offset")[0].GetInt32());
    }

    [Fact]
    public async Task What_a_request_leaves_out_is_as_the_model_says()
    {
        await using var server = await TestServer.StartAsync(generationConfig: """
            {"temperature": 0.5, "top_k": 7, "top_p": 0.9, "min_p": 0.02, "repetition_penalty": 1.2, "eos_token_id": 5}
            """);
        var drawn = new SamplingOptions
        {
            Temperature = 0.5f,
            TopK = 7,
            TopP = 0.9f,
            MinP = 0.02f,
            RepetitionPenalty = 1.2f,
            Seed = 7,
        };
        await AssertDrawnAsync("", drawn);
        await AssertDrawnAsync(",\"temperature\":1.5", drawn with { Temperature = 1.5f });
        await AssertDrawnAsync(",\"top_k\":0,\"top_p\":1,\"min_p\":0,\"repetition_penalty\":1,\"temperature\":1",
            s_drawn);
        // An empty prompt begins with the token that ends a text, which the tokenizer has no name for.
        var begun = await server.SucceedAsync(Path, """{"model":"tiny","prompt":"","max_tokens":1}""");
        Assert.Equal(1, begun.GetProperty("usage").GetProperty("prompt_tokens").GetInt32());

        async Task AssertDrawnAsync(string fields, SamplingOptions sampling) => Assert.Equal(
            server.Alone("Line 5", 30, sampling), TextOf(await server.SucceedAsync(Path,
                $"{{\"model\":\"tiny\",\"prompt\":\"Line 5\",\"max_tokens\":30,\"seed\":7{fields}}}")));
    }

    [Fact]
    public async Task A_model_that_is_not_drawn_from_answers_with_the_likeliest_tokens()
    {
        await using var server = await TestServer.StartAsync(generationConfig: "{\"do_sample\": false}");
        var answer = await server.SucceedAsync(Path, """{"model":"tiny","prompt":"Line 5 of","max_tokens":30}""");
        Assert.Equal(server.Alone("Line 5 of", 30, s_greedy), TextOf(answer));
    }

    [Fact]
    public async Task Streams_join_to_the_same_text()
    {
        await using var server = await TestServer.StartAsync();
        using var response = await server.PostAsync(Path, """
            {"model":"tiny","prompt":"Line 5","max_tokens":30,"seed":7,"n":2,"stream":true,
             "stream_options":{"include_usage":true}}
            """);
        var chunks = await EventStream.ReadAsync(response);
        for (int choice = 0; choice < 2; choice++)
            Assert.Equal(server.Alone("Line 5", 30, s_drawn with { Seed = 7 + (ulong)choice }),
                EventStream.Text(chunks, choice));
        Assert.Equal(0, chunks[^1].GetProperty("choices").GetArrayLength());
        Assert.Equal(60, chunks[^1].GetProperty("usage").GetProperty("completion_tokens").GetInt32());
        Assert.All(chunks[..^1], chunk => Assert.Equal(JsonValueKind.Null, chunk.GetProperty("usage").ValueKind));
    }

    [Fact]
    public async Task Stop_strings_and_limits_end_a_text()
    {
        await using var server = await TestServer.StartAsync();
        string text = server.Alone("Line 5", 40, s_drawn), stop = text.Substring(text.Length / 2, 2);
        var stopped = await server.SucceedAsync(Path, $$"""
            {"model":"tiny","prompt":"Line 5","max_tokens":40,"seed":7,"stop":{{JsonSerializer.Serialize(stop)}}}
            """);
        Assert.Equal(text[..text.IndexOf(stop, StringComparison.Ordinal)], TextOf(stopped));
        Assert.Equal("stop", Finish(stopped));
        var limited = await server.SucceedAsync(Path, """
            {"model":"tiny","prompt":[5,6,7],"max_tokens":1,"logit_bias":{"65":100}}
            """);
        Assert.Equal("length", Finish(limited));
        Assert.Equal(1, limited.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
        Assert.Equal(3, limited.GetProperty("usage").GetProperty("prompt_tokens").GetInt32());
    }

    [Fact]
    public async Task Streams_that_are_cut_leave_the_others_alone_and_no_page()
    {
        await using var server = await TestServer.StartAsync();
        var random = Seeds.NewRandom();
        var cuts = Enumerable.Range(0, 16).Select(n => n % 2 == 0 ? (int?)null : random.Next(1, 400)).ToArray();
        string?[] texts = await Task.WhenAll(cuts.Select((cut, n) => StreamAsync(server, n, cut)));
        for (int n = 0; n < texts.Length; n++)
            if (cuts[n] is null)
                Assert.True(server.Alone(Prompt(n), 100, s_drawn with { Seed = (ulong)n }) == texts[n],
                    $"request {n}, {Seeds.Text}");
        await server.BecomeIdleAsync();
        Assert.Equal(0, server.Server.Counters.UsedPages);
    }

    private static string Prompt(int n) => string.Concat(Enumerable.Repeat("Line ", n)) + n;

    // Reads to the end, or some bytes and then closes the connection.
    private static async Task<string?> StreamAsync(TestServer server, int n, int? cutBytes)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, Path);
        request.Content = new StringContent(
            $$"""{"model":"tiny","prompt":"{{Prompt(n)}}","max_tokens":100,"seed":{{n}},"stream":true}""");
        using var response = await server.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        if (cutBytes is null)
            return EventStream.Text(await EventStream.ReadAsync(response));
        await using var stream = await response.Content.ReadAsStreamAsync();
        await stream.ReadAtLeastAsync(new byte[cutBytes.Value], cutBytes.Value, throwOnEndOfStream: false);
        return null;
    }

    private static string TextOf(JsonElement completion, int choice = 0) =>
        completion.GetProperty("choices")[choice].GetProperty("text").GetString()!;

    private static string Finish(JsonElement completion) =>
        completion.GetProperty("choices")[0].GetProperty("finish_reason").GetString()!;
}
