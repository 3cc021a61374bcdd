using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using S2ILGPU.Serving.Api;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Serving.Tests;

public sealed class RefusalTests
{
    private const string Valid = """
        {"model":"tiny","prompt":"some","max_tokens":3,"temperature":0.5,"top_p":0.9,"n":1,"stop":["x"],"seed":3,
         "logit_bias":{"5":1},"stream":false,"messages":[{"role":"user","content":"é"}],
         "response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{"type":"object","properties":
          {"a":{"enum":["x",1]},"b":{"$ref":"#/$defs/c"}},"required":["a"],"$defs":{"c":{"type":"array","minItems":2}}}}}}
        """;

    [Fact]
    public async Task Every_kind_of_bad_input_has_its_status_and_names_its_field()
    {
        await using var server = await TestServer.StartAsync(o => o with { MaxBodyBytes = 20000 });
        foreach (var (json, status, parameter, code) in new (string, int, string?, string?)[]
        {
            ("{", 400, null, null),
            ("", 400, null, null),
            ("[]", 400, null, null),
            ("""{"model":"tiny","prompt":"\ud800"}""", 400, null, null),
            ("""{"model":"tiny","prompt":"x","\ud800":1}""", 400, null, null),
            ("""{"model":"tiny","prompt":"x","prompt":"y"}""", 400, null, null),
            ("""{"prompt":"x"}""", 400, "model", null),
            ("""{"model":5,"prompt":"x"}""", 400, "model", null),
            ("""{"model":"other","prompt":"x"}""", 404, "model", "model_not_found"),
            ("""{"model":"tiny"}""", 400, "prompt", null),
            ("""{"model":"tiny","prompt":{}}""", 400, "prompt", null),
            ("""{"model":"tiny","prompt":[1,-1]}""", 400, "prompt", null),
            ("""{"model":"tiny","prompt":[1,1e99]}""", 400, "prompt", null),
            (With("temperature", "3"), 400, "temperature", null),
            (With("temperature", "1e999"), 400, "temperature", null),
            (With("top_p", "\"x\""), 400, "top_p", null),
            (With("max_tokens", "0"), 400, "max_tokens", null),
            (With("max_tokens", "1.5"), 400, "max_tokens", null),
            (With("n", "0"), 400, "n", null),
            (With("n", "100"), 400, null, null),
            (With("seed", "\"1\""), 400, "seed", null),
            (With("stop", "[1]"), 400, "stop", null),
            (With("stop", "[\"\"]"), 400, "stop", null),
            (With("stop", "[\"1\",\"2\",\"3\",\"4\",\"5\"]"), 400, "stop", null),
            (With("logit_bias", "{\"9999\":1}"), 400, "logit_bias", null),
            (With("logit_bias", "{\"5\":101}"), 400, "logit_bias", null),
            (With("logprobs", "21"), 400, "logprobs", null),
            (With("stream", "1"), 400, "stream", null),
            (With("stream_options", "{}"), 400, "stream_options", null),
            (With("presence_penalty", "-3"), 400, "presence_penalty", null),
            (With("repetition_penalty", "0"), 400, "repetition_penalty", null),
            (With("response_format", "3"), 400, "response_format", null),
            (With("response_format", "{}"), 400, "response_format", null),
            (With("response_format", "{\"type\":3}"), 400, "response_format.type", null),
            (With("response_format", "{\"type\":\"grammar\"}"), 400, "response_format", "unsupported_parameter"),
            (With("response_format", "{\"type\":\"json_schema\"}"), 400, "response_format", null),
            (WithSchema("{}"), 400, "response_format.json_schema.name", null),
            (WithSchema("{\"name\":\"a b\",\"schema\":{}}"), 400, "response_format.json_schema.name", null),
            (WithSchema("{\"name\":\"a\"}"), 400, "response_format", null),
            (WithSchema("{\"name\":\"a\",\"schema\":{\"minimum\":1}}"), 400, "response_format", null),
            (With("modalities", "[\"text\",\"audio\"]"), 400, "modalities", "unsupported_parameter"),
            (With("modalities", "\"audio\""), 400, "modalities", null),
            (With("modalities", "[1]"), 400, "modalities", null),
            (With("echo", "true"), 400, "echo", "unsupported_parameter"),
            (With("prompt", JsonSerializer.Serialize(Enumerable.Repeat("a", 2049))), 400, "prompt", null),
            (With("prompt", "[]"), 400, "prompt", null),
            (With("prompt", JsonSerializer.Serialize(new int[161])), 400, "prompt", "context_length_exceeded"),
            (With("prompt", $"\"{new string('x', 20000)}\""), 413, null, "request_too_large"),
        })
            await RefusedAsync(server, "/v1/completions", Encoding.UTF8.GetBytes(json), status, parameter, code);
        foreach (var (messages, parameter, code) in new (string, string, string?)[]
        {
            ("null", "messages", null),
            ("[]", "messages", null),
            ("3", "messages", null),
            ("[3]", "messages[0]", null),
            ("""[{"content":"x"}]""", "messages[0]", null),
            ("""[{"role":3,"content":"x"}]""", "messages[0].role", null),
            ("""[{"role":"user"}]""", "messages[0]", null),
            ("""[{"role":"user","content":null,"tool_calls":[]}]""", "messages[0]", null),
            ("""[{"role":"assistant","content":null}]""", "messages[0]", null),
            ("""[{"role":"user","content":3}]""", "messages[0].content", null),
            ("""[{"role":"user","content":[{"type":"image_url"}]}]""", "messages[0].content", "unsupported_parameter"),
            ("""[{"role":"tool","content":"x"}]""", "messages[0]", null),
            ("""[{"role":"assistant","tool_calls":{}}]""", "messages[0].tool_calls", null),
            ("""[{"role":"assistant","tool_calls":[3]}]""", "messages[0].tool_calls[0]", null),
            ("""[{"role":"assistant","tool_calls":[{}]}]""", "messages[0].tool_calls[0]", null),
            ("""[{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{"}}]}]""",
                "messages[0].tool_calls[0].function.arguments", null),
        })
            await RefusedAsync(server, "/v1/chat/completions",
                Encoding.UTF8.GetBytes($$"""{"model":"tiny","messages":{{messages}}}"""), 400, parameter, code);
        foreach (var (fields, parameter, code) in new (string, string, string?)[]
        {
            (""" "tools":[] """, "tools", null),
            (""" "tools":[3] """, "tools[0]", null),
            (""" "tools":[{"function":{"name":"f"}}] """, "tools[0]", null),
            (""" "tools":[{"type":"custom"}] """, "tools[0]", "unsupported_parameter"),
            (""" "tools":[{"type":"function"}] """, "tools[0]", null),
            (""" "tools":[{"type":"function","function":{"name":"a.b"}}] """, "tools[0].function.name", null),
            ($""" "tools":[{Tool},{Tool}] """, "tools", null),
            (""" "tool_choice":"auto" """, "tool_choice", null),
            ($""" "tools":[{Tool}],"tool_choice":"any" """, "tool_choice", null),
            ($""" "tools":[{Tool}],"tool_choice":"f" """, "tool_choice", null),
            ($$""" "tools":[{{Tool}}],"tool_choice":{"type":"function","function":{"name":"g"} } """, "tool_choice",
                null),
            ($$""" "tools":[{{Tool}}],"tool_choice":{"function":{"name":"f"} } """, "tool_choice", null),
            ($$""" "tools":[{{Tool}}],"tool_choice":{"type":"allowed_tools"} """, "tool_choice",
                "unsupported_parameter"),
            (""" "tools":[{"type":"function","function":{"name":"f","parameters":{"not":{} } } }],"""
                + """ "tool_choice":"required" """, "tools", null),
            (""" "tools":[{"type":"function","function":{"name":"f","parameters":{"type":"string"} } }],"""
                + """ "tool_choice":"required" """, "tools", null),
            (""" "tools":[{"type":"function","function":{"name":"f","parameters":{"items":{} } } }],"""
                + """ "tool_choice":"required" """, "tools", null),
            ($$""" "tools":[{{Tool}}],"response_format":{"type":"json_object"} """, "response_format",
                "unsupported_parameter"),
            (""" "functions":[] """, "functions", "unsupported_parameter"),
        })
            await RefusedAsync(server, "/v1/chat/completions", Encoding.UTF8.GetBytes(
                $$"""{"model":"tiny","messages":[{"role":"user","content":"x"}],{{fields}} }"""), 400, parameter, code);
        await RefusedAsync(server, "/v1/completions", [.. "{\"model\":\""u8, 0xff, .. "\"}"u8], 400);
        await RefusedAsync(server, "/v1/unknown", "{}"u8.ToArray(), 404, null, "unknown_url");
    }

