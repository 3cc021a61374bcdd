using S2ILGPU.TestSupport;
using S2ILGPU.TestSupport.Ptx;
using Xunit;

namespace S2ILGPU.Tests.Ptx;

/// <summary>Instructions of one thread, against what the PTX manual says.</summary>
public sealed class ArithmeticTests
{
    [Theory]
    [InlineData("add.s32", 0x7fffffffu, 1u, 0x80000000u)]
    [InlineData("sub.u32", 0u, 1u, 0xffffffffu)]
    [InlineData("mul.lo.s32", 0xfffffffdu, 5u, 0xfffffff1u)]
    [InlineData("mul.hi.u32", 0xffffffffu, 3u, 2u)]
    [InlineData("mul.hi.s32", 0xffffffffu, 3u, 0xffffffffu)]
    [InlineData("div.s32", 0xfffffff9u, 2u, 0xfffffffdu)]
    [InlineData("div.u32", 0xfffffff9u, 2u, 0x7ffffffcu)]
    [InlineData("rem.s32", 0xfffffff9u, 2u, 0xffffffffu)]
    [InlineData("rem.u32", 9u, 4u, 1u)]
    [InlineData("min.s32", 0xffffffffu, 1u, 0xffffffffu)]
    [InlineData("min.u32", 0xffffffffu, 1u, 1u)]
    [InlineData("max.s32", 0xffffffffu, 1u, 1u)]
    [InlineData("and.b32", 12u, 10u, 8u)]
    [InlineData("or.b32", 12u, 10u, 14u)]
    [InlineData("xor.b32", 12u, 10u, 6u)]
    [InlineData("shl.b32", 3u, 4u, 48u)]
    [InlineData("shl.b32", 3u, 32u, 0u)]
    [InlineData("shr.u32", 0x80000000u, 31u, 1u)]
    [InlineData("shr.u32", 0x80000000u, 99u, 0u)]
    [InlineData("shr.s32", 0x80000000u, 31u, 0xffffffffu)]
    [InlineData("shr.s32", 0x80000000u, 99u, 0xffffffffu)]
    public void Integers(string instruction, uint a, uint b, uint expected) =>
        Assert.Equal([expected],
            TinyKernel.Run<uint,
            uint>($"ld.global.u32 %r2, [%rd2];\nld.global.u32 %r3, [%rd2+4];\n{instruction} %r4, %r2, "
            + $"%r3;\nst.global.u32 [%rd1], %r4;", [a, b], 1, threads: 1));

    [Theory]
    [InlineData("add.s64 %rd7, %rd5, %rd6", 0xffffffffL, 1L, 0x100000000L)]
    [InlineData("mul.lo.s64 %rd7, %rd5, %rd6", 0x100000001L, -2L, -0x200000002L)]
    [InlineData("mad.lo.u64 %rd7, %rd5, %rd6, 5", 7L, 6L, 47L)]
    [InlineData("shl.b64 %rd7, %rd5, 40", 3L, 0L, 3L << 40)]
    [InlineData("shr.s64 %rd7, %rd5, 1", -3L, 0L, -2L)]
    [InlineData("cvt.u32.u64 %r2, %rd5;\ncvt.s64.s32 %rd7, %r2", 0x1_ffff_fffeL, 0L, -2L)]
    [InlineData("cvt.u32.u64 %r2, %rd5;\ncvt.u64.u32 %rd7, %r2", 0x1_ffff_fffeL, 0L, 0xffff_fffeL)]
    [InlineData("cvt.u32.u64 %r2, %rd5;\nmul.wide.s32 %rd7, %r2, -3", 0xffff_ffffL, 0L, 3L)]
    [InlineData("cvt.u32.u64 %r2, %rd5;\nmul.wide.u32 %rd7, %r2, 3", 0xffff_ffffL, 0L, 0x2_ffff_fffdL)]
    [InlineData("cvt.u32.u64 %r2, %rd5;\nmad.wide.s32 %rd7, %r2, 2, %rd6", -7L, 20L, 6L)]
    [InlineData("popc.b64 %r2, %rd5;\nclz.b64 %r3, %rd5;\nmov.b64 %rd7, {%r2,%r3}", 0x0f00L, 0L, 4L | 52L << 32)]
    public void Wide_integers(string instruction, long a, long b, long expected) =>
        Assert.Equal([expected], TinyKernel.Run<long, long>(
            $"ld.global.u64 %rd5, [%rd2];\nld.global.u64 %rd6, [%rd2+8];\n{instruction};\n"
            + "st.global.u64 [%rd1], %rd7;", [a, b], 1, threads: 1));

