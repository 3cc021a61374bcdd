using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Distributed.Tests;

/// <summary>Collectives between processes of both families of MPI.</summary>
public sealed class MpiRanksTests
{
    // A plain run draws the number of ranks.
    public static TheoryData<string, int> Cases =>
        [.. from family in MpiProgram.Families
            from ranks in TestScale.IsFull ? (int[])[1, 2, 3, 4] : [2 + (Seeds.Current & 1)]
            select (family, ranks)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Operations_equal_plain_arithmetic(string family, int ranks)
    {
        TestScale.SkipUnlessDrawn(4);
        var (code, text) = MpiProgram.Run(family,
            Test(ranks, nameof(MpiRankTests.Operations_equal_plain_arithmetic)));
        Assert.True(code == 0, text);
        Assert.Contains($"checked {ranks} ranks of {(family == "openmpi" ? "Open MPI" : "MPICH")}", text);
    }

    [Theory]
    [InlineData("openmpi")]
    [InlineData("mpich")]
    public void A_rank_that_fails_ends_the_run(string family)
    {
        TestScale.SkipUnlessDrawn(4);
        var (code, text) = MpiProgram.Run(family, Test(2, nameof(MpiRankTests.A_rank_fails)));
        Assert.NotEqual(0, code);
        Assert.Contains("rank 1: no such data", text);
    }

    [Theory]
    [InlineData("openmpi")]
    [InlineData("mpich")]
    public void A_message_that_does_not_come_ends_the_run_at_the_deadline(string family)
    {
        TestScale.SkipUnlessDrawn(4);
        var (code, text) = MpiProgram.Run(family, Test(2, nameof(MpiRankTests.A_message_does_not_come)));
        Assert.NotEqual(0, code);
        Assert.Contains("told: rank 0 waited 1 s for rank 1", text);
    }

    [Theory]
    [InlineData("openmpi")]
    [InlineData("mpich")]
    public void A_rank_that_does_not_start_ends_the_run_at_the_deadline(string family)
    {
        TestScale.SkipUnlessDrawn(4);
        var (code, text) = MpiProgram.Run(family,
            [.. Test(1, nameof(MpiRankTests.Another_rank_does_not_start)), ":", "-n", "1", "sleep", "3600"]);
        Assert.NotEqual(0, code);
        Assert.Contains("told: MPI_Init_thread waited 1 s for another rank", text);
    }

    [Theory]
    [InlineData("openmpi")]
    [InlineData("mpich")]
    public void A_rank_that_does_not_end_ends_the_run_at_the_deadline(string family)
    {
        TestScale.SkipUnlessDrawn(4);
        var (code, text) = MpiProgram.Run(family, Test(2, nameof(MpiRankTests.Another_rank_does_not_end)));
        Assert.NotEqual(0, code);
        Assert.Contains("told: MPI_Finalize waited 1 s for another rank", text);
    }

    [Theory]
    [InlineData("openmpi")]
    [InlineData("mpich")]
    public void A_rank_that_is_cancelled_alone_ends_the_run(string family)
    {
        TestScale.SkipUnlessDrawn(4);
        var (code, text) = MpiProgram.Run(family, Test(2, nameof(MpiRankTests.A_rank_is_cancelled_alone)));
        Assert.NotEqual(0, code);
        Assert.Contains("told: cancelled alone", text);
    }

    [Theory]
    [InlineData("openmpi")]
    [InlineData("mpich")]
    public void Ranks_that_stop_together_do_not_fail(string family)
    {
        TestScale.SkipUnlessDrawn(4);
        var (code, text) = MpiProgram.Run(family, Test(2, nameof(MpiRankTests.All_ranks_stop_together)));
        Assert.True(code == 0, text);
        Assert.Contains("stopped together", text);
        Assert.DoesNotContain("told:", text);
    }

    [Theory]
    [InlineData("openmpi")]
    [InlineData("mpich")]
    public void A_null_stays_an_exception_of_the_runtime(string family)
    {
        TestScale.SkipUnlessDrawn(4);
        var (code, text) = MpiProgram.Run(family, Test(2, nameof(MpiRankTests.A_null_is_an_exception)));
        Assert.True(code == 0, text);
        Assert.Contains("null was caught", text);
    }

    private static string[] Test(int ranks, string name) =>
        ["-n", $"{ranks}", Environment.ProcessPath!, "--filter-method", $"*{nameof(MpiRankTests)}.{name}", "--output",
            "Detailed"];
}
