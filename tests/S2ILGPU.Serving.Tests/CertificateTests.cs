using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using S2ILGPU.Models;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Serving.Tests;

/// <summary>What answers say of sampled attention: prompts of 400 and of 300 tokens in chunks of 64, blocks of
/// 16.</summary>
public sealed partial class CertificateTests
{
    private const double Alpha = 0.4;

    private const string Path = "/v1/completions", Chat = "/v1/chat/completions";

    [Fact]
    public async Task An_answer_certifies_its_own_prompt()
    {
        await using var server = await StartAsync();
        var first = await UsageAsync(server, Prompt(400, 7));
        // It is all that the server has read so far.
        await server.BecomeIdleAsync();
        string metrics = await server.Client.GetStringAsync("/metrics");
        Assert.Equal(Metric(metrics, "s2_sample_audited_kept_least"), Number(first, "kept_probability_least"), 12);
        Assert.Equal(Metric(metrics, "s2_sample_audited_kept_mean"), Number(first, "kept_probability_mean"), 12);
        Assert.Equal(1, Metric(metrics, "s2_sample_prompts_total"));
        Assert.Equal(Number(first, "kept_probability_mean") >= Alpha ? 1 : 0,
            Metric(metrics, "s2_sample_prompts_kept_mean_total"));
        Assert.Equal(Number(first, "kept_probability_least") >= Alpha ? 1 : 0,
            Metric(metrics, "s2_sample_prompts_kept_least_total"));
        double[] heads = [.. Fractions().Matches(metrics).Select(match => Double(match.Groups[1].Value))];
        Assert.Equal(heads.Average(), Number(first, "kept_blocks"), 12);
        Assert.InRange(Number(first, "kept_blocks"), 0.01, 0.99);

        var second = await UsageAsync(server, Prompt(300, 11));
        Assert.NotEqual(Number(first, "kept_blocks"), Number(second, "kept_blocks"));
        // The audited rows are drawn anew; blocks are chosen alike.
        Assert.Equal(Number(first, "kept_blocks"), Number(await UsageAsync(server, Prompt(400, 7)), "kept_blocks"));
    }

    [Fact]
    public async Task Two_requests_at_once_have_their_own()
    {
        await using var server = await StartAsync();
        double[] alone = new double[2];
        for (int n = 0; n < 2; n++)
            alone[n] = Number(await UsageAsync(server, Prompt(400 - 100 * n, 7 + 4 * n)), "kept_blocks");
        var both = await Task.WhenAll(UsageAsync(server, Prompt(400, 7)), UsageAsync(server, Prompt(300, 11)));
        Assert.Equal(alone, both.Select(usage => Number(usage, "kept_blocks")));
    }

    [Fact]
    public async Task Choices_share_it_and_prompts_are_joined()
    {
        await using var server = await StartAsync();
        string long1 = Prompt(400, 7), long2 = Prompt(300, 11);
        var one = await UsageAsync(server, long1);
        Assert.Equal(Number(one, "kept_blocks"), Number(await UsageAsync(server, long1, choices: 3), "kept_blocks"));
        var other = await UsageAsync(server, long2);
        double joined = Number(await UsageAsync(server, $"{long1},{long2}"), "kept_blocks");
        double[] each = [Number(one, "kept_blocks"), Number(other, "kept_blocks")];
        Assert.InRange(joined, each.Min(), each.Max());
        // three requests of one prompt, whatever their choices, and one of two
        await server.BecomeIdleAsync();
        string metrics = await server.Client.GetStringAsync("/metrics");
        Assert.Equal(5, Metric(metrics, "s2_sample_prompts_total"));
    }

    [Fact]
    public async Task A_stream_has_it_in_the_chunk_that_counts_tokens()
    {
        await using var server = await StartAsync();
        using var response = await server.PostAsync(Path, Body(Prompt(400, 7), 1,
            ""","stream":true,"stream_options":{"include_usage":true}"""));
        var chunks = await EventStream.ReadAsync(response);
        var usage = chunks[^1].GetProperty("usage");
        Assert.Equal(Number(await UsageAsync(server, Prompt(400, 7)), "kept_blocks"), Number(usage, "kept_blocks"));
        Assert.InRange(Number(usage, "kept_probability_least"), 0, Number(usage, "kept_probability_mean"));
    }

    [Fact]
    public async Task Chat_and_dense_passes_and_no_audit()
    {
        await using var server = await StartAsync(audit: 0);
        var chat = await server.SucceedAsync(Chat,
            """{"model":"tiny","messages":[{"role":"user","content":"Line"}],"max_tokens":2}""");
        Assert.Equal(JsonValueKind.Null, chat.GetProperty("usage").GetProperty("sample_attention").ValueKind);
        var sample = (await UsageAsync(server, Prompt(400, 7))).GetProperty("sample_attention");
        Assert.Equal("kept_blocks", Assert.Single(sample.EnumerateObject()).Name);
        await using var dense = await TestServer.StartAsync();
        var plain = await dense.SucceedAsync(Path, """{"model":"tiny","prompt":"Line","max_tokens":2}""");
        Assert.False(plain.GetProperty("usage").TryGetProperty("sample_attention", out _));
    }

    private static Task<TestServer> StartAsync(int audit = 5) => TestServer.StartAsync(options => options with
    {
        Scheduler = options.Scheduler with { ChunkTokens = 64, StepTokens = 140 },
    }, TinyModelFolder.Config with { ContextTokens = 512,
        Attention = new AttentionPlan(new DenseAttention { BlockTokens = 16 }) },
        sample: new SampleAttentionOptions { ColumnAlpha = Alpha, SlashAlpha = Alpha, AuditRows = audit });

    private static string Prompt(int tokens, int step) =>
        $"[{string.Join(',', Enumerable.Range(0, tokens).Select(i => i * step % 200))}]";

    private static string Body(string prompts, int choices, string more = "") =>
        $$"""{"model":"tiny","prompt":[{{prompts}}],"max_tokens":2,"n":{{choices}}{{more}}}""";

    private static async Task<JsonElement> UsageAsync(TestServer server, string prompts, int choices = 1) =>
        (await server.SucceedAsync(Path, Body(prompts, choices))).GetProperty("usage");

    private static double Number(JsonElement usage, string name) =>
        usage.GetProperty("sample_attention").GetProperty(name).GetDouble();

    private static double Metric(string metrics, string name) =>
        Double(Regex.Match(metrics, $@"^{name} (\S+)$", RegexOptions.Multiline).Groups[1].Value);

    private static double Double(string text) => double.Parse(text, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^s2_sample_kept_fraction\{.*\} (\S+)$", RegexOptions.Multiline)]
    private static partial Regex Fractions();
}