    [Theory]
    [InlineData("add.f32", 1.5f, 2.25f, 3.75f)]
    [InlineData("sub.f32", 1.5f, 2.25f, -0.75f)]
    [InlineData("mul.f32", 1.5f, 2.25f, 3.375f)]
    [InlineData("div.rn.f32", 1f, 3f, 1f / 3)]
    [InlineData("div.approx.ftz.f32", 1f, 4f, 0.25f)]
    [InlineData("min.f32", float.NaN, 2f, 2f)]
    [InlineData("max.f32", -1f, float.NaN, -1f)]
    [InlineData("max.f32", -1f, 2f, 2f)]
    [InlineData("copysign.f32", -1f, 2f, -2f)]
    public void Floats(string instruction, float a, float b, float expected) =>
        Assert.Equal([expected],
            TinyKernel.Run<float,
            float>($"ld.global.f32 %f1, [%rd2];\nld.global.f32 %f2, [%rd2+4];\n{instruction} %f3, %f1, "
            + $"%f2;\nst.global.f32 [%rd1], %f3;", [a, b], 1, threads: 1));

    [Theory]
    [InlineData("ex2.approx.ftz.f32", 0.5f, 1.41421354f)]
    [InlineData("ex2.approx.ftz.f32", -140f, 0f)]
    [InlineData("ex2.approx.f32", -140f, 7.174648E-43f)]
    [InlineData("ex2.approx.ftz.f32", float.NegativeInfinity, 0f)]
    [InlineData("lg2.approx.ftz.f32", 0f, float.NegativeInfinity)]
    [InlineData("lg2.approx.ftz.f32", 8f, 3f)]
    [InlineData("rcp.approx.ftz.f32", 4f, 0.25f)]
    [InlineData("rcp.rn.f32", 3f, 1f / 3)]
    [InlineData("sqrt.rn.f32", 2f, 1.41421354f)]
    [InlineData("rsqrt.approx.ftz.f32", 4f, 0.5f)]
    [InlineData("neg.f32", 4f, -4f)]
    [InlineData("abs.f32", -4f, 4f)]
    [InlineData("tanh.approx.f32", 0f, 0f)]
    [InlineData("cvt.rmi.f32.f32", -1.5f, -2f)]
    [InlineData("cvt.rpi.f32.f32", -1.5f, -1f)]
    [InlineData("mov.f32", 7f, 7f)]
    public void Float_functions(string instruction, float a, float expected) =>
        Assert.Equal([expected], TinyKernel.Run<float,
        float>($"ld.global.f32 %f1, [%rd2];\n{instruction} %f3, %f1;\nst.global.f32 [%rd1], %f3;", [a], 1, threads: 1));

    [Fact]
    public void A_fused_product_rounds_once()
    {
        float a = 1 + MathF.Pow(2, -12), expected = MathF.FusedMultiplyAdd(a, a, -1);
        Assert.Equal([expected, a * a - 1], TinyKernel.Run<float, float>("""
            ld.global.f32 %f1, [%rd2];
            fma.rn.f32 %f2, %f1, %f1, 0fBF800000;
            mul.f32 %f3, %f1, %f1;
            sub.f32 %f3, %f3, 0f3F800000;
            st.global.v2.f32 [%rd1], {%f2,%f3};
            """, [a], 2, threads: 1));
        Assert.NotEqual(expected, a * a - 1);
    }

    [Theory]
    [InlineData("lt.f32", 4)]
    [InlineData("le.f32", 6)]
    [InlineData("gt.f32", 1)]
    [InlineData("ge.f32", 3)]
    [InlineData("eq.f32", 2)]
    [InlineData("ne.f32", 5)]
    [InlineData("ltu.f32", 12)]
    [InlineData("leu.f32", 14)]
    [InlineData("gtu.f32", 9)]
    [InlineData("geu.f32", 11)]
    [InlineData("equ.f32", 10)]
    [InlineData("neu.f32", 13)]
    public void Comparisons_know_NaN(string condition, int expected)
    {
        // bit 0: 2 ? 1; bit 1: 1 ? 1; bit 2: 0 ? 1; bit 3: NaN ? 1
        string body = $"""
            ld.global.f32 %f1, [%rd4];
            setp.{condition} %p1|%p2, %f1, 0f3F800000;
            selp.b32 %r2, 1, 0, %p1;
            selp.b32 %r3, 0, 2, %p2;
            add.u32 %r2, %r2, %r3;
            st.global.u32 [%rd3], %r2;
            """;
        var results = TinyKernel.Run<float, uint>(body, [2, 1, 0, float.NaN], 4, threads: 4);
        Assert.Equal(Enumerable.Range(0, 4).Select(n => (expected >> n & 1) != 0 ? 3u : 0u), results);
    }

    [Fact]
    public void Predicates_combine()
    {
        var results = TinyKernel.Run<uint, uint>("""
            and.b32 %r2, %r1, 1;
            and.b32 %r3, %r1, 2;
            setp.ne.s32 %p1, %r2, 0;
            setp.ne.s32 %p2, %r3, 0;
            and.pred %p3, %p1, %p2;
            or.pred %p4, %p1, %p2;
            xor.pred %p5, %p1, %p2;
            not.pred %p6, %p1;
            setp.eq.and.s32 %p7, %r1, 3, %p1;
            selp.b32 %r4, 1, 0, %p3;
            selp.b32 %r5, 2, 0, %p4;
            selp.b32 %r6, 4, 0, %p5;
            selp.b32 %r7, 8, 0, %p6;
            selp.b32 %r8, 16, 0, %p7;
            or.b32 %r4, %r4, %r5;
            or.b32 %r4, %r4, %r6;
            or.b32 %r4, %r4, %r7;
            or.b32 %r4, %r4, %r8;
            st.global.u32 [%rd3], %r4;
            """, [0], 4, threads: 4);
        Assert.Equal(new uint[] { 8, 6, 14, 19 }, results);
    }

