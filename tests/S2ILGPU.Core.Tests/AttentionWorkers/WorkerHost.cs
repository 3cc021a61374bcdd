using System.Collections.Concurrent;
using System.Net;
using S2ILGPU.AttentionWorkers;
using S2ILGPU.Cpu;

namespace S2ILGPU.Core.Tests.AttentionWorkers;

/// <summary>An attention worker in this process, with an engine and threads of its own.</summary>
internal sealed class WorkerHost : IDisposable
{
    private readonly CpuEngine _engine = new(new CpuOptions(Threads: 1));
    private readonly CancellationTokenSource _stop = new();
    private readonly AttentionWorker _worker;
    private readonly Task _running;

    public WorkerHost(int port = 0)
    {
        _worker = new AttentionWorker(_engine, IPAddress.Loopback, port, Lines.Enqueue);
        _running = Task.Run(() => _worker.RunAsync(_stop.Token));
    }

    /// <summary>What it logged.</summary>
    public ConcurrentQueue<string> Lines { get; } = [];

    public int Port => _worker.Address.Port;

    public string Address => $"127.0.0.1:{Port}";

    /// <summary>Waits for a line.</summary>
    public async Task<string> SaysAsync(string part)
    {
        while (true)
        {
            if (Lines.FirstOrDefault(line => line.Contains(part)) is { } line)
                return line;
            await Task.Delay(5);
        }
    }

    /// <summary>Cuts connections and stops to listen.</summary>
    public void Dispose()
    {
        if (_running.IsCompleted)
            return;
        _stop.Cancel();
        _running.ContinueWith(_ => { }, TaskScheduler.Default).Wait();
        _worker.Dispose();
        _engine.Dispose();
        _stop.Dispose();
    }
}
