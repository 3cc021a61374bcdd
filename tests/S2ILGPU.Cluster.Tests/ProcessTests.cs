using System.Diagnostics;
using S2ILGPU.Cpu;
using S2ILGPU.Inference;
using S2ILGPU.Serving.Tests;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Cluster.Tests;

/// <summary>Processes of the tool that are one service, and one of them that is killed.</summary>
public sealed class ProcessTests
{
    private const int Clients = 16;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task Texts_outlive_a_killed_process_of_this_machine(int killed)
    {
        TestScale.SkipUnlessDrawn(3);
        await KillAsync(killed, "--cluster-port", $"{FreePort.Find()}");
    }

    [Fact]
    public async Task Texts_outlive_a_killed_process_of_a_cluster_with_a_store()
    {
        TestScale.SkipUnlessDrawn(3);
        Assert.SkipUnless(ChildProcess.IsOnPath("redis-server"), "no redis-server is installed");
        int port = FreePort.Find();
        using var store = Process.Start(new ProcessStartInfo("redis-server",
            ["--port", $"{port}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        { RedirectStandardOutput = true })!;
        try
        {
            while (await store.StandardOutput.ReadLineAsync() is { } line && !line.Contains("Ready to accept")) { }
            _ = store.StandardOutput.ReadToEndAsync();
            await KillAsync(0, "--cluster-port", "0", "--cluster-address", "127.0.0.1", "--cluster-store",
                $"127.0.0.1:{port}");
        }
        finally
        {
            store.Kill();
            await store.WaitForExitAsync();
        }
    }

    private static async Task KillAsync(int killed, params string[] options)
    {
        await using var alone = await TestServer.StartAsync(config: TestCluster.Config);
        using var folder = new TemporaryFolder();
        using (var engine = new CpuEngine(new CpuOptions(Threads: 1)))
            TinyModelFolder.Save(folder.FullPath, engine, TestCluster.Config);
        using var first = await ServeProcess.StartAsync(folder.FullPath, ["--cluster", "test", .. options]);
        using var second = await ServeProcess.StartAsync(folder.FullPath, ["--cluster", "test", .. options]);
        await first.MeetAsync(2);
        await second.MeetAsync(2);
        var (lost, left) = killed == 0 ? (first, second) : (second, first);
        var all = TextRequest.Draw(Clients, 300, 700)
            .Select((request, n) => (Request: request, Front: n % 4 == 0 ? lost : left)).ToArray();
        var running = await Task.WhenAll(all.Select(r =>
            r.Request.BeginAsync(r.Front, folder.FullPath)));
        var texts = running.Select(TextRequest.ReadAsync).ToArray();
        using var surely = await PlaceElsewhereAsync(left, folder.FullPath);
        while (await lost.MetricAsync("s2_generated_tokens_total") < 50)
            await Task.Delay(10);
        lost.Kill();
        foreach (var ((request, front), text) in all.Zip(texts))
            if (front == left)
                Assert.Equal(request.Alone(alone), await text);
            else
                await ((Task)text).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // its connection is gone
        // The one that is not awaited here goes on when the call that waits for its tokens fails.
        while (await left.MetricAsync("s2_requests_continued_total") == 0)
            await Task.Delay(50);
        surely.Dispose();
        // The lease ends what ran here for the clients of the lost one.
        while (await left.MetricAsync("s2_cache_pages_used") > 0 || await left.MetricAsync("s2_running_sequences") > 0)
            await Task.Delay(50);
        using var after = await left.BeginAsync(folder.FullPath, "Line 5", 20, 0, 1);
        Assert.Equal(alone.Alone("Line 5", 20, new SamplingOptions { Temperature = 0 }),
            EventStream.Text(await EventStream.ReadAsync(after)));
    }

    // A long text that the other process runs: on a busy machine it may answer too late to be given one of the first.
    private static async Task<HttpResponseMessage> PlaceElsewhereAsync(ServeProcess front, string folder)
    {
        while (true)
        {
            double before = await front.MetricAsync("s2_requests_placed_elsewhere_total");
            var response = await front.BeginAsync(folder, "Line", 4000, 0, 1);
            if (await front.MetricAsync("s2_requests_placed_elsewhere_total") > before)
                return response;
            response.Dispose();
        }
    }
}
