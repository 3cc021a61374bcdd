using System.Net.Sockets;
using System.Text;
using S2ILGPU.Inference;
using Xunit;

namespace S2ILGPU.Serving.Tests;

public sealed class SlowReaderTests
{
    [Fact]
    public async Task Clients_that_read_nothing_hold_up_neither_the_scheduler_nor_others()
    {
        await using var server = await TestServer.StartAsync();
        // 8 texts with 5 log-probabilities a token: more than the buffers of a connection hold.
        string body = """
            {"model":"tiny","prompt":"Line","max_tokens":150,"n":8,"logprobs":5,"stream":true}
            """;
        string head = $"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {body.Length}\r\n\r\n";
        using var deaf = new TcpClient { ReceiveBufferSize = 2048 };
        await deaf.ConnectAsync(server.Client.BaseAddress!.Host, server.Client.BaseAddress.Port,
            TestContext.Current.CancellationToken);
        await deaf.GetStream().WriteAsync(Encoding.UTF8.GetBytes(head + body), TestContext.Current.CancellationToken);
        while (server.Server.Counters.Steps == 0)
            await Task.Delay(5, TestContext.Current.CancellationToken);
        var answer = await server.SucceedAsync("/v1/completions",
            """{"model":"tiny","prompt":"Line 5","max_tokens":30,"temperature":0}""");
        Assert.Equal(server.Alone("Line 5", 30, new SamplingOptions { Temperature = 0 }),
            answer.GetProperty("choices")[0].GetProperty("text").GetString());
        await server.BecomeIdleAsync(); // its texts are computed although it reads nothing
        Assert.Equal(9, server.Server.Counters.FinishedChoices);
        deaf.Close();
        await server.Server.DrainAsync(); // its answer ends when the connection is gone
    }
}
