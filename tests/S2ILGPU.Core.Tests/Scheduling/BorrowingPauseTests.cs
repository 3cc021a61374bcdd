using S2ILGPU.Core.Tests.Lending;
using S2ILGPU.Cpu;
using S2ILGPU.Inference;
using S2ILGPU.Lending;
using S2ILGPU.Scheduling;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Scheduling;

/// <summary>How long a scheduler waits before it asks for pages of others again.</summary>
public sealed class BorrowingPauseTests
{
    private readonly SetTime _time = new();

    [Fact]
    public void A_refusal_costs_a_short_pause()
    {
        var pause = new BorrowingPause(_time, Seeds.NewRandom());
        Assert.True(pause.IsOver);
        pause.Begin();
        Assert.False(pause.IsOver);
        Assert.Equal(BorrowingPause.Short, Length(pause));
    }

    [Theory]
    [InlineData(0.25)]
    [InlineData(0.5)]
    [InlineData(0.999)]
    public void The_pause_doubles_with_each_conflict_up_to_a_bound_until_something_is_borrowed(double drawn)
    {
        var pause = new BorrowingPause(_time, new SetRandom(drawn));
        for (int round = 0; round < 2; round++)
        {
            for (int n = 0; n < BorrowingPause.MostDoublings + 3; n++)
            {
                pause.BeginAfterConflict();
                Assert.Equal(drawn * Bound(n), Length(pause));
                pause.Begin();                                            // a refusal changes nothing of it
                Assert.Equal(BorrowingPause.Short, Length(pause));
            }
            pause.ForgetConflicts();
        }
    }

    [Fact]
    public void Pauses_are_drawn_from_all_of_their_range()
    {
        var pause = new BorrowingPause(_time, new Random(1));
        for (int n = 0; n < BorrowingPause.MostDoublings; n++)
        {
            double[] shares = [.. Enumerable.Range(0, 200).Select(_ =>
            {
                pause.ForgetConflicts();
                for (int conflict = 0; conflict <= n; conflict++)
                    pause.BeginAfterConflict();
                return Length(pause) / Bound(n);
            })];
            Assert.All(shares, share => Assert.InRange(share, 0, 1));
            Assert.True(shares.Min() < 0.1 && shares.Max() > 0.9 && shares.Distinct().Count() > 190);
        }
    }

    [Fact]
    public void A_scheduler_pauses_after_conflicts_and_forgets_them_when_it_borrows()
    {
        using var served = new ServedModel();
        using var lending = new CpuEngine(new CpuOptions(Threads: 1));
        var options = new SchedulerOptions { Sequences = 4, ChunkTokens = ServedModel.ChunkTokens, StepTokens = 80,
            Prefixes = 0 };
        using var creditor = new Scheduler(served.Model, options);
        using var lender = creditor.CreateLender(lending, () => { });
        using var debtor = new Scheduler(served.Model, options with { MaxBytes = WindowBytes(served) }, time: _time);
        var credit = new ReservingCredit(new MemoryCredit(lender));
        debtor.Credit = credit;
        var received = new Received();
        var request = new GenerationRequest { Prompt = served.Prompt(120), MaxTokens = 3, OnToken = received.Take };

        // Its own room is lent while others reserve pages for it: it gives them back, time after time.
        debtor.Submit(request);
        long own = debtor.LendableBytes;
        Assert.True(debtor.TryLend(own));
        const int Conflicts = 5;
        for (int n = 0; n < Conflicts; n++)
        {
            credit.IsReserved = true;
            Assert.True(debtor.Step());
            Assert.False(credit.IsReserved);
        }
        debtor.TakeBack(own);
        Assert.True(debtor.Step());
        Assert.Equal(0, credit.Asked);

        // Its own room is lent while it asks: it gives the loan back.
        _time.Now += Bound(Conflicts - 1);
        credit.Asking = () => Assert.True(debtor.TryLend(own));
        Assert.True(debtor.Step());
        Assert.Equal(1, credit.Asked);
        Assert.Equal(new LendingCounters(), lender.Counters);
        debtor.TakeBack(own);
        credit.Asking = () => { };
        Assert.True(debtor.Step());
        Assert.Equal(1, credit.Asked);

        _time.Now += Bound(Conflicts);
        debtor.Step();
        Assert.Equal(2, credit.Asked);
        while (debtor.Step()) { }
        Assert.Equal(2, credit.Asked);
        Assert.Equal(served.Alone(request), received.Tokens());

        // The next conflict is a first one.
        debtor.Submit(request with { OnToken = null });
        Assert.True(debtor.TryLend(own));
        credit.IsReserved = true;
        Assert.True(debtor.Step());
        debtor.TakeBack(own);
        Assert.True(debtor.Step());
        Assert.Equal(2, credit.Asked);
        _time.Now += Bound(0);
        debtor.Step();
        Assert.Equal(3, credit.Asked);
        while (debtor.Step()) { }
        Assert.Equal(3, credit.Asked);
    }

    // After n earlier conflicts.
    private static TimeSpan Bound(int conflicts) =>
        BorrowingPause.Short * (2 << Math.Min(conflicts, BorrowingPause.MostDoublings));

    // The least time after which it is over, by bisection; it is over then.
    private TimeSpan Length(BorrowingPause pause)
    {
        var begin = _time.Now;
        long low = 0, high = 2 * Bound(BorrowingPause.MostDoublings).Ticks;
        while (low < high)
        {
            long middle = (low + high) / 2;
            _time.Now = begin + TimeSpan.FromTicks(middle);
            if (pause.IsOver)
                high = middle;
            else
                low = middle + 1;
        }
        _time.Now = begin;
        return TimeSpan.FromTicks(low);
    }

    // A pool for the longest request without the far blocks of any head.
    private static long WindowBytes(ServedModel served)
    {
        using var cache = new KeyValueCache(served.Model, new KeyValueCacheOptions());
        return new PageDemand(served.Model, cache, ServedModel.ChunkTokens)
            .NearBytes(served.Model.Config.ContextTokens, 0);
    }

    private sealed class SetRandom(double drawn) : Random
    {
        public override double NextDouble() => drawn;
    }

    // A credit that says what is asked of it.
    private sealed class ReservingCredit(MemoryCredit credit) : IPageCredit
    {
        /// <summary>Calls of <see cref="TryBorrow"/>.</summary>
        public int Asked { get; private set; }

        /// <summary>Runs in each of them.</summary>
        public Action Asking { get; set; } = () => { };

        /// <summary>Whether there is something to give up.</summary>
        public bool IsReserved { get; set; }

        public long MostBytes => credit.MostBytes;

        public bool MayLend(int first, IReadOnlyList<long> bytes) => credit.MayLend(first, bytes);

        public IReadOnlyList<IPageLoan>? TryBorrow(int first, IReadOnlyList<long> bytes)
        {
            Asked++;
            Asking();
            return credit.TryBorrow(first, bytes);
        }

        public bool GiveUp()
        {
            bool wasReserved = IsReserved;
            IsReserved = false;
            return wasReserved;
        }
    }
}