    [Fact]
    public async Task Faults_of_the_text_are_said_in_plain_words()
    {
        await using var server = await TestServer.StartAsync();
        foreach (var (body, message) in ((string, string)[])[
            ("", "the body is empty"), (" ", "the body is not JSON: fault at line 1, byte 2"),
            ("{\n\"model\": x}", "the body is not JSON: fault at line 2, byte 10"),
            ("""{"a":{"b":1,"b":2}}""", "the name 'b' stands twice in one object"),
            ("""{"a":[{"\udc00":1}]}""", "a string of the body has half of a surrogate pair")])
        {
            using var response = await server.PostAsync("/v1/completions", body);
            Assert.Equal(message, await MessageAsync(response));
        }
    }

    [Fact]
    public async Task Bad_values_are_quoted_in_part()
    {
        await using var server = await TestServer.StartAsync();
        string longText = new('y', 99), cut = longText + "...";           // the last character is half of a pair
        foreach (var (body, message) in ((string, string)[])[
            ($$"""{"model":"{{longText}}😀z"}""", $"the model '{cut}' does not exist, this server has 'tiny'"),
            ($$"""{"a":{"{{longText}}😀":1,"{{longText}}😀":2} }""", $"the name '{cut}' stands twice in one object"),
            (With("max_tokens", new string('9', 5000)),
                $"'max_tokens' must be an integer from 1 to 2147483647, got {new string('9', 100)}..."),
            (With("logit_bias", $$"""{"{{longText}}😀":1}"""),
                $"'logit_bias' has tokens 0 to {server.VocabularySize - 1}, got '{cut}'")])
        {
            using var response = await server.PostAsync("/v1/completions", body);
            Assert.Equal(message, await MessageAsync(response));
        }
        foreach (string schema in (string[])[$$"""{"name":"a","schema":"{{new string('y', 9000)}}"}""",
            $$"""{"name":"a","schema":{"{{new string('y', 9000)}}":1} }"""])
        {
            using var response = await server.PostAsync("/v1/completions", WithSchema(schema));
            Assert.InRange((await MessageAsync(response))!.Length, 100, 700);
        }
    }

