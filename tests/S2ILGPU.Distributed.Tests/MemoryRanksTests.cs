using S2ILGPU.Collectives;
using S2ILGPU.Cpu;
using S2ILGPU.Distributed.Hosts;
using S2ILGPU.Distributed.Memory;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Distributed.Tests;

/// <summary>Collectives between threads.</summary>
public sealed class MemoryRanksTests
{
    public static readonly ElementType[] Types = [ElementType.Float32, ElementType.BFloat16, ElementType.Int32];

    private static readonly TimeSpan s_soon = TimeSpan.FromMilliseconds(300);

    public static TheoryData<int, ElementType> Cases =>
        [.. TestScale.Sample("collectives in memory",
            from ranks in Enumerable.Range(1, 4) from type in Types select (ranks, type), 4)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Operations_equal_plain_arithmetic(int ranks, ElementType type) => OnRanks(ranks, (collective, engine) =>
    {
        var checks = new CollectiveChecks(collective, engine, Seeds.Current);
        foreach (int count in (int[])[0, 1, 7, 64, 1001, (1 << 16) + 3])
            checks.Run(type, count);
        checks.Splits(type, 129);
    });

    [Fact]
    public void Messages_are_cut_at_the_most_bytes_of_one()
    {
        int[] members = [0, 1];
        var mailboxes = new Mailboxes(2, MemoryRanks.DefaultDeadline);
        Parallel.For(0, 2, rank =>
        {
            using var engine = new CpuEngine(new CpuOptions { Threads = 1 });
            using var collective = new HostCollective(engine, new MemoryTransport(mailboxes, 0, members, rank),
                messageBytes: 24);
            new CollectiveChecks(collective, engine, Seeds.Current).Run(ElementType.Float32, 101);
        });
    }

    [Fact]
    public void A_rank_that_throws_ends_the_others_with_its_number() => Assert.IsType<InvalidDataException>(
        CollectiveChecks.EndOfOneThatThrows((ranks, body) => OnRanks(ranks, body)).InnerException);

    [Fact]
    public void A_rank_that_does_not_come_is_named_at_the_deadline()
    {
        using var given = new ManualResetEventSlim();
        var failure = Assert.Throws<RankFailedException>(() => OnRanks(2, (collective, engine) =>
        {
            using var x = engine.Zeros(10);
            if (collective.Rank == 1)
            {
                given.Wait(); // does not come while rank 0 waits
                return;
            }
            try
            {
                collective.AllReduce(x).Wait();
            }
            finally
            {
                given.Set();
            }
        }, s_soon));
        Assert.IsType<TimeoutException>(failure.InnerException);
        Assert.Equal("rank 0: rank 0 waited 0.3 s for rank 1", failure.Message);
    }

    [Fact]
    public void A_rank_that_has_ended_is_not_waited_for()
    {
        var failure = Assert.Throws<RankFailedException>(() => OnRanks(2, (collective, engine) =>
        {
            using var x = engine.Zeros(10);
            if (collective.Rank == 0)
                collective.Broadcast(x, root: 1).Wait();
        }));
        Assert.Equal("rank 1: has ended, and a message of it is missing", failure.Message);
    }

    [Fact]
    public void Different_sizes_are_refused()
    {
        var failure = Assert.Throws<RankFailedException>(() => OnRanks(2, (collective, engine) =>
        {
            using var x = engine.Zeros(10 + collective.Rank);
            collective.Broadcast(x, root: 0).Wait();
        }));
        Assert.Contains("rank 0 sends 40 bytes, rank 1 expects 44", failure.Message);
    }

    [Fact]
    public void Wrong_arguments_are_refused_before_anything_is_sent() =>
        OnRanks(1, CollectiveChecks.RefusesWrongArguments);

    [Fact]
    public void Sums_are_formed_in_the_order_of_the_ranks() => OnRanks(3, (collective, engine) =>
    {
        // 1e8 + 1 - 1e8: 0 from left to right in single precision, 1 in another order.
        using var x = engine.FromArray([collective.Rank switch { 0 => 1e8f, 1 => 1f, _ => -1e8f }]);
        collective.AllReduce(x).Wait();
        Assert.Equal(0f, engine.ToArray(x)[0]);
    });

    private static void OnRanks(int ranks, Action<ICollective, IEngine> body, TimeSpan? deadline = null) =>
        MemoryRanks.Run(ranks, connection =>
        {
            using var engine = new CpuEngine(new CpuOptions { Threads = 1 });
            using var collective = connection.CreateCollective(engine);
            body(collective, engine);
        }, deadline);
}
