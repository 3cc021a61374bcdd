using S2ILGPU.TestSupport.Ptx;
using Xunit;

namespace S2ILGPU.Tests.Ptx;

/// <summary>Asynchronous copies: what arrives when, and what is forbidden meanwhile.</summary>
public sealed class AsyncCopyTests
{
    // Thread t copies 16 bytes, then reads word 0 of its neighbour's bytes.
    private const string Copy = """
        mov.b64 %rd5, dynamic;
        cvt.u32.u64 %r2, %rd5;
        shl.b32 %r3, %r1, 4;
        add.u32 %r4, %r2, %r3;
        cvt.u64.u32 %rd6, %r3;
        add.u64 %rd6, %rd6, %rd2;
        cp.async.cg.shared.global [%r4], [%rd6], 16;
        cp.async.commit_group;
        cp.async.wait_group 0;
        bar.sync 0;
        xor.b32 %r5, %r3, 16;
        add.u32 %r5, %r5, %r2;
        ld.shared.u32 %r6, [%r5];
        st.global.u32 [%rd3], %r6;
        """;

    public static TheoryData<CopyTiming> Timings => [CopyTiming.Late, CopyTiming.Early];

    [Theory]
    [MemberData(nameof(Timings))]
    public void Copies_arrive(CopyTiming timing) =>
        Assert.Equal(Enumerable.Range(0, 64).Select(n => (uint)(n ^ 1) * 4), Run(Copy, timing));

    [Theory]
    [MemberData(nameof(Timings))]
    public void What_is_missing_is_found(CopyTiming timing)
    {
        Assert.Contains("under way", Fault(Copy.Replace("cp.async.wait_group 0;", ""), timing));
        Assert.Contains("under way", Fault(Copy.Replace("cp.async.wait_group 0;", "cp.async.wait_group 1;"), timing));
        Assert.Contains("under way", Fault(Copy.Replace("cp.async.commit_group;", ""), timing));
        Assert.Matches("without a barrier|under way|never written", Fault(Copy.Replace("bar.sync 0;", ""), timing));
        Assert.Contains("may still read", Fault(Copy + "\ncp.async.cg.shared.global [%r4], [%rd6], 16;", timing));
        Assert.Contains("has not waited", Fault(Copy + "\nadd.u32 %r4, %r4, 1024;"
            + "\ncp.async.cg.shared.global [%r4], [%rd6], 16;", timing));
        Assert.Contains("under way",
            Fault(Copy.Replace("cp.async.commit_group;", "st.shared.u32 [%r4], 1;\ncp.async.commit_group;"), timing));
    }

    [Theory]
    [MemberData(nameof(Timings))]
    public void Without_race_detection_wrong_numbers_show_the_same(CopyTiming timing)
    {
        var options = new PtxOptions { Copies = timing, DetectRaces = false };
        bool isRight = Run(Copy.Replace("cp.async.wait_group 0;", ""), options)
            .SequenceEqual(Enumerable.Range(0, 64).Select(n => (uint)(n ^ 1) * 4));
        Assert.Equal(timing == CopyTiming.Early, isRight);
    }

    [Theory]
    [MemberData(nameof(Timings))]
    public void A_source_size_of_zero_reads_nothing_and_fills_with_zeros(CopyTiming timing)
    {
        string body = Copy.Replace("[%rd6], 16;", "[%rd7], 16, %r9;")
            .Insert(0, "setp.lt.u32 %p1, %r1, 10;\nselp.b32 %r9, 16, 0, %p1;\nmov.u64 %rd7, 0;\n")
            .Replace("add.u64 %rd6, %rd6, %rd2;", "add.u64 %rd6, %rd6, %rd2;\n@%p1 mov.u64 %rd7, %rd6;");
        Assert.Equal(Enumerable.Range(0, 64).Select(n => (n ^ 1) < 10 ? (uint)(n ^ 1) * 4 : 0), Run(body, timing));
    }

    [Theory]
    [MemberData(nameof(Timings))]
    public void Groups_of_copies_are_waited_for_in_their_order(CopyTiming timing)
    {
        string body = Copy.Replace("cp.async.wait_group 0;",
            "cp.async.cg.shared.global [%r4+1024], [%rd6], 16;\ncp.async.commit_group;\ncp.async.wait_group 1;")
            + "\ncp.async.wait_all;";
        Assert.Equal(Enumerable.Range(0, 64).Select(n => (uint)(n ^ 1) * 4), Run(body, timing));
        Assert.Contains("under way",
            Fault(body.Replace("ld.shared.u32 %r6, [%r5];", "ld.shared.u32 %r6, [%r5+1024];"), timing));
    }

    [Fact]
    public void Warps_may_copy_the_same_bytes_to_the_same_place()
    {
        string body = Copy.Replace("shl.b32 %r3, %r1, 4;", "and.b32 %r3, %r1, 31;\nshl.b32 %r3, %r3, 4;");
        Assert.Equal(Enumerable.Range(0, 64).Select(n => (uint)(n % 32 ^ 1) * 4), Run(body, CopyTiming.Late));
        string moved = body.Replace("add.u64 %rd6, %rd6, %rd2;",
            "add.u64 %rd6, %rd6, %rd2;\nand.b32 %r7, %r1, 32;\ncvt.u64.u32 %rd8, %r7;\nadd.u64 %rd6, %rd6, %rd8;");
        Assert.Matches("under way|without a barrier", Fault(moved, CopyTiming.Late));
    }

    private static uint[] Run(string body, CopyTiming timing) => Run(body, new PtxOptions { Copies = timing });

    private static uint[] Run(string body, PtxOptions options) =>
        TinyKernel.Run<uint, uint>(body, TinyKernel.Words(272), 64, threads: 64, sharedBytes: 2048, options: options);

    private static string Fault(string body, CopyTiming timing) =>
        Assert.Throws<PtxFaultException>(() => Run(body, timing)).Message;
}