    [Fact]
    public async Task Compressed_body_is_415()
    {
        await using var server = await TestServer.StartAsync();
        using var content = new ByteArrayContent([31, 139, 8]);
        content.Headers.ContentEncoding.Add("gzip");
        using var response = await server.Client.PostAsync("/v1/completions", content);
        Assert.Equal(415, (int)response.StatusCode);
        Assert.Contains("gzip", await MessageAsync(response));
    }

    [Fact]
    public async Task Wrong_method_is_405_and_says_the_right_one()
    {
        await using var server = await TestServer.StartAsync();
        foreach (var (method, path, allowed) in ((string, string, string)[])[
            ("GET", "/v1/completions", "POST"), ("HEAD", "/v1/chat/completions", "POST"),
            ("OPTIONS", "/v1/completions", "POST"), ("POST", "/v1/models", "GET, HEAD"),
            ("DELETE", "/v1/models/tiny", "GET, HEAD"), ("POST", "/health", "GET, HEAD")])
        {
            using var response = await server.Client.SendAsync(new HttpRequestMessage(new HttpMethod(method), path));
            Assert.True((int)response.StatusCode == 405, $"{method} {path}: {response.StatusCode}");
            Assert.Equal(allowed, string.Join(", ", response.Content.Headers.Allow.Order()));
        }
    }

