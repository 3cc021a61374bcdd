using S2ILGPU.Collectives;
using S2ILGPU.Cpu;
using S2ILGPU.Distributed.Mpi;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Distributed.Tests;

/// <summary>The program of a rank under an MPI launcher; <see cref="MpiRanksTests"/> starts it.</summary>
public sealed class MpiRankTests
{
    private static readonly TimeSpan s_soon = TimeSpan.FromSeconds(1), s_late = MemoryRanks.DefaultDeadline;

    [Fact]
    public void Operations_equal_plain_arithmetic()
    {
        Assert.SkipUnless(MpiRanks.IsLaunched, "runs under an MPI launcher, which MpiRanksTests starts");
        MpiRanks.Run(connection =>
        {
            using var engine = new CpuEngine(new CpuOptions { Threads = 1 });
            using var collective = connection.CreateCollective(engine);
            Assert.Equal(connection.Rank, MpiRanks.LocalRank); // all processes are on this machine
            Assert.Null(connection.Note);
            var checks = new CollectiveChecks(collective, engine, Seeds.Current);
            foreach (var type in MemoryRanksTests.Types)
            {
                foreach (int count in (int[])[0, 1, 1001])
                    checks.Run(type, count);
                checks.Splits(type, 129);
            }
            foreach (var type in TestScale.Part(MemoryRanksTests.Types, 1))
                checks.Run(type, (1 << 18) + 3);
            if (connection.Rank == 0)
                Console.WriteLine($"checked {connection.Size} ranks of {connection.Transport}");
        }, exception =>
        {
            Console.Error.WriteLine(exception);
            return 3;
        });
    }

    [Fact]
    public void A_rank_fails()
    {
        Assert.SkipUnless(MpiRanks.IsLaunched, "runs under an MPI launcher, which MpiRanksTests starts");
        MpiRanks.Run(connection =>
        {
            using var engine = new CpuEngine(new CpuOptions { Threads = 1 });
            using var collective = connection.CreateCollective(engine);
            if (connection.Rank == 1)
                throw new InvalidDataException("no such data");
            using var x = Engines.TensorTransfer.Zeros(engine, 10);
            collective.AllReduce(x).Wait();
        }, exception =>
        {
            Console.Error.WriteLine($"rank 1: {exception.Message}");
            return 3;
        });
    }

    [Fact]
    public void A_message_does_not_come() => EndsAtDeadline(new MpiDeadlines(s_late, s_soon, s_late));

    [Fact]
    public void Another_rank_does_not_start() => EndsAtDeadline(new MpiDeadlines(s_soon, s_late, s_late));

    [Fact]
    public void Another_rank_does_not_end() =>
        EndsAtDeadline(new MpiDeadlines(s_late, s_late, s_soon), hasMessages: false);

    // One rank of two is cancelled while the other one waits for it.
    [Fact]
    public void A_rank_is_cancelled_alone()
    {
        Assert.SkipUnless(MpiRanks.IsLaunched, "runs under an MPI launcher, which MpiRanksTests starts");
        MpiRanks.Run(connection =>
        {
            if (connection.Rank == 1)
                throw new OperationCanceledException("cancelled alone");
            using var engine = new CpuEngine(new CpuOptions { Threads = 1 });
            connection.CreateCollective(engine).Dispose();
        }, exception =>
        {
            Console.Error.WriteLine($"told: {exception.Message}");
            return 3;
        });
    }

    [Fact]
    public void All_ranks_stop_together()
    {
        Assert.SkipUnless(MpiRanks.IsLaunched, "runs under an MPI launcher, which MpiRanksTests starts");
        Assert.Throws<OperationCanceledException>(() => MpiRanks.Run(_ => throw new OperationCanceledException("saved",
            new RanksCancelledException(CancellationToken.None)), exception =>
        {
            Console.Error.WriteLine($"told: {exception.Message}");
            return 3;
        }));
        Console.WriteLine("stopped together");
    }

    // The runtime finds null by a signal, which libraries below MPI like to take for a crash.
    [Fact]
    public void A_null_is_an_exception()
    {
        Assert.SkipUnless(MpiRanks.IsLaunched, "runs under an MPI launcher, which MpiRanksTests starts");
        MpiRanks.Run(connection =>
        {
            string? text = connection.Rank < 0 ? "" : null;
            Assert.Throws<NullReferenceException>(() => text!.Length);
            Console.WriteLine("null was caught");
        });
    }

    // Rank 1 sleeps where it begins at all.
    private static void EndsAtDeadline(MpiDeadlines deadlines, bool hasMessages = true)
    {
        Assert.SkipUnless(MpiRanks.IsLaunched, "runs under an MPI launcher, which MpiRanksTests starts");
        MpiRanks.Run(connection =>
        {
            if (connection.Rank == 1)
                Thread.Sleep(Timeout.Infinite);
            if (!hasMessages)
                return;
            using var engine = new CpuEngine(new CpuOptions { Threads = 1 });
            connection.CreateCollective(engine).Dispose();
        }, exception =>
        {
            Console.Error.WriteLine($"told: {exception.Message}");
            return 3;
        }, deadlines);
    }
}
