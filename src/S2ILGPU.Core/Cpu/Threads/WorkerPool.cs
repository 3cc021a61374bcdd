using System.Diagnostics;
using System.Runtime.ExceptionServices;

namespace S2ILGPU.Cpu.Threads;

/// <summary>A piece of parallel work: independent items, executed in any order by any worker.</summary>
internal interface IParallelWork
{
    /// <summary>Executes one item.</summary>
    /// <param name="item">Item, 0 to the item count exclusive.</param>
    /// <param name="worker">Worker that runs it, 0 to <see cref="WorkerPool.Workers"/> exclusive; owns the scratch
    /// memory of that number.</param>
    void Execute(int item, int worker);
}

/// <summary>Fork-join over persistent threads. Every worker begins with a range of items and goes on with what others
/// have left; the caller takes part and can finish everything alone, so that a busy machine never makes it wait for a
/// sleeper.</summary>
/// <remarks>One <see cref="Run"/> at a time. Allocates nothing per run. Workers spin shortly for the next run, then
/// park.</remarks>
internal sealed class WorkerPool : IDisposable
{
    private const int SpinsBeforeYielding = 500;

    // Longer than the pauses inside a step of training or decoding. By the clock: the length of a SpinWait differs by
    // ten between processes, and waking a worker costs 50 microseconds.
    private static readonly long s_spinTicks = Stopwatch.Frequency / 5000;

    private readonly Thread[] _threads;
    private readonly SemaphoreSlim[] _wake;
    private readonly int[] _parked;
    private IParallelWork? _work;
    private ExceptionDispatchInfo? _failure;
    private readonly ItemRanges _items;
    private int _epoch, _active, _running;
    private volatile bool _open, _stop;

    /// <summary>Starts the threads.</summary>
    /// <param name="workers">Number of workers, the caller included; at least 1.</param>
    public WorkerPool(int workers)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(workers, 1);
        Workers = workers;
        _items = new ItemRanges(workers);
        _threads = new Thread[workers - 1];
        _wake = new SemaphoreSlim[workers - 1];
        _parked = new int[workers];
        for (int i = 0; i < _threads.Length; i++)
        {
            int worker = i + 1;
            _wake[i] = new SemaphoreSlim(0);
            _threads[i] = new Thread(() => Loop(worker)) { IsBackground = true, Name = $"S2ILGPU worker {worker}" };
            _threads[i].Start();
        }
    }

    /// <summary>Number of workers, the caller included.</summary>
    public int Workers { get; }

    /// <summary>Executes all items and returns when the last one is done.</summary>
    /// <exception cref="InvalidOperationException">A run is under way: an item started another, or a second thread
    /// drives the engine.</exception>
    /// <remarks>After an exception of an item no further one is handed out; it is thrown here, once all workers have
    /// stopped.</remarks>
    public void Run(int items, IParallelWork work)
    {
        if (Interlocked.Exchange(ref _running, 1) != 0)
            throw new InvalidOperationException("the worker pool is busy: an engine is driven by one thread at a time");
        try
        {
            Distribute(items, work);
        }
        finally
        {
            Volatile.Write(ref _running, 0);
        }
    }

    /// <summary>Stops the threads; a run that follows is executed by its caller alone.</summary>
    public void Dispose()
    {
        if (_stop)
            return;
        _stop = true;
        Interlocked.Increment(ref _epoch);
        foreach (var wake in _wake)
            wake.Release();
        foreach (var thread in _threads)
            thread.Join();
    }

    private void Distribute(int items, IParallelWork work)
    {
        if (Workers == 1 || items <= 1)
        {
            for (int item = 0; item < items; item++)
                work.Execute(item, 0);
            return;
        }
        // No worker is inside: the last run waited for all that had announced themselves, and later ones found it
        // closed.
        int helpers = Math.Min(_threads.Length, items - 1);
        (_work, _failure) = (work, null);
        _items.Fill(items, helpers + 1);
        _open = true;
        Interlocked.Increment(ref _epoch);
        for (int i = 0; i < helpers; i++)
            if (Interlocked.Exchange(ref _parked[i], 0) == 1)
                _wake[i].Release();
        TakeItems(0);
        // Only workers that took part are waited for: one that is still asleep finds the run closed.
        _open = false;
        Interlocked.MemoryBarrier();
        for (int spins = 0; Volatile.Read(ref _active) != 0; spins++)
            if (spins < SpinsBeforeYielding)
                Thread.SpinWait(4);
            else
                Thread.Yield();
        _work = null;
        _failure?.Throw();
    }

    private void TakeItems(int worker)
    {
        try
        {
            for (int item; Volatile.Read(ref _failure) is null && (item = _items.Take(worker)) >= 0;)
                _work!.Execute(item, worker);
        }
        catch (Exception e)
        {
            Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(e), null);
        }
    }

    private void Loop(int worker)
    {
        for (int seen = 0; ;)
        {
            WaitForRun(worker, seen);
            if (_stop)
                return;
            seen = Volatile.Read(ref _epoch);
            // Announce first, look second: the caller closes first and looks for announcements second.
            Interlocked.Increment(ref _active);
            if (_open)
                TakeItems(worker);
            Interlocked.Decrement(ref _active);
        }
    }

    private void WaitForRun(int worker, int seen)
    {
        ref int parked = ref _parked[worker - 1];
        long parkAt = Stopwatch.GetTimestamp() + s_spinTicks;
        while (Volatile.Read(ref _epoch) == seen && !_stop)
        {
            if (Stopwatch.GetTimestamp() < parkAt)
            {
                Thread.SpinWait(8);
                continue;
            }
            Interlocked.Exchange(ref parked, 1);
            // A run that began in between has either seen the mark and released, or must not be waited for.
            if (Volatile.Read(ref _epoch) == seen || Interlocked.Exchange(ref parked, 0) == 0)
                _wake[worker - 1].Wait();
        }
    }
}