    [Fact]
    public async Task Addresses_that_are_read_know_head()
    {
        await using var server = await TestServer.StartAsync();
        foreach (string path in (string[])["/", "/health", "/ready", "/metrics", "/cache", "/v1/models",
            "/v1/models/tiny"])
        {
            using var whole = await server.Client.GetAsync(path);
            using var head = await server.Client.SendAsync(new HttpRequestMessage(HttpMethod.Head, path));
            Assert.True((int)head.StatusCode == 200, $"{path}: {head.StatusCode}");
            Assert.NotNull(whole.Content.Headers.ContentType);
            Assert.Equal(whole.Content.Headers.ContentType, head.Content.Headers.ContentType);
            Assert.Empty(await head.Content.ReadAsByteArrayAsync());
        }
    }

    [Fact]
    public async Task A_model_is_found_by_its_name_alone()
    {
        await using var server = await TestServer.StartAsync();
        using var all = JsonDocument.Parse(await server.Client.GetStringAsync("/v1/models"));
        using var one = JsonDocument.Parse(await server.Client.GetStringAsync("/v1/models/tiny"));
        Assert.Equal(all.RootElement.GetProperty("data")[0].GetRawText(), one.RootElement.GetRawText());
        using var other = await server.Client.GetAsync("/v1/models/an/other");
        Assert.Equal(404, (int)other.StatusCode);
        Assert.Contains("'an/other' does not exist", await MessageAsync(other));
    }

    [Fact]
    public async Task A_fault_of_the_server_is_an_error_that_is_counted()
    {
        await using var server = await TestServer.StartAsync();
        using var body = new MemoryStream();
        var http = new DefaultHttpContext { Response = { Body = body } };
        await new Handlers(server.Server).Guard(_ => throw new InvalidDataException("not for clients"))(http);
        Assert.Equal(500, http.Response.StatusCode);
        using var json = JsonDocument.Parse(body.ToArray());
        Assert.Equal("server_error", json.RootElement.GetProperty("error").GetProperty("type").GetString());
        Assert.DoesNotContain("not for clients", json.RootElement.GetRawText());
        Assert.Contains("s2_requests_total{status=\"500\"} 1", await server.Client.GetStringAsync("/metrics"));
    }

    [Fact]
    public async Task Too_long_prompt_is_told_both_numbers()
    {
        await using var server = await TestServer.StartAsync();
        using var response = await server.PostAsync("/v1/completions",
            $$"""{"model":"tiny","prompt":{{JsonSerializer.Serialize(new int[170])}}}""");
        string text = await response.Content.ReadAsStringAsync();
        Assert.Contains("160", text);
        Assert.Contains("170", text);
    }

    [Fact]
    public async Task Full_queue_is_429()
    {
        await using var server = await TestServer.StartAsync(o => o with
        {
            Scheduler = o.Scheduler with { Sequences = 1, MaxQueued = 2 },
        }, TinyModelFolder.Config with { ContextTokens = 8192 });         // so that the slow text lasts
        using (server.SlowDown())
        {
            while (server.Server.Counters.Running == 0)
                await Task.Delay(5);
            // One runs and one waits, so that one prompt of the two may wait.
            using var waiting = server.SlowDown();
            using var response = await server.PostAsync("/v1/completions",
                """{"model":"tiny","prompt":["a","b"],"max_tokens":3}""");
            Assert.Equal(429, (int)response.StatusCode);
            Assert.Contains("rate_limit_exceeded", await response.Content.ReadAsStringAsync());
        }
        await server.BecomeIdleAsync();
    }

