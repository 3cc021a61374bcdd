using System.Net;
using S2ILGPU.Cpu;
using S2ILGPU.Inference;
using S2ILGPU.Serving;
using S2ILGPU.Serving.Tests;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Cluster.Tests;

/// <summary>Requests that need more pages than the instance has that runs them.</summary>
public sealed class LendingTests
{
    // A prompt of 1,500 tokens needs more: alone, its request is refused.
    private const long PoolBytes = 190_000, ProcessPoolBytes = 330_000, SmallPoolBytes = 125_000;
    private const int PromptTokens = 1500, LongTokens = 1000;

    [Fact]
    public async Task A_text_larger_than_the_pool_is_that_of_one_process()
    {
        TestScale.SkipUnlessDrawn(2);
        await using var cluster = await TestCluster.StartAsync(options => options with
        {
            Scheduler = options.Scheduler with { MaxBytes = PoolBytes },
        });
        string prompt = Prompt(cluster.Servers[0]);
        while (await cluster.MetricAsync(0, "s2_borrowable_bytes") < PoolBytes)
            await Task.Delay(10);
        Assert.Equal(cluster.Alone(prompt, 60), await cluster.StreamAsync(0, prompt, 60));
        Assert.True(await cluster.MetricAsync(0, "s2_borrow_page_bytes_total") > 0);
        Assert.Equal(0, await cluster.MetricAsync(0, "s2_borrow_losses_total"));
        await cluster.BecomeIdleAsync();
        while (await cluster.MetricAsync(1, "s2_lent_loans") > 0)
            await Task.Delay(10);
        Assert.Equal(0, await cluster.MetricAsync(0, "s2_borrowed_pages"));
        using var tooLarge = await cluster.BeginAsync(0, prompt + prompt, 10);
        Assert.Equal(HttpStatusCode.BadRequest, tooLarge.StatusCode);
        Assert.Contains("other instances lend at most", await tooLarge.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_context_of_twice_the_pool_runs_on_three_instances()
    {
        TestScale.SkipUnlessDrawn(3);
        ModelServerOptions Small(ModelServerOptions options) => options with
        {
            Scheduler = options.Scheduler with { MaxBytes = SmallPoolBytes },
        };
        await using var cluster = await TestCluster.StartAsync(Small);
        string prompt = Prompt(cluster.Servers[0]);
        while (await cluster.MetricAsync(0, "s2_borrowable_bytes") < SmallPoolBytes)
            await Task.Delay(10);
        using (var tooLarge = await cluster.BeginAsync(0, prompt, 60))
        {
            // "... needs N bytes of pages ...": more than two have.
            string[] words = (await tooLarge.Content.ReadAsStringAsync()).Split(' ');
            Assert.True(long.Parse(words[Array.IndexOf(words, "needs") + 1]) > 2 * SmallPoolBytes,
                string.Join(' ', words));
        }
        await cluster.AddAsync(Small);
        while (await cluster.MetricAsync(0, "s2_borrowable_bytes") < 2 * SmallPoolBytes)
            await Task.Delay(10);
        int seed = Seeds.NewRandom().Next();
        Assert.Equal(cluster.Alone(prompt, 60), await cluster.StreamAsync(0, prompt, 60));
        Assert.Equal(cluster.Alone(prompt, 60, 1, seed), await cluster.StreamAsync(0, prompt, 60, 1, seed));
        await cluster.BecomeIdleAsync();
    }

    [Fact]
    public async Task Pages_that_a_creditor_took_back_cost_a_prefill_and_no_token()
    {
        TestScale.SkipUnlessDrawn(2);
        await using var cluster = await TestCluster.StartAsync(options => options with
        {
            Scheduler = options.Scheduler with { MaxBytes = PoolBytes },
        });
        string prompt = Prompt(cluster.Servers[0]);
        while (await cluster.MetricAsync(0, "s2_borrowable_bytes") < PoolBytes)
            await Task.Delay(10);
        // What the plan knows of the creditor is old by then.
        var lender = cluster.Servers[1].Server.Lender!;
        var other = Guid.NewGuid();
        Assert.True(lender.TryLend(other, 0, 1, PoolBytes));
        // Front and debtor are one, as the other one has no room.
        var text = cluster.StreamAsync(0, prompt, 200);
        await Task.Delay(Seeds.NewRandom().Next(1000));
        Assert.False(text.IsCompleted);
        lender.Return(other);
        // Not over HTTP: the text may end soon.
        SpinWait.SpinUntil(() => lender.Counters.UsedPages > 0 || text.IsCompleted);
        lender.EndSilent(TimeSpan.Zero);
        Assert.Equal(cluster.Alone(prompt, 200), await text);
        Assert.True(await cluster.MetricAsync(0, "s2_borrow_losses_total") > 0, Seeds.Text);
        Assert.Equal(0, await cluster.MetricAsync(0, "s2_borrowed_pages"));
        await cluster.BecomeIdleAsync();
    }

    [Fact]
    public async Task Debtors_that_want_the_same_pages_get_them_one_after_the_other()
    {
        TestScale.SkipUnlessDrawn(2);
        await using var cluster = await TestCluster.StartAsync(options => options with
        {
            Scheduler = options.Scheduler with { MaxBytes = PoolBytes },
        });
        string prompt = Prompt(cluster.Servers[0]);
        foreach (int instance in (int[])[0, 1])
            while (await cluster.MetricAsync(instance, "s2_borrowable_bytes") < PoolBytes)
                await Task.Delay(10);
        string[] texts = await Task.WhenAll(Enumerable.Range(0, 3).Select(n =>
            cluster.StreamAsync(n % 2, $"{n} {prompt}", 30)));
        for (int n = 0; n < texts.Length; n++)
            Assert.Equal(cluster.Alone($"{n} {prompt}", 30), texts[n]);
        await cluster.BecomeIdleAsync();
    }

    [Fact]
    public async Task Text_outlives_a_killed_creditor_and_no_page_stays_lent()
    {
        TestScale.SkipUnlessDrawn(6);
        await using var alone = await TestServer.StartAsync(config: TestCluster.Config);
        using var folder = new TemporaryFolder();
        using (var engine = new CpuEngine(new CpuOptions(Threads: 1)))
            TinyModelFolder.Save(folder.FullPath, engine, TestCluster.Config);
        string[] options = ["--cluster", "test", "--cluster-port", $"{FreePort.Find()}", "--cache-bytes",
            $"{ProcessPoolBytes}"];
        using var debtor = await ServeProcess.StartAsync(folder.FullPath, options);
        using var creditor = await ServeProcess.StartAsync(folder.FullPath, options);
        while (await debtor.MetricAsync("s2_borrowable_bytes") < ProcessPoolBytes)
            await Task.Delay(50);
        string prompt = Prompt(alone);
        var large = TextRequest.ReadAsync(await debtor.BeginAsync(folder.FullPath, prompt, LongTokens, 0, 1));
        while (await debtor.MetricAsync("s2_borrowed_pages") == 0 && !large.IsCompleted)
            await Task.Delay(5);
        var small = TextRequest.Draw(8, 50, 150);
        var running = await Task.WhenAll(small.Select(r => r.BeginAsync(debtor, folder.FullPath)));
        var texts = running.Select(TextRequest.ReadAsync).ToArray();
        creditor.Kill();
        using var another = await ServeProcess.StartAsync(folder.FullPath, options);
        Assert.Equal(alone.Alone(prompt, LongTokens, new SamplingOptions { Temperature = 0 }), await large);
        foreach (var (request, text) in small.Zip(texts))
            Assert.Equal(request.Alone(alone), await text);
        Assert.True(await debtor.MetricAsync("s2_borrow_losses_total") > 0, Seeds.Text);
        Assert.Equal(0, await debtor.MetricAsync("s2_borrowed_pages"));
        while (await another.MetricAsync("s2_lent_bytes_reserved") > 0)
            await Task.Delay(50);
    }

    private static string Prompt(TestServer server)
    {
        string text = "Line 5 of some text";
        while (server.CountTokens(text) < PromptTokens)
            text += $" with {text.Length} more lines of text, to learn from";
        return text;
    }
}
