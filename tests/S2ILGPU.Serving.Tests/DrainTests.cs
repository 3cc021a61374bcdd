using S2ILGPU.Inference;
using S2ILGPU.Scheduling;
using S2ILGPU.Serving.Routing;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Serving.Tests;

public sealed class DrainTests
{
    [Fact]
    public async Task Running_streams_finish_and_new_requests_get_503()
    {
        await using var server = await TestServer.StartAsync(config: TinyModelFolder.Config with
        {
            ContextTokens = 8192,
        });
        var slow = server.SlowDown();                                     // so that the stream runs
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/completions");
        request.Content = new StringContent("""
            {"model":"tiny","prompt":"Line 5","max_tokens":150,"seed":7,"stream":true}
            """);
        using var running = await server.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        var drained = server.Server.DrainAsync();
        Assert.Equal(503, (int)(await server.Client.GetAsync("/ready")).StatusCode);
        Assert.Equal(200, (int)(await server.Client.GetAsync("/health")).StatusCode);
        using var refused = await server.PostAsync("/v1/completions", """{"model":"tiny","prompt":"a"}""");
        Assert.Equal(503, (int)refused.StatusCode);
        slow.Dispose();
        Assert.Equal(server.Alone("Line 5", 150, new SamplingOptions { Temperature = 1, TopK = 0, TopP = 1, Seed = 7 }),
            EventStream.Text(await EventStream.ReadAsync(running)));
        await drained;
        await server.Host.DrainAsync();
        await Assert.ThrowsAsync<HttpRequestException>(() => server.Client.GetAsync("/health"));
    }

    [Fact]
    public async Task A_request_whose_submission_fails_does_not_hold_up_the_end()
    {
        await using var server = await TestServer.StartAsync();
        server.Server.Router = new FailingRouter();
        using var response = await server.PostAsync("/v1/completions", """{"model":"tiny","prompt":"a"}""");
        Assert.Equal(500, (int)response.StatusCode);
        await server.Server.DrainAsync().WaitAsync(TimeSpan.FromMinutes(10), TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Damaged_model_is_503_and_not_the_end_of_the_process()
    {
        await using var server = await TestServer.StartAsync();
        server.Damage();
        for (int attempt = 0; attempt < 2; attempt++)
        {
            using var response = await server.PostAsync("/v1/completions", """{"model":"tiny","prompt":"a"}""");
            Assert.Equal(503, (int)response.StatusCode);
            Assert.Contains("NaN", await response.Content.ReadAsStringAsync());
        }
        Assert.Equal(503, (int)(await server.Client.GetAsync("/ready")).StatusCode);
        using var health = await server.Client.GetAsync("/health");       // so that it is started again
        Assert.Equal((503, "failed\n"), ((int)health.StatusCode, await health.Content.ReadAsStringAsync()));
    }

    private sealed class FailingRouter : IRequestRouter
    {
        public Task<ITokenStream> SubmitAsync(IReadOnlyList<GenerationRequest> requests,
            CancellationToken cancellation) => throw new IOException("the connection is lost");

        public Task<IReadOnlyList<InstanceStatus>> InstancesAsync(CancellationToken cancellation) =>
            Task.FromResult<IReadOnlyList<InstanceStatus>>([]);
    }
}
