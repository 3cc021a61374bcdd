using S2ILGPU.TestSupport.Ptx;
using Xunit;

namespace S2ILGPU.Tests.Ptx;

/// <summary>Memory spaces, their checks, and races.</summary>
public sealed class MemoryTests
{
    private const string Reverse = """
        mov.b64 %rd5, dynamic;
        cvt.u32.u64 %r2, %rd5;
        shl.b32 %r3, %r1, 2;
        add.u32 %r3, %r3, %r2;
        st.shared.u32 [%r3], %r1;
        bar.sync 0;
        mov.u32 %r4, %ntid.x;
        sub.u32 %r4, %r4, %r1;
        shl.b32 %r4, %r4, 2;
        add.u32 %r4, %r4, %r2;
        ld.shared.u32 %r5, [%r4+-4];
        st.global.u32 [%rd3], %r5;
        """;

    [Fact]
    public void Shared_memory_with_a_barrier_works_and_without_is_a_race()
    {
        for (int seed = 0; seed < 5; seed++)
        {
            var options = new PtxOptions { Seed = seed };
            Assert.Equal(TinyKernel.Words(128).Reverse(), TinyKernel.Run<uint,
                uint>(Reverse, [0], 128, threads: 128, sharedBytes: 512, options: options));
            var fault = Assert.Throws<PtxFaultException>(() => TinyKernel.Run<uint,
                uint>(Reverse.Replace("bar.sync 0;", ""), [0], 128, threads: 128, sharedBytes: 512, options: options));
            Assert.Matches("without a barrier|never written|may still read", fault.Message);
        }
    }

    [Fact]
    public void A_warp_barrier_orders_a_warp_and_nothing_else()
    {
        string warp = Reverse.Replace("bar.sync 0;", "bar.warp.sync 0xffffffff;");
        Assert.Equal(TinyKernel.Words(32).Reverse(), TinyKernel.Run<uint, uint>(warp, [0], 32, sharedBytes: 128));
        Assert.Throws<PtxFaultException>(() => TinyKernel.Run<uint,
            uint>(warp, [0], 64, threads: 64, sharedBytes: 256));
        Assert.Throws<PtxFaultException>(() => TinyKernel.Run<uint,
            uint>(Reverse.Replace("bar.sync 0;", ""), [0], 32, sharedBytes: 128));
    }

    [Fact]
    public void Writing_what_others_may_still_read_is_a_race()
    {
        string body = Reverse + "\nst.shared.u32 [%r3], 7;";
        // which of the two accesses comes first depends on the order of the warps
        Assert.Matches("may still read|without a barrier",
            Assert.Throws<PtxFaultException>(() => TinyKernel.Run<uint,
            uint>(body, [0], 64, threads: 64, sharedBytes: 256)).Message);
        Assert.Contains("may still read",
            Assert.Throws<PtxFaultException>(() => TinyKernel.Run<uint,
            uint>(body, [0], 32, sharedBytes: 128)).Message);
        Assert.Equal(64, TinyKernel.Run<uint,
            uint>(Reverse + "\nbar.sync 0;\nst.shared.u32 [%r3], 7;", [0], 64, threads: 64, sharedBytes: 256).Length);
    }

    [Fact]
    public void Read_of_unwritten_memory_is_found() =>
        Assert.Contains("never written",
        Assert.Throws<PtxFaultException>(() => TinyKernel.Run<uint,
        uint>("mov.b64 %rd5, dynamic;\nld.shared.u32 %r2, [%rd5];", [0], 1, sharedBytes: 16)).Message);

    [Theory]
    [InlineData("ld.global.u32 %r2, [%rd2+16];", "out of bounds: 4 bytes at byte 16 of input")]
    [InlineData("ld.global.u32 %r2, [%rd2+-4];", "no array|out of bounds")]
    [InlineData("ld.global.v4.u32 {%r2,%r3,%r4,%r5}, [%rd2+8];", "out of bounds")]
    [InlineData("ld.global.v2.u32 {%r2,%r3}, [%rd2+4];", "misaligned: 8 bytes at byte 4 of input")]
    [InlineData("st.global.u32 [%rd2], %r1;", "which is input")]
    [InlineData("mov.u64 %rd9, 12;\nst.global.u32 [%rd9], %r1;", "belongs to no array")]
    [InlineData("mov.b64 %rd5, dynamic;\nst.shared.u32 [%rd5+64], %r1;", "out of bounds: 4 bytes at byte 64 of shared")]
    [InlineData("mov.u32 %r2, 0;\nst.shared.u32 [%r2], %r1;", "out of bounds")]
    [InlineData("mov.b64 %rd5, dynamic;\nst.shared.u32 [%rd5+2], %r1;", "misaligned")]
    [InlineData("mov.b64 %rd5, depot;\nst.local.u32 [%rd5+32], %r1;", "of local memory")]
    public void Bad_addresses_are_named(string body, string message) =>
        Assert.Matches(message, Assert.Throws<PtxFaultException>(() => TinyKernel.Run<uint,
        uint>(body, [1, 2, 3, 4], 4, threads: 1, sharedBytes: 64)).Message);

