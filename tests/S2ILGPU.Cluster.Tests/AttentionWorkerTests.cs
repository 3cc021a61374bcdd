using S2ILGPU.Cpu;
using S2ILGPU.Serving.Tests;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Cluster.Tests;

/// <summary>A process with the weights and others with the cache, one of which is killed while clients read.</summary>
public sealed class AttentionWorkerTests
{
    private const int Clients = 8;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Texts_outlive_a_killed_attention_worker(bool hasSpare)
    {
        TestScale.SkipUnlessDrawn(3);
        await using var alone = await TestServer.StartAsync(config: TestCluster.Config);
        using var folder = new TemporaryFolder();
        using (var engine = new CpuEngine(new CpuOptions(Threads: 1)))
            TinyModelFolder.Save(folder.FullPath, engine, TestCluster.Config);
        using var kept = await WorkerProcess.StartAsync();
        using var lost = await WorkerProcess.StartAsync($"127.0.0.1:{FreePort.Find()}");
        using var spare = hasSpare ? await WorkerProcess.StartAsync() : null;
        using var serve = await ServeProcess.StartAsync(folder.FullPath, ["--attention-workers",
            $"{lost.Address},{kept.Address}", "--attention-overlap", "off", "--attention-restore", "100000",
            .. spare is null ? (string[])[] : ["--attention-spares", spare.Address]]);
        // It runs when the worker is killed, whatever the others do.
        using var endless = await serve.BeginAsync(folder.FullPath, "Line", 4000, 0, 1);
        var all = TextRequest.Draw(Clients, 100, 300);
        var running = await Task.WhenAll(all.Select(r =>
            r.BeginAsync(serve, folder.FullPath)));
        var texts = running.Select(TextRequest.ReadAsync).ToArray();
        while (await serve.MetricAsync("s2_generated_tokens_total") < 50)
            await Task.Delay(10);
        lost.Kill();
        using var again = hasSpare ? null : await WorkerProcess.StartAsync(lost.Address);
        foreach (var (request, text) in all.Zip(texts))
            Assert.Equal(request.Alone(alone), await text);
        endless.Dispose();
        while (await serve.MetricAsync("s2_running_sequences") > 0)
            await Task.Delay(10);
        Assert.Equal(1, await serve.MetricAsync("s2_attention_losses_total"));
        Assert.InRange(await serve.MetricAsync("s2_attention_overlap"), 0, 1);
        double tokens = await serve.MetricAsync("s2_computed_tokens_total");
        var config = TestCluster.Config;
        double bytes = await serve.MetricAsync("s2_attention_sent_tensor_bytes_total")
            + await serve.MetricAsync("s2_attention_received_tensor_bytes_total"),
            perToken = (2 + 2.0 * config.KeyValueHeads / config.QueryHeads) * sizeof(float) * config.QueryHeads
            * config.HeadDim * config.Layers;
        Assert.InRange(bytes / perToken, tokens, tokens + 2 * Clients * 512); // the step that was lost is not counted
    }
}
