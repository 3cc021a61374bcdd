using S2ILGPU.Cpu;
using S2ILGPU.Distributed.Hosts;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Distributed.Tests;

/// <summary>The program of a rank under an MPI launcher; <see cref="MpiRanksTests"/> starts it.</summary>
public sealed class MpiRankTests
{
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
}
