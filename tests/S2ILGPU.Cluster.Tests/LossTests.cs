using S2ILGPU.Cluster.Hosting;
using S2ILGPU.Cluster.Wire;
using S2ILGPU.Inference;
using S2ILGPU.Scheduling;
using S2ILGPU.Serving.Tests;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Cluster.Tests;

/// <summary>Instances and clients that leave while texts run.</summary>
public sealed class LossTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Texts_of_an_instance_that_is_lost_go_on_elsewhere(bool modelFails)
    {
        TestScale.SkipUnlessDrawn(2);
        await using var cluster = await TestCluster.StartAsync();
        using var slow = cluster.Servers[1].SlowDown();                   // its texts run when it is lost
        var random = Seeds.NewRandom();
        var all = Enumerable.Range(0, 8).Select(n => (Prompt: $"Line {n} of some text", Tokens: random.Next(300, 700),
            Temperature: random.Pick(0.0, 1.0), Seed: random.Next())).ToArray();
        var running = await Task.WhenAll(all.Select(r =>
            cluster.BeginAsync(0, r.Prompt, r.Tokens, r.Temperature, r.Seed)));
        // The slow text alone may have tokens while the others are placed.
        long before = cluster.Servers[1].Server.Counters.GeneratedTokens;
        while (cluster.Servers[1].Server.Counters is var counters
            && (counters.Running < 2 || counters.GeneratedTokens < before + 30))
            await Task.Delay(5);
        if (modelFails)
            cluster.Servers[1].Damage();
        else
            await cluster.Instances[1].DisposeAsync();
        foreach (var (request, response) in all.Zip(running))
        {
            Assert.Equal(cluster.Alone(request.Prompt, request.Tokens, request.Temperature, request.Seed),
                EventStream.Text(await EventStream.ReadAsync(response)));
            response.Dispose();
        }
        Assert.True(await cluster.MetricAsync(0, "s2_requests_continued_total") > 0, Seeds.Text);
        slow.Dispose();
        await cluster.Servers[0].BecomeIdleAsync();
        if (!modelFails)
            await cluster.Servers[1].BecomeIdleAsync();
    }

    [Fact]
    public async Task Instance_that_the_others_give_up_says_so_and_answers_alone()
    {
        TestScale.SkipUnlessDrawn(2);
        await using var cluster = await TestCluster.StartAsync();
        var running = await Task.WhenAll(Enumerable.Range(0, 4).Select(n => cluster.BeginAsync(0, $"{n}", 500)));
        await cluster.Instances[0].Services.ExpelAsync(cluster.Instances[1].Services.Self);
        Assert.NotEmpty(await cluster.Instances[1].Expelled);
        for (int n = 0; n < running.Length; n++)
            Assert.Equal(cluster.Alone($"{n}", 500), EventStream.Text(await EventStream.ReadAsync(running[n])));
        Assert.False(cluster.Instances[0].Expelled.IsCompleted);
        Assert.Equal(cluster.Alone("Line 5", 20), await cluster.StreamAsync(1, "Line 5", 20));
    }

    [Fact]
    public async Task Client_that_leaves_frees_the_pages_everywhere()
    {
        await using var cluster = await TestCluster.StartAsync();
        var running = await Task.WhenAll(Enumerable.Range(0, 6).Select(n => cluster.BeginAsync(0, $"{n}", 4000)));
        while (cluster.Servers.Any(server => server.Server.Counters.GeneratedTokens == 0))
            await Task.Delay(5);
        foreach (var response in running)
            response.Dispose();
        await cluster.BecomeIdleAsync();
    }

    [Fact]
    public async Task Draining_instance_finishes_what_it_runs_for_others_and_takes_no_more()
    {
        await using var cluster = await TestCluster.StartAsync();
        var running = await Task.WhenAll(Enumerable.Range(0, 4).Select(n => cluster.BeginAsync(0, $"{n}", 300)));
        while (cluster.Servers[1].Server.Counters.GeneratedTokens == 0)
            await Task.Delay(5);
        var drained = cluster.Instances[1].DrainAsync();
        Assert.Contains("not ready", await cluster.Servers[0].Client.GetStringAsync("/health"));
        double placed = await cluster.MetricAsync(0, "s2_requests_placed_elsewhere_total");
        Assert.Equal(cluster.Alone("Line 5", 40), await cluster.StreamAsync(0, "Line 5", 40));
        Assert.Equal(placed, await cluster.MetricAsync(0, "s2_requests_placed_elsewhere_total"));
        for (int n = 0; n < running.Length; n++)
            Assert.Equal(cluster.Alone($"{n}", 300), EventStream.Text(await EventStream.ReadAsync(running[n])));
        await drained;
        Assert.Equal(0, await cluster.MetricAsync(0, "s2_requests_continued_total"));
    }

    [Fact]
    public async Task Run_that_is_not_asked_for_ends_with_its_lease()
    {
        await using var server = await TestServer.StartAsync(config: TestCluster.Config);
        using var runs = new HostedRuns(server.Server, "f", lease: TimeSpan.FromMilliseconds(50));
        var request = new GenerationRequest { Prompt = [1, 2, 3], MaxTokens = 4000 };
        var id = Guid.NewGuid();
        Assert.Equal(SubmissionOutcome.Accepted, runs.Submit(id, "f", request).Outcome);
        while (runs.Count > 0)
            await Task.Delay(5);
        await server.BecomeIdleAsync();
        Assert.Null(await runs.ReadAsync(id, 0, TimeSpan.Zero));
    }

    [Fact]
    public async Task Repeated_calls_change_nothing()
    {
        await using var server = await TestServer.StartAsync(config: TestCluster.Config);
        using var runs = new HostedRuns(server.Server, "f", lease: TimeSpan.FromMinutes(10));
        var request = new GenerationRequest
        {
            Prompt = [1, 2, 3],
            MaxTokens = 50,
            Sampling = new SamplingOptions { Seed = (ulong)Seeds.Current },
        };
        var id = Guid.NewGuid();
        Assert.Equal(SubmissionOutcome.Accepted, runs.Submit(id, "f", request).Outcome);
        Assert.Equal(SubmissionOutcome.Accepted, runs.Submit(id, "f", request).Outcome);
        var random = Seeds.NewRandom();
        var tokens = new List<int?>();
        for (bool isEnd = false; !isEnd;)
        {
            var first = (await runs.ReadAsync(id, tokens.Count, TimeSpan.FromMinutes(10)))!;
            // As if this answer was lost.
            var again = (await runs.ReadAsync(id, tokens.Count, TimeSpan.FromMinutes(10)))!;
            Assert.Equal(first.Tokens.Select(t => t.Token),
                again.Tokens.Take(first.Tokens.Length).Select(t => t.Token));
            int taken = random.Next(again.Tokens.Length + 1);
            tokens.AddRange(again.Tokens.Take(taken).Select(t => t.Token));
            isEnd = again.IsEnd && taken == again.Tokens.Length;
        }
        Assert.Equal(50, tokens.Count);
        await server.BecomeIdleAsync();                                   // counters are those after the last step
        Assert.Equal(50, server.Server.Counters.GeneratedTokens);
        Assert.Equal(1, server.Server.Counters.FinishedChoices);
        // All may have come at once: what is asked for from the end on forgets what was before.
        Assert.True((await runs.ReadAsync(id, 50, TimeSpan.Zero))!.IsEnd);
        await Assert.ThrowsAsync<ArgumentException>(() => runs.ReadAsync(id, 0, TimeSpan.Zero));
        runs.End(id);
        runs.End(id);
        Assert.Equal(SubmissionOutcome.Refused, runs.Submit(Guid.NewGuid(), "another model", request).Outcome);
        Assert.Equal(SubmissionOutcome.Invalid,
            runs.Submit(Guid.NewGuid(), "f", request with { Prompt = [-1] }).Outcome);
        await runs.DrainAsync();
        Assert.Equal(SubmissionOutcome.Refused, runs.Submit(Guid.NewGuid(), "f", request).Outcome);
        await server.BecomeIdleAsync();
    }
}
