using System.Net.Sockets;
using S2ILGPU.Inference;

namespace S2ILGPU.AttentionWorkers;

/// <summary>The connection of a model worker to an attention worker that has accepted it.</summary>
internal sealed class WorkerLink : IDisposable
{
    private static readonly TimeSpan s_connectTimeout = TimeSpan.FromSeconds(5),
        s_helloTimeout = TimeSpan.FromSeconds(60);

    private WorkerLink(string address, Hello hello, FrameStream frames) =>
        (Address, Hello, Frames) = (address, hello, frames);

    public string Address { get; }

    public Hello Hello { get; }

    public FrameStream Frames { get; }

    /// <summary>CPU time of the worker's process, as it said last.</summary>
    public TimeSpan Cpu { get; set; }

    /// <summary>The time that it computed, as it said last.</summary>
    public TimeSpan Busy { get; set; }

    /// <summary>Connects, and sends a hello.</summary>
    /// <exception cref="AttentionLostException">The worker is not reached, or refuses; the message says
    /// why.</exception>
    public static WorkerLink Connect(string address, Hello hello, string fingerprint, TimeSpan timeout)
    {
        FrameStream? frames = null;
        try
        {
            frames = new FrameStream(Open(address)) { Timeout = s_helloTimeout };
            byte[] payload = hello.Write(fingerprint);
            payload.CopyTo(frames.Add(FrameKind.Hello, payloadBytes: payload.Length));
            frames.Send();
            var answer = frames.Read();
            if (answer.Kind == FrameKind.Refused)
                throw Lost(address, frames.ReadText(answer.PayloadBytes));
            answer.Expect(FrameKind.Welcome, 0);
            frames.Timeout = timeout;
            return new WorkerLink(address, hello, frames);
        }
        catch (Exception e) when (e is IOException or SocketException or InvalidDataException
            or TimeoutException)
        {
            frames?.Dispose();
            throw Lost(address, e is TimeoutException
                ? $"no connection within {s_connectTimeout.TotalSeconds} s" : e.GetBaseException().Message, e);
        }
        catch
        {
            frames?.Dispose();
            throw;
        }
    }

    /// <summary>Names the worker of a failure.</summary>
    public static AttentionLostException Lost(string address, string why, Exception? cause = null) =>
        new($"attention worker {address}: {why}", cause);

    public void Dispose() => Frames.Dispose();

    private static Socket Open(string address)
    {
        var end = AttentionWorkerOptions.Resolve(address);
        var socket = new Socket(end.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            // Not ConnectAsync: see FrameStream.
            Task.Run(() => socket.Connect(end)).WaitAsync(s_connectTimeout).GetAwaiter().GetResult();
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
