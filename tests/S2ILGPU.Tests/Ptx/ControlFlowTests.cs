using S2ILGPU.TestSupport.Ptx;
using Xunit;

namespace S2ILGPU.Tests.Ptx;

/// <summary>Lanes that go different ways, and what makes a kernel never end or hang.</summary>
public sealed class ControlFlowTests
{
    [Fact]
    public void Every_lane_loops_its_own_number_of_times()
    {
        const string body = """
            mov.u32 %r2, 0;
            mov.u32 %r3, 0;
            loop:
            setp.ge.u32 %p1, %r3, %r1;
            @%p1 bra done;
            add.u32 %r2, %r2, %r3;
            add.u32 %r3, %r3, 1;
            bra.uni loop;
            done:
            st.global.u32 [%rd3], %r2;
            """;
        var sums = TinyKernel.Run<uint, uint>(body, [0], 50, threads: 50);
        Assert.Equal(Enumerable.Range(0, 50).Select(n => (uint)(n * (n - 1) / 2)), sums);
    }

    [Fact]
    public void Lanes_meet_again_before_a_shuffle_even_when_the_detour_stands_behind_it()
    {
        const string body = """
            and.b32 %r2, %r1, 1;
            setp.eq.u32 %p1, %r2, 1;
            mov.u32 %r3, 100;
            @%p1 bra detour;
            joined:
            shfl.sync.bfly.b32 %r4, %r3, 1, 31, 0xffffffff;
            st.global.u32 [%rd3], %r4;
            ret;
            detour:
            mov.u32 %r3, %r1;
            bra joined;
            """;
        var values = TinyKernel.Run<uint, uint>(body, [0], 32);
        Assert.Equal(Enumerable.Range(0, 32).Select(n => n % 2 == 0 ? (uint)n + 1 : 100u), values);
    }

    [Fact]
    public void Guards_choose_lanes()
    {
        const string body = """
            setp.lt.u32 %p1, %r1, 7;
            @%p1 st.global.u32 [%rd3], 1;
            @!%p1 st.global.u32 [%rd3], 2;
            """;
        Assert.Equal(Enumerable.Range(0, 40).Select(n => n < 7 ? 1u : 2u), TinyKernel.Run<uint,
            uint>(body, [0], 40, threads: 40));
    }

    [Fact]
    public void A_branch_by_index_goes_to_the_label_of_the_list()
    {
        const string body = """
            and.b32 %r2, %r1, 3;
            setp.ge.or.s32 %p1, %r2, 3, 0;
            @%p1 bra other;
            targets: .branchtargets zero, one, two;
            brx.idx %r2, targets;
            zero:
            mov.u32 %r3, 10;
            bra.uni end;
            one:
            mov.u32 %r3, 11;
            bra.uni end;
            two:
            mov.u32 %r3, 12;
            bra.uni end;
            other:
            mov.u32 %r3, 13;
            end:
            st.global.u32 [%rd3], %r3;
            """;
        Assert.Equal(Enumerable.Range(0, 32).Select(n => 10u + (uint)n % 4), TinyKernel.Run<uint,
            uint>(body.Replace(", 3, 0;", ", 3, %p0;").Insert(0, "setp.ne.u32 %p0, 0, 0;\n"), [0], 32));
    }

    [Fact]
    public void A_shuffle_that_some_lanes_skip_is_a_fault()
    {
        const string body = """
            setp.lt.u32 %p1, %r1, 16;
            @%p1 bra skip;
            shfl.sync.bfly.b32 %r4, %r1, 1, 31, 0xffffffff;
            skip:
            bar.sync 0;
            """;
        Assert.Contains("divergent",
            Assert.Throws<PtxFaultException>(() => TinyKernel.Run<uint, uint>(body, [0], 32)).Message);
    }

    [Fact]
    public void A_barrier_that_some_lanes_or_warps_skip_is_a_fault()
    {
        const string lanes = "setp.lt.u32 %p1, %r1, 16;\n@%p1 bar.sync 0;";
        const string ended = "setp.lt.u32 %p1, %r1, 32;\n@%p1 bra stay;\nret;\nstay:\nbar.sync 0;";
        const string apart =
            "setp.lt.u32 %p1, %r1, 32;\n@%p1 bra stay;\nbar.sync 0;\nbra end;\nstay:\nbar.sync 0;\nend:";
        Assert.Contains("guard", Assert.Throws<PtxFaultException>(() => TinyKernel.Run<uint,
            uint>(lanes, [0], 1)).Message);
        Assert.Contains("divergent barrier",
            Assert.Throws<PtxFaultException>(() => TinyKernel.Run<uint, uint>(ended, [0], 1, threads: 64)).Message);
        Assert.Contains("divergent barrier",
            Assert.Throws<PtxFaultException>(() => TinyKernel.Run<uint, uint>(apart, [0], 1, threads: 64)).Message);
    }

    [Fact]
    public void A_loop_without_end_is_a_fault()
    {
        var fault = Assert.Throws<PtxFaultException>(() => TinyKernel.Run<uint,
            uint>("loop:\nbra.uni loop;", [0], 1, options: new PtxOptions { MaximumWarpInstructions = 100_000 }));
        Assert.Contains("does not end", fault.Message);
    }

    [Fact]
    public void Barriers_combine_predicates()
    {
        const string body = """
            setp.lt.u32 %p1, %r1, 5;
            bar.red.popc.u32 %r2, 0, %p1;
            bar.red.and.pred %p2, 0, %p1;
            bar.red.or.pred %p3, 0, %p1;
            selp.b32 %r3, 100, 0, %p2;
            selp.b32 %r4, 1000, 0, %p3;
            add.u32 %r2, %r2, %r3;
            add.u32 %r2, %r2, %r4;
            st.global.u32 [%rd3], %r2;
            """;
        Assert.All(TinyKernel.Run<uint, uint>(body, [0], 64, threads: 64), value => Assert.Equal(1005u, value));
    }

    [Theory]
    [InlineData("bfly", "4", "31", 4)]
    [InlineData("down", "3", "31", 35)]
    [InlineData("up", "3", "0", -3)]
    [InlineData("idx", "9", "31", 9)]
    public void Shuffles_read_other_lanes(string mode, string amount, string clamp, int key)
    {
        var values = TinyKernel.Run<uint,
            uint>($"shfl.sync.{mode}.b32 %r2|%p1, %r1, {amount}, {clamp}, -1;\nselp.b32 %r3, 1000, 0, %p1;\nadd.u32 "
            + $"%r2, %r2, %r3;\nst.global.u32 [%rd3], %r2;", [0], 32);
        var expected = Enumerable.Range(0, 32).Select(lane => mode switch
        {
            "bfly" => 1000 + (lane ^ key),
            "idx" => 1000 + key,
            "up" => lane + key < 0 ? lane : 1000 + lane + key,
            _ => lane + 3 > 31 ? lane : 1000 + lane + 3,
        });
        Assert.Equal(expected, values.Select(v => (int)v));
    }

    [Fact]
    public void A_shuffle_in_segments_stays_in_them()
    {
        // clamp 31, segments of 8 lanes: mask 24
        var values = TinyKernel.Run<uint,
            uint>($"shfl.sync.down.b32 %r2, %r1, 2, {24 << 8 | 31}, -1;\nst.global.u32 [%rd3], %r2;", [0], 32);
        Assert.Equal(Enumerable.Range(0, 32).Select(lane => (uint)(lane % 8 + 2 > 7 ? lane : lane + 2)), values);
    }
}