    [Fact]
    public void Vectors_local_memory_and_generic_addresses_work()
    {
        const string body = """
            ld.global.v4.u32 {%r2,%r3,%r4,%r5}, [%rd2];
            mov.b64 %rd5, depot;
            st.local.v2.u32 [%rd5+8], {%r4,%r5};
            ld.local.u64 %rd6, [%rd5+8];
            mov.b64 {%r6,%r7}, %rd6;
            mov.b64 %rd10, fixed;
            cvta.shared.u64 %rd8, %rd10;
            st.u32 [%rd8], %r2;
            cvta.to.shared.u64 %rd9, %rd8;
            ld.shared.u32 %r8, [%rd9];
            st.global.v4.u32 [%rd1], {%r7,%r6,%r3,%r8};
            """;
        Assert.Equal(new uint[] { 4, 3, 2, 1 }, TinyKernel.Run<uint,
            uint>(body, [1, 2, 3, 4], 4, threads: 1, variables: ".shared .align 8 .b8 fixed[8];"));
    }

    [Fact]
    public void Small_types_widen_and_narrow()
    {
        const string body = """
            ld.global.s8 %r2, [%rd2];
            ld.global.u8 %r3, [%rd2];
            ld.global.s16 %r4, [%rd2];
            ld.global.u16 %rs1, [%rd2];
            cvt.s32.s16 %r5, %rs1;
            cvt.u32.u16 %r6, %rs1;
            cvt.s8.s32 %r7, %r6;
            st.global.u32 [%rd1], %r2;
            st.global.u32 [%rd1+4], %r3;
            st.global.u32 [%rd1+8], %r4;
            st.global.u32 [%rd1+12], %r5;
            st.global.u32 [%rd1+16], %r6;
            st.global.u32 [%rd1+20], %r7;
            st.global.b16 [%rd1+24], %r6;
            """;
        Assert.Equal(new[] { -2, 0xfe, -2, -2, 0xfffe, -2, 0xfffe }, TinyKernel.Run<ushort,
            int>(body, [0xfffe], 7, threads: 1));
    }

    [Fact]
    public void Atomic_operations_add_up()
    {
        const string body = """
            atom.global.add.u32 %r2, [%rd1], %r1;
            red.global.max.s32 [%rd1+4], %r1;
            cvt.rn.f32.u32 %f1, %r1;
            red.global.add.f32 [%rd1+8], %f1;
            atom.global.cas.b32 %r3, [%rd1+12], 0, %r1;
            """;
        var output = TinyKernel.Run<uint, uint>(body, [0], 4, threads: 64, groups: 3);
        Assert.Equal([3u * 2016, 63u, BitConverter.SingleToUInt32Bits(6048f)], output[..3]);
        Assert.NotEqual(0u, output[3]);
    }

    [Fact]
    public void Launches_that_a_device_would_refuse_are_faults()
    {
        Assert.Contains("bytes of arguments", Launch(machine => machine.Launch(1, 32, new byte[8])));
        Assert.Contains("bytes of shared memory", Launch(machine => machine.Launch(1, 32, new byte[16], 228 * 1024)));
        Assert.Contains("compiled for 64 threads",
            Launch(machine => machine.Launch(1, 65, new byte[16]), ".maxntid 64, 1, 1"));

        static string Launch(Action<PtxMachine> launch, string bound = "")
        {
            using var machine =
                new PtxMachine(TinyKernel.Text("").Replace(".param .u64 input\n)", $".param .u64 input\n)\n{bound}"));
            return Assert.Throws<PtxFaultException>(() => launch(machine)).Message;
        }
    }
}
