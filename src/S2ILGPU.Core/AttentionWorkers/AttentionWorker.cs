using System.Net;
using System.Net.Sockets;
using S2ILGPU.Engines;

namespace S2ILGPU.AttentionWorkers;

/// <summary>A process's part of attention elsewhere: it listens for a model worker, holds the cache of some KV heads
/// for it, and runs their attention. It needs no weights and no tokenizer.</summary>
/// <remarks>It serves one model worker at a time; another one is refused. When a connection ends, its cache is freed
/// and the next model worker may come. What travels is neither encrypted nor authenticated.</remarks>
public sealed class AttentionWorker : IDisposable
{
    private const int KeepAliveSeconds = 10, KeepAliveRetries = 3;
    private static readonly TimeSpan s_helloTimeout = TimeSpan.FromSeconds(10);

    private readonly IEngine _engine;
    private readonly Action<string> _log;
    private readonly TcpListener _listener;
    private readonly Lock _gate = new();
    private readonly HashSet<Socket> _open = [];                                  // under the gate
    private EndPoint? _client;                                                    // under the gate

    /// <summary>Begins to listen.</summary>
    /// <param name="engine">Computes attention; not disposed.</param>
    /// <param name="address">Address to listen on.</param>
    /// <param name="port">Port; 0 for any that is free.</param>
    /// <param name="log">Told in one line what comes and goes, on any thread; null for no one.</param>
    /// <exception cref="IOException">The port is in use, or the address is not one of this machine.</exception>
    public AttentionWorker(IEngine engine, IPAddress address, int port, Action<string>? log = null)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(address);
        (_engine, _log, _listener) = (engine, log ?? (_ => { }), new TcpListener(address, port));
        try
        {
            _listener.Start();
        }
        catch (SocketException e)
        {
            throw new IOException($"cannot listen on {new IPEndPoint(address, port)}: {e.Message}", e);
        }
    }

    /// <summary>Where it listens.</summary>
    public IPEndPoint Address => (IPEndPoint)_listener.LocalEndpoint;

    /// <summary>Serves one model worker after the other.</summary>
    /// <param name="cancellation">Ends it; a connection that is open is cut.</param>
    public async Task RunAsync(CancellationToken cancellation)
    {
        var serving = new List<Task>();
        try
        {
            while (true)
            {
                var socket = await _listener.AcceptSocketAsync(cancellation).ConfigureAwait(false);
                lock (_gate)
                    _open.Add(socket);
                serving.RemoveAll(task => task.IsCompleted);
                serving.Add(Task.Factory.StartNew(() => Serve(socket), CancellationToken.None,
                    TaskCreationOptions.LongRunning, TaskScheduler.Default));
            }
        }
        finally
        {
            lock (_gate)
                foreach (var socket in _open)
                    socket.Dispose();
            await Task.WhenAll(serving).ConfigureAwait(false);
        }
    }

    /// <summary>Stops to listen.</summary>
    public void Dispose() => _listener.Dispose();

    private void Serve(Socket socket)
    {
        var from = socket.RemoteEndPoint!;
        try
        {
            socket.NoDelay = true;
            // A model worker whose machine is gone says no goodbye.
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, KeepAliveSeconds);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, KeepAliveSeconds);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, KeepAliveRetries);
            using var frames = new FrameStream(socket) { Timeout = s_helloTimeout };
            Serve(frames, from);
        }
        catch (Exception e) when (IsLoss(e))
        {
            _log($"{from}: {e.GetBaseException().Message}");
        }
        finally
        {
            lock (_gate)
                _open.Remove(socket);
        }
    }

    private void Serve(FrameStream frames, EndPoint from)
    {
        bool isClient = false;
        try
        {
            var (hello, fingerprint) = ReadHello(frames);
            lock (_gate)
            {
                if (_client is not null)
                    throw new ArgumentException($"it serves the model worker at {_client} already");
                (_client, isClient) = (from, true);
            }
            using var session = new WorkerSession(_engine, frames, hello, fingerprint);
            frames.Add(FrameKind.Welcome);
            frames.Send();
            frames.Timeout = null;
            _log($"serves {from}: key/value heads {hello.FirstHead} to {hello.FirstHead + hello.Heads - 1}, "
                + $"fingerprint {fingerprint}");
            Run(session, frames, from);
            _log($"{from} is gone");
        }
        catch (Exception e) when (!IsLoss(e))
        {
            _log($"refused {from}: {OneLine(e)}");
            frames.Add(FrameKind.Refused, OneLine(e));
            frames.Send();
        }
        finally
        {
            if (isClient)
                lock (_gate)
                    _client = null;
        }
    }

    // Whatever goes wrong ends this connection, not the worker.
    private void Run(WorkerSession session, FrameStream frames, EndPoint from)
    {
        try
        {
            session.Run();
        }
        catch (Exception e) when (!IsLoss(e))
        {
            _log($"{from}: {OneLine(e)}");
            frames.WaitForSent();
            frames.Add(FrameKind.Failed, OneLine(e));
            frames.Send();
        }
    }

    private static (Hello Hello, string Fingerprint) ReadHello(FrameStream frames)
    {
        var frame = frames.Read();
        return frame.Kind == FrameKind.Hello && frame.PayloadBytes is > 0 and <= Hello.MaxBytes
            ? Hello.Read(frames.ReadPayload(frame.PayloadBytes))
            : throw new InvalidDataException("not a model worker");
    }

    private static bool IsLoss(Exception e) => e is IOException or SocketException or ObjectDisposedException;

    private static string OneLine(Exception e) => e.Message.ReplaceLineEndings(" ");
}
