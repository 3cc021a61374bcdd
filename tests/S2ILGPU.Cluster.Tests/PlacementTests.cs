using System.Text.Json;
using S2ILGPU.Serving.Tests;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Cluster.Tests;

/// <summary>Where requests run, and that nothing shows it.</summary>
public sealed class PlacementTests
{
    [Fact]
    public async Task Requests_spread_over_the_instances_and_get_the_text_of_one_server()
    {
        await using var cluster = await TestCluster.StartAsync();
        var random = Seeds.NewRandom();
        // Most of them come to the first instance, and nothing ends while they are placed: it must pass some on.
        var all = Enumerable.Range(0, 12).Select(n => (Instance: n < 8 ? 0 : random.Next(2),
            Prompt: $"Line {n} of some text", Tokens: n < 8 ? random.Next(400, 600) : random.Next(1, 200),
            Temperature: random.Pick(0.0, 1.0), Seed: random.Next())).ToArray();
        HttpResponseMessage[] running;
        using (cluster.Servers[0].SlowDown())
        using (cluster.Servers[1].SlowDown())
            running = await Task.WhenAll(all.Select(r =>
                cluster.BeginAsync(r.Instance, r.Prompt, r.Tokens, r.Temperature, r.Seed)));
        string[] texts = await Task.WhenAll(running.Select(TextRequest.ReadAsync));
        foreach (var (request, text) in all.Zip(texts))
            Assert.Equal(cluster.Alone(request.Prompt, request.Tokens, request.Temperature, request.Seed), text);
        Assert.True(await cluster.MetricAsync(0, "s2_requests_placed_elsewhere_total") > 0, Seeds.Text);
        foreach (var server in cluster.Servers)
            Assert.True(server.Server.Counters.GeneratedTokens > 0, Seeds.Text);
        await cluster.BecomeIdleAsync();
    }

    [Fact]
    public async Task Kept_prefix_decides_before_the_load()
    {
        await using var cluster = await TestCluster.StartAsync(options => options with
        {
            Scheduler = options.Scheduler with { Prefixes = 8 },
        });
        string shared = string.Concat(Enumerable.Repeat("Line 5 of some text", 10));
        // While the first instance runs something, the second one gets the prompt and keeps it.
        var busy = cluster.Servers[0].SlowDown();
        while (cluster.Servers[0].Server.Counters.Running == 0)
            await Task.Delay(5);
        Assert.Equal(cluster.Alone(shared + " 1", 5), await cluster.StreamAsync(0, shared + " 1", 5));
        Assert.Equal(1, await cluster.MetricAsync(0, "s2_requests_placed_elsewhere_total"));
        busy.Dispose();
        while (cluster.Servers[0].Server.Counters is not { Running: 0, Queued: 0 })
            await Task.Delay(5);
        // Both are idle now, and still the second one gets its continuations.
        Assert.Equal(cluster.Alone(shared + " 2", 5), await cluster.StreamAsync(0, shared + " 2", 5));
        Assert.Equal(2, await cluster.MetricAsync(0, "s2_requests_placed_elsewhere_total"));
        Assert.Equal(1, cluster.Servers[1].Server.Counters.PrefixHits);
        Assert.Equal(cluster.Alone("b", 5), await cluster.StreamAsync(0, "b", 5)); // as good here as there: here
        Assert.Equal(2, await cluster.MetricAsync(0, "s2_requests_placed_elsewhere_total"));
    }

    [Fact]
    public async Task Every_kind_of_request_travels()
    {
        await using var cluster = await TestCluster.StartAsync();
        string prompts = """["Line 1", "Line 2 of", "Line 3"]""", rest = """
            "max_tokens":60,"seed":5,"n":2,"logprobs":2,"stop":["qq"],"presence_penalty":0.5,"logit_bias":{"65":2}}
            """;
        string json = $$"""{"model":"tiny","prompt":{{prompts}},{{rest}}""";
        // While something runs on the first instance, the first prompt goes to the other.
        var slow = cluster.Servers[0].SlowDown();
        while (cluster.Servers[0].Server.Counters.Running == 0)
            await Task.Delay(5);
        var begun = cluster.Servers[0].SucceedAsync("/v1/completions", json);
        while (await cluster.MetricAsync(0, "s2_requests_placed_elsewhere_total") == 0 && !begun.IsCompleted)
            await Task.Delay(5);
        slow.Dispose();
        var first = await begun;
        Assert.True(await cluster.MetricAsync(0, "s2_requests_placed_elsewhere_total") > 0);
        var answers = await Task.WhenAll(
            Enumerable.Range(0, 4).Select(n => cluster.Servers[n % 2].SucceedAsync("/v1/completions", json)));
        var one = await AloneAsync(json);
        foreach (var answer in answers.Prepend(first))
            Assert.Equal(one.GetProperty("choices").GetRawText(), answer.GetProperty("choices").GetRawText());
        const string Schema = """
            {"model":"tiny","messages":[{"role":"user","content":"Line 5"}],"max_tokens":90,"seed":3,"response_format":
            {"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object","properties":{"a":
            {"enum":["yes","no"]},"b":{"type":"array","items":{"const":1},"maxItems":3}},"required":["a","b"]}}}}
            """;
        answers = await Task.WhenAll(
            Enumerable.Range(0, 6).Select(n => cluster.Servers[n % 2].SucceedAsync("/v1/chat/completions", Schema)));
        var text = await AloneAsync(Schema, "/v1/chat/completions");
        foreach (var answer in answers)
            Assert.Equal(text.GetProperty("choices").GetRawText(), answer.GetProperty("choices").GetRawText());
        await cluster.BecomeIdleAsync();
    }

    [Fact]
    public async Task Instances_are_listed_with_their_load()
    {
        await using var cluster = await TestCluster.StartAsync();
        using var running = cluster.Servers[0].SlowDown();
        while (cluster.Servers[0].Server.Counters.UsedPages == 0)
            await Task.Delay(5);
        string[] names = [.. cluster.Instances.Select(instance => instance.Address)];
        foreach (int self in (int[])[0, 1])
        {
            var client = cluster.Servers[self].Client;
            string[] health = (await client.GetStringAsync("/health")).TrimEnd().Split('\n');
            Assert.Equal(["ok", names[self], names[1 - self]],
                health.Select(line => line[..(line.LastIndexOf(": ", StringComparison.Ordinal) is > 0 and var at
                    ? at : line.Length)]));
            Assert.Contains("1 running, 0 queued", health.Single(line => line.Contains(names[0])));
            Assert.StartsWith("ready\n", await client.GetStringAsync("/ready"));
            Assert.Equal(2, await cluster.MetricAsync(self, "s2_instances"));
            Assert.Equal(1,
                await cluster.MetricAsync(self, $"s2_instance_running_sequences{{instance=\"{names[0]}\"}}"));
            using var cache = JsonDocument.Parse(await client.GetStringAsync("/cache"));
            var listed = cache.RootElement.GetProperty("instances");
            Assert.Equal(names[self], listed[0].GetProperty("name").GetString());
            Assert.Equal(1, listed[self].GetProperty("running").GetInt32());
            Assert.True(listed[self].GetProperty("usedPages").GetInt64() > 0);
        }
    }

    // The same from a server without a cluster.
    private static async Task<JsonElement> AloneAsync(string json, string path = "/v1/completions")
    {
        await using var server = await TestServer.StartAsync(config: TestCluster.Config);
        return await server.SucceedAsync(path, json);
    }
}