    [Theory]
    [InlineData("cvt.rzi.s32.f32", -1.9f, -1)]
    [InlineData("cvt.rzi.s32.f32", 1e20f, int.MaxValue)]
    [InlineData("cvt.rzi.s32.f32", float.NaN, 0)]
    [InlineData("cvt.rni.s32.f32", 2.5f, 2)]
    public void Floats_to_integers(string instruction, float a, int expected) =>
        Assert.Equal([expected], TinyKernel.Run<float,
        int>($"ld.global.f32 %f1, [%rd2];\n{instruction} %r2, %f1;\nst.global.u32 [%rd1], %r2;", [a], 1, threads: 1));

    [Fact]
    public void Halves_and_bfloat16_pack_as_they_round()
    {
        var random = Seeds.NewRandom();
        float[] values = [.. random.Normal(64).Select(x => (float)x)];
        var output = TinyKernel.Run<float, uint>("""
            mul.wide.u32 %rd5, %r1, 8;
            add.u64 %rd6, %rd5, %rd1;
            add.u64 %rd5, %rd5, %rd2;
            ld.global.v2.f32 {%f1,%f2}, [%rd5];
            cvt.rn.bf16x2.f32 %r2, %f2, %f1;
            { .reg .b16 low, high; cvt.rn.f16.f32 low, %f1; cvt.rn.f16.f32 high, %f2; mov.b32 %r3, {low, high}; }
            st.global.v2.u32 [%rd6], {%r2,%r3};
            """, values, 64);
        for (int n = 0; n < 32; n++)
        {
            Assert.Equal(BFloat16(values[2 * n]) | BFloat16(values[2 * n + 1]) << 16, output[2 * n]);
            Assert.Equal(BitConverter.HalfToUInt16Bits((Half)values[2 * n]) | (uint)BitConverter.HalfToUInt16Bits(
                (Half)values[2 * n + 1]) << 16, output[2 * n + 1]);
        }
        static uint BFloat16(float x)
        {
            // nearest of the two neighbours, the even one when it is a draw
            uint bits = BitConverter.SingleToUInt32Bits(x), low = bits >> 16, high = low + 1;
            double below = Math.Abs(x - (double)BitConverter.UInt32BitsToSingle(low << 16)),
                above = Math.Abs(x - (double)BitConverter.UInt32BitsToSingle(high << 16));
            return below < above || (below == above && low % 2 == 0) ? low : high;
        }
    }

    [Fact]
    public void Doubles_and_halves_compute() =>
        Assert.Equal([1 / 3.0 + 1, 0.75], TinyKernel.Run<double, double>("""
            ld.global.f64 %fd1, [%rd2];
            div.rn.f64 %fd2, 0d3FF0000000000000, %fd1;
            add.f64 %fd2, %fd2, 0d3FF0000000000000;
            cvt.rn.f16.f64 %rs1, %fd1;
            mul.f16 %rs1, %rs1, 0x3400;
            cvt.f64.f16 %fd3, %rs1;
            st.global.f64 [%rd1], %fd2;
            st.global.f64 [%rd1+8], %fd3;
            """, [3], 2, threads: 1));

    [Fact]
    public void Special_registers_say_where_a_thread_is()
    {
        var output = TinyKernel.Run<uint, uint>("""
            mov.u32 %r2, %ctaid.x;
            mov.u32 %r3, %ntid.x;
            mad.lo.u32 %r4, %r2, %r3, %r1;
            mul.wide.u32 %rd5, %r4, 4;
            add.u64 %rd5, %rd5, %rd1;
            mov.u32 %r5, %laneid;
            mov.u32 %r6, %nctaid.x;
            mov.u32 %r7, %dynamic_smem_size;
            mad.lo.u32 %r5, %r6, 100, %r5;
            add.u32 %r5, %r5, %r7;
            st.global.u32 [%rd5], %r5;
            """, [0], 144, threads: 48, groups: 3, sharedBytes: 4096);
        Assert.Equal(Enumerable.Range(0, 144).Select(n => 4096u + 300 + (uint)(n % 48 % 32)), output);
    }

    [Fact]
    public void Unknown_instructions_are_named()
    {
        Assert.Contains("frobnicate.s32",
            Assert.Throws<NotSupportedException>(() =>
            PtxProgram.Parse(TinyKernel.Text("frobnicate.s32 %r2, %r3;"))).Message);
        Assert.Contains("%r2 has 32 bits",
            Assert.Throws<NotSupportedException>(() =>
            PtxProgram.Parse(TinyKernel.Text("add.s64 %r2, %rd1, %rd1;"))).Message);
    }
}
