using S2ILGPU.Cluster.Planning;
using S2ILGPU.Cluster.Wire;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Cluster.Tests;

/// <summary>The placement map and the plan, without instances.</summary>
public sealed class LendingPlanTests
{
    private const long Weights = 1000;

    [Fact]
    public void Plan_gives_every_head_to_one_creditor_that_has_room_for_it()
    {
        var random = Seeds.NewRandom();
        for (int round = 0; round < 200; round++)
        {
            var wish = new LoanWish(random.Next(4), [.. Enumerable.Range(0, random.Next(1, 9)).Select(_ =>
                (long)random.Next(1, 100))]);
            var creditors = Enumerable.Range(0, random.Next(5)).Select(n => ($"{n}", new PoolLoad(random.Next(9),
                random.Next(1000), random.Next(400), 1000))).ToArray();
            var plan = LendingPlan.Make(wish, creditors, Weights);
            int next = wish.First;
            foreach (var loan in plan)
            {
                Assert.Equal(next, loan.First);
                Assert.Equal(wish.Bytes.Skip(next - wish.First).Take(loan.Count).Sum(), loan.Bytes);
                next += loan.Count;
            }
            foreach (var (creditor, load) in creditors)
                Assert.True(plan.Where(loan => loan.Creditor == creditor).Sum(loan => loan.Bytes) <= load.FreeBytes);
            if (plan.Length > 0)
                Assert.Equal(wish.First + wish.Bytes.Length, next);
            // A creditor is left with less room than a head takes.
            else
                Assert.True(creditors.Sum(c => c.Item2.FreeBytes) < wish.Bytes.Sum()
                    + creditors.Length * wish.Bytes.Max(), Seeds.Text);
            Assert.True(plan.Length > 0 || !LendingPlan.IsPossible(wish,
                [.. creditors.Select(c => new PoolSize(c.Item1, c.Item2.FreeBytes))]), Seeds.Text);
        }
    }

    [Fact]
    public void Plan_takes_the_creditor_whose_throughput_suffers_least()
    {
        var random = Seeds.NewRandom();
        for (int round = 0; round < 200; round++)
        {
            var wish = new LoanWish(0, [random.Next(1, 100)]);
            var creditors = Enumerable.Range(0, 4).Select(n => (Name: $"{n}", Load: new PoolLoad(random.Next(9),
                random.Next(1000), 100, 1000))).ToArray();
            string chosen = Assert.Single(LendingPlan.Make(wish, creditors, Weights)).Creditor;
            double Pair(string creditor) => creditors.Sum(c => LendingPlan.Throughput(c.Load.Running,
                c.Load.UsedBytes + (c.Name == creditor ? wish.Bytes[0] : 0), Weights));
            Assert.Equal(creditors.Max(c => Pair(c.Name)), Pair(chosen), 1e-12);
        }
    }

    [Fact]
    public void Map_takes_changes_only_and_refuses_those_that_do_not_follow()
    {
        var map = new PlacementMap(TimeSpan.FromHours(1), Weights, TimeProvider.System);
        var load = new PoolLoad(1, 10, 50, 60);
        var loan = new LoanEntry(Guid.NewGuid(), "b", 0, 1, 5);
        Assert.False(map.Take("a", new PoolBeat(1, false, load, [], [], null)).IsKnown);
        Assert.True(map.Take("a", new PoolBeat(2, true, load, [loan], [], null)).IsKnown);
        Assert.Equal([new PoolSize("a", 60)], map.Take("b", new PoolBeat(1, true, load, [], [], null)).Others);
        Assert.Equal("a", Assert.Single(map.Take("b", new PoolBeat(2, false, load, [], [],
            new LoanWish(0, [50]))).Loans).Creditor);
        Assert.Empty(map.Take("b", new PoolBeat(3, false, load, [], [], new LoanWish(0, [51]))).Loans);
        Assert.Equal(loan, Assert.Single(map.LoansOf("a")));
        Assert.True(map.Take("a", new PoolBeat(3, false, load, [], [loan.Id], null)).IsKnown);
        Assert.Empty(map.LoansOf("a"));
        Assert.False(map.Take("a", new PoolBeat(5, false, load, [loan], [], null)).IsKnown);
        Assert.Empty(map.LoansOf("a"));
    }

    [Fact]
    public void Silent_instances_are_forgotten()
    {
        var time = new SetTime();
        var lease = TimeSpan.FromSeconds(10);
        var map = new PlacementMap(lease, Weights, time);
        var load = new PoolLoad(1, 10, 50, 60);
        map.Take("a", new PoolBeat(1, true, load, [], [], null));
        time.Now += lease;
        Assert.Single(map.Take("b", new PoolBeat(1, true, load, [], [], null)).Others);
        time.Now += TimeSpan.FromTicks(1);
        Assert.Empty(map.Take("b", new PoolBeat(1, true, load, [], [], null)).Others);
    }
}
