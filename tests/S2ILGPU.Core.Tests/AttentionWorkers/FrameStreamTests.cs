using System.Net;
using System.Net.Sockets;
using S2ILGPU.AttentionWorkers;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.AttentionWorkers;

/// <summary>Frames between a model worker and an attention worker.</summary>
public sealed class FrameStreamTests
{
    [Fact]
    public async Task Large_frames_pass_each_other()
    {
        // More than the buffers of both ends have room for.
        const int Bytes = 1 << 26;
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        socket.Connect(listener.LocalEndpoint);
        using FrameStream model = new(socket), worker = new(listener.AcceptSocket());
        byte fill = (byte)Seeds.NewRandom().Next(1, 256);
        var answer = Task.Run(() =>
        {
            worker.Add(FrameKind.Output, payloadBytes: Bytes).Fill(fill);
            worker.SendBehind();
            int received = worker.ReadPayload(worker.Read().PayloadBytes).Length;
            worker.Add(FrameKind.Welcome);
            worker.SendBehind();
            return received;
        }, TestContext.Current.CancellationToken);
        model.Add(FrameKind.Query, payloadBytes: Bytes);
        model.Send();
        Assert.Equal(Bytes, model.Read().PayloadBytes);
        Assert.True(model.ReadPayload(Bytes).IndexOfAnyExcept(fill) < 0, Seeds.Text);
        Assert.Equal(FrameKind.Welcome, model.Read().Kind);
        Assert.Equal(Bytes, await answer);
        listener.Stop();
    }
}