    [Fact]
    public async Task More_prompts_than_may_ever_wait_are_refused_by_name()
    {
        await using var server = await TestServer.StartAsync(o => o with
        {
            Scheduler = o.Scheduler with { MaxQueued = 5 },
        });
        using var response = await server.PostAsync("/v1/completions",
            """{"model":"tiny","prompt":["a","b","c","d","e","f"],"max_tokens":1}""");
        Assert.Equal(400, (int)response.StatusCode);
        Assert.Equal("'prompt' has at most 5 prompts, got 6", await MessageAsync(response));
        var answer = await server.SucceedAsync("/v1/completions",
            """{"model":"tiny","prompt":["a","b","c","d","e"],"max_tokens":1}""");
        Assert.Equal(5, answer.GetProperty("choices").GetArrayLength());
    }

    [Fact]
    public async Task Mutated_bodies_are_never_an_error_of_the_server()
    {
        await using var server = await TestServer.StartAsync();
        var random = Seeds.NewRandom();
        byte[] valid = Encoding.UTF8.GetBytes(Valid);
        for (int n = 0; n < 500; n++)
        {
            byte[] body = Mutate(random, valid);
            using var response = await server.Client.PostAsync(
                n % 2 == 0 ? "/v1/completions" : "/v1/chat/completions", new ByteArrayContent(body));
            Assert.True((int)response.StatusCode < 500,
                $"{(int)response.StatusCode}: {Convert.ToHexString(body)}, {Seeds.Text}");
        }
        await server.BecomeIdleAsync();
        Assert.True(server.Server.IsReady);
    }

    private const string Tool = """{"type":"function","function":{"name":"f"}}""";

    private static string WithSchema(string schema) =>
        With("response_format", $$"""{"type":"json_schema","json_schema":{{schema}}}""");

    private static string With(string field, string value) =>
        $$"""{"model":"tiny",{{(field == "prompt" ? "" : "\"prompt\":\"some\",")}}"{{field}}":{{value}}}""";

    private static async Task<string?> MessageAsync(HttpResponseMessage response)
    {
        using var json = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        return json.RootElement.GetProperty("error").GetProperty("message").GetString();
    }

    private static byte[] Mutate(Random random, byte[] valid)
    {
        var body = valid.ToList();
        for (int change = random.Next(1, 5); change > 0 && body.Count > 0; change--)
        {
            int at = random.Next(body.Count);
            switch (random.Next(5))
            {
                case 0: body[at] = (byte)random.Next(256); break;
                case 1: body.RemoveAt(at); break;
                case 2: body.Insert(at, random.Pick("\"{}[]:,-0e9\\"u8)); break;
                case 3: body.RemoveRange(at, Math.Min(random.Next(8), body.Count - at)); break;
                default: body.InsertRange(at, body.Slice(at, Math.Min(random.Next(20), body.Count - at))); break;
            }
        }
        return [.. body];
    }

    private static async Task RefusedAsync(TestServer server, string path, byte[] body, int status,
        string? parameter = null, string? code = null)
    {
        using var response = await server.Client.PostAsync(path, new ByteArrayContent(body));
        string text = await response.Content.ReadAsStringAsync(), request = Encoding.UTF8.GetString(body);
        Assert.True(status == (int)response.StatusCode, $"{request}: {(int)response.StatusCode} {text}");
        var error = JsonDocument.Parse(text).RootElement.GetProperty("error");
        Assert.NotEmpty(error.GetProperty("message").GetString()!);
        Assert.Equal("invalid_request_error", error.GetProperty("type").GetString());
        Assert.True(parameter == error.GetProperty("param").GetString(), $"{request}: {text}");
        Assert.True(code == error.GetProperty("code").GetString(), $"{request}: {text}");
    }
}
