using System.Diagnostics;
using S2ILGPU.Cpu.Threads;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Cpu;

public sealed class WorkerPoolTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(16)] // more than there are processors
    public void Every_item_runs_exactly_once_in_every_run(int workers)
    {
        using var pool = new WorkerPool(workers);
        var work = new Count(100);
        for (int run = 1; run <= 300; run++)
        {
            int items = run % 101;
            Array.Clear(work.Runs);
            pool.Run(items, work);
            Assert.All(work.Runs[..items], count => Assert.Equal(1, count));
            Assert.All(work.Runs[items..], count => Assert.Equal(0, count));
        }
        Assert.InRange(work.HighestWorker, 0, workers - 1);
    }

    [Fact]
    public void Workers_that_park_or_are_about_to_wake_up_again()
    {
        TestScale.SkipUnlessDrawn(2);
        using var pool = new WorkerPool(3);
        var random = Seeds.NewRandom();
        for (int run = 0; run < 1000; run++)
        {
            var pause = TimeSpan.FromMicroseconds(random.Next(400)); // around the time after which a worker parks
            for (long start = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(start) < pause;)
                Thread.Yield();
            // Items wait for each other, so a run ends only with three workers in it.
            pool.Run(3, new Meeting(3));
        }
    }

    [Fact]
    public void No_two_items_share_a_worker_at_a_time()
    {
        using var pool = new WorkerPool(4);
        var work = new Exclusive(4);
        for (int run = 0; run < 50; run++)
            pool.Run(64, work);
        Assert.False(work.Overlapped);
    }

    // As a slow core of a hybrid processor, or one that another program keeps: it runs one item, the others the rest
    // of its range. If they did not, the run would never end: the slow worker waits for them.
    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(8)]
    public void Items_of_a_slow_worker_are_taken_over(int workers)
    {
        using var pool = new WorkerPool(workers);
        foreach (int items in (int[])[workers, 64, 1000])
        {
            var work = new OneSlow(items);
            for (int run = 0; run < 20; run++)
            {
                work.Restart();
                pool.Run(items, work);
                Assert.All(work.Runs, runs => Assert.Equal(1, runs));
                Assert.Equal(1, work.ItemsOfSlowWorker);
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void An_exception_reaches_the_caller_and_the_pool_lives_on(int workers)
    {
        using var pool = new WorkerPool(workers);
        for (int run = 0; run < 50; run++)
        {
            var exception = Assert.Throws<FormatException>(() => pool.Run(200, new Failing(run)));
            Assert.Equal($"item {run}", exception.Message);
            var count = new Count(20);
            pool.Run(20, count);
            Assert.All(count.Runs, runs => Assert.Equal(1, runs));
        }
    }

    [Fact]
    public void A_nested_run_is_refused()
    {
        using var pool = new WorkerPool(2);
        Assert.Throws<InvalidOperationException>(() => pool.Run(5, new Nested(pool)));
        pool.Run(5, new Count(5));
    }

    [Fact]
    public void Disposal_ends_parked_spinning_and_fresh_workers()
    {
        for (int n = 0; n < 30; n++)
        {
            var pool = new WorkerPool(4);
            if (n % 3 > 0)
                pool.Run(8, new Count(8));
            if (n % 3 > 1)
                Thread.Sleep(2);
            pool.Dispose();
            pool.Dispose();
            var alone = new Count(5);
            pool.Run(5, alone);
            Assert.All(alone.Runs, runs => Assert.Equal(1, runs));
        }
    }

    [Fact]
    public void Several_busy_pools_finish()
    {
        Parallel.For(0, 4, _ =>
        {
            using var pool = new WorkerPool(4);
            var work = new Count(32);
            for (int run = 0; run < 200; run++)
                pool.Run(32, work);
            Assert.All(work.Runs, runs => Assert.Equal(200, runs));
        });
    }

    [Fact]
    public void There_is_at_least_one_worker() => Assert.Throws<ArgumentOutOfRangeException>(() => new WorkerPool(0));

    private sealed class Count(int items) : IParallelWork
    {
        private int _highestWorker;

        public int[] Runs { get; } = new int[items];

        public int HighestWorker => _highestWorker;

        public void Execute(int item, int worker)
        {
            Interlocked.Increment(ref Runs[item]);
            InterlockedMax(ref _highestWorker, worker);
        }

        private static void InterlockedMax(ref int target, int value)
        {
            for (int seen = target; value > seen; seen = target)
                Interlocked.CompareExchange(ref target, value, seen);
        }
    }

    private sealed class Meeting(int size) : IParallelWork
    {
        private readonly Barrier _barrier = new(size);

        public void Execute(int item, int worker) =>
            _barrier.SignalAndWait(TestContext.Current.CancellationToken);
    }

    // The worker that comes first gets no further before all other items are done, by others.
    private sealed class OneSlow(int items) : IParallelWork
    {
        private readonly ManualResetEventSlim _othersAreDone = new();
        private int _slow, _left;

        public int[] Runs { get; } = new int[items];

        public int ItemsOfSlowWorker { get; private set; }

        public void Restart()
        {
            Array.Clear(Runs);
            (_slow, _left, ItemsOfSlowWorker) = (-1, items - 1, 0);
            _othersAreDone.Reset();
        }

        public void Execute(int item, int worker)
        {
            Interlocked.Increment(ref Runs[item]);
            int slow = Interlocked.CompareExchange(ref _slow, worker, -1);
            if (slow == -1)
                _othersAreDone.Wait(TestContext.Current.CancellationToken);
            if (slow == -1 || slow == worker)
                ItemsOfSlowWorker++;
            else if (Interlocked.Decrement(ref _left) == 0)
                _othersAreDone.Set();
        }
    }

    private sealed class Exclusive(int workers) : IParallelWork
    {
        private readonly int[] _inside = new int[workers];

        public bool Overlapped { get; private set; }

        public void Execute(int item, int worker)
        {
            Overlapped |= Interlocked.Increment(ref _inside[worker]) != 1;
            Thread.SpinWait(20);
            Interlocked.Decrement(ref _inside[worker]);
        }
    }

    private sealed class Failing(int failing) : IParallelWork
    {
        public void Execute(int item, int worker)
        {
            if (item == failing)
                throw new FormatException($"item {item}");
        }
    }

    private sealed class Nested(WorkerPool pool) : IParallelWork
    {
        public void Execute(int item, int worker) => pool.Run(2, new Count(2));
    }
}
