using S2ILGPU.Cpu;
using S2ILGPU.Inference;
using S2ILGPU.Serving.Tests;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Cluster.Tests;

/// <summary>Processes of the tool that are one service, and one of them that is killed or stopped.</summary>
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
        await using var store = await RedisProcess.StartAsync();
        await KillAsync(0, "--cluster-port", "0", "--cluster-address", "127.0.0.1", "--cluster-store", store.Address);
    }

    // It is given up before it runs again, and what it was asked for is computed elsewhere.
    [Fact]
    public async Task Texts_outlive_a_process_that_is_stopped_and_goes_on()
    {
        TestScale.SkipUnlessDrawn(3);
        string[] options = ["--cluster", "test", "--cluster-port", $"{FreePort.Find()}"];
        await using var alone = await TestServer.StartAsync(config: TestCluster.Config);
        using var folder = SaveModel();
        using var front = await ServeProcess.StartAsync(folder.FullPath, options);
        using var silent = await ServeProcess.StartAsync(folder.FullPath, options);
        await front.MeetAsync(2);
        await silent.MeetAsync(2);
        var all = TextRequest.Draw(Clients, 300, 700);
        var running = await Task.WhenAll(all.Select(request => request.BeginAsync(front, folder.FullPath)));
        var texts = running.Select(TextRequest.ReadAsync).ToArray();
        using var surely = await PlaceElsewhereAsync(front, folder.FullPath);
        while (await silent.MetricAsync("s2_generated_tokens_total") < 50)
            await Task.Delay(10);
        await silent.SignalAsync("STOP");
        while (await front.MetricAsync("s2_requests_continued_total") == 0)
            await Task.Delay(50);
        await silent.SignalAsync("CONT");
        foreach (var (request, text) in all.Zip(texts))
            Assert.Equal(request.Alone(alone), await text);
        surely.Dispose();
        while (!await IsIdleOrEndedAsync() || !await front.IsIdleAsync())
            await Task.Delay(50);
        using var after = await front.BeginAsync(folder.FullPath, "Line 5", 20, 0, 1);
        Assert.Equal(alone.Alone("Line 5", 20, new SamplingOptions { Temperature = 0 }),
            EventStream.Text(await EventStream.ReadAsync(after)));

        // Its texts have no reader any more. Where it was silent for so long that it is no member, it ends.
        async Task<bool> IsIdleOrEndedAsync()
        {
            try
            {
                return await silent.IsIdleAsync();
            }
            catch (HttpRequestException)
            {
                return silent.HasEnded;
            }
        }
    }

    private static async Task KillAsync(int killed, params string[] options)
    {
        await using var alone = await TestServer.StartAsync(config: TestCluster.Config);
        using var folder = SaveModel();
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
        while (!await left.IsIdleAsync())
            await Task.Delay(50);
        using var after = await left.BeginAsync(folder.FullPath, "Line 5", 20, 0, 1);
        Assert.Equal(alone.Alone("Line 5", 20, new SamplingOptions { Temperature = 0 }),
            EventStream.Text(await EventStream.ReadAsync(after)));
    }

    private static TemporaryFolder SaveModel()
    {
        var folder = new TemporaryFolder();
        using var engine = new CpuEngine(new CpuOptions(Threads: 1));
        TinyModelFolder.Save(folder.FullPath, engine, TestCluster.Config);
        return folder;
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
