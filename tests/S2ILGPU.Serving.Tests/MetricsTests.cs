using System.Globalization;
using System.Text.Json;
using S2ILGPU.Models;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Serving.Tests;

public sealed class MetricsTests
{
    [Fact]
    public async Task Tokens_are_counted_and_timed()
    {
        await using var server = await TestServer.StartAsync();
        var answer = await server.SucceedAsync("/v1/completions",
            """{"model":"tiny","prompt":[1,2,3],"max_tokens":9,"logit_bias":{"65":100}}""");
        int tokens = answer.GetProperty("usage").GetProperty("completion_tokens").GetInt32();
        await server.BecomeIdleAsync();
        string text = await server.Client.GetStringAsync("/metrics");
        double Value(string name) => double.Parse(text.Split('\n').Single(line =>
            line.StartsWith(name + " ", StringComparison.Ordinal))[(name.Length + 1)..], CultureInfo.InvariantCulture);
        Assert.Equal(9, tokens);
        Assert.Equal(9, Value("s2_generated_tokens_total"));
        Assert.Equal(3, Value("s2_prompt_tokens_total"));
        Assert.Equal(1, Value("s2_time_to_first_token_seconds_count"));
        Assert.Equal(8, Value("s2_time_between_tokens_seconds_bucket{le=\"+Inf\"}"));
        Assert.Equal(0, Value("s2_cache_pages_used"));
        Assert.True(Value("s2_cache_pages_free") > 0);
        Assert.Equal(Value("s2_cache_pages_free"), Value("s2_cache_pages_total"));
        Assert.Equal(1, Value("s2_requests_total{status=\"200\"}"));
        Assert.All(text.TrimEnd('\n').Split('\n'), line => Assert.Matches(
            @"^(# (HELP|TYPE) s2_\w+ .+|s2_\w+(\{\w+=""[^""]+""\})? \S+)$", line));
    }

    [Fact]
    public async Task Clients_that_left_have_a_status_of_their_own()
    {
        await using var server = await TestServer.StartAsync(config: TinyModelFolder.Config with
        {
            ContextTokens = 8192,
        });
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(10));
        using (server.SlowDown())                                         // so that the texts run
            foreach (bool isStream in (bool[])[true, false])
            {
                using var leaving = CancellationTokenSource.CreateLinkedTokenSource(limit.Token);
                var request = new HttpRequestMessage(HttpMethod.Post, "/v1/completions")
                {
                    Content = new StringContent($$"""
                        {"model":"tiny","prompt":"a","max_tokens":5000,"stream":{{(isStream ? "true" : "false")}}}
                        """),
                };
                var answer = server.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, leaving.Token);
                while (server.Server.Counters.Running < 2)
                    await Task.Delay(5, limit.Token);
                if (isStream)
                    (await answer).Dispose();
                await leaving.CancelAsync();
                while (server.Server.Counters.Running > 1)
                    await Task.Delay(5, limit.Token);
            }
        string text;
        do
            text = await server.Client.GetStringAsync("/metrics", limit.Token);
        while (!text.Contains("s2_requests_total{status=\"499\"} 2\n"));
    }

    [Fact]
    public async Task Blocks_that_are_chosen_at_run_time_are_told()
    {
        var dense = new DenseAttention { BlockTokens = 16 };
        await using var server = await TestServer.StartAsync(options => options with
        {
            Scheduler = options.Scheduler with { ChunkTokens = 64, StepTokens = 100 },
        }, TinyModelFolder.Config with { ContextTokens = 512, Attention = new AttentionPlan(dense) },
            sample: new SampleAttentionOptions { AuditRows = 5 });
        string prompt = string.Join(',', Enumerable.Range(0, 400).Select(i => i % 200));
        await server.SucceedAsync("/v1/completions",
            $$"""{"model":"tiny","prompt":[{{prompt}}],"max_tokens":2}""");
        await server.BecomeIdleAsync();
        string text = await server.Client.GetStringAsync("/metrics");
        // Chunks that end at 256, 320 and 384 tokens, in 2 layers; 5 rows of 4 heads each.
        Assert.Contains("\ns2_sample_selections_total 6\n", text);
        Assert.Contains("\ns2_sample_audited_rows_total 120\n", text);
        Assert.Matches("\ns2_sample_audited_kept_least 0\\.\\d+\n|\ns2_sample_audited_kept_least 1\n", text);
        Assert.Matches("\ns2_sample_kept_fraction{layer=\"1\",head=\"1\"} [01]", text);
    }

    [Fact]
    public async Task Models_are_listed_and_the_server_is_ready()
    {
        await using var server = await TestServer.StartAsync();
        using var models = JsonDocument.Parse(await server.Client.GetStringAsync("/v1/models"));
        Assert.Equal(TestServer.ModelName, models.RootElement.GetProperty("data")[0].GetProperty("id").GetString());
        Assert.Equal("ready\n", await server.Client.GetStringAsync("/ready"));
        Assert.Equal("ok\n", await server.Client.GetStringAsync("/health"));
    }
}
