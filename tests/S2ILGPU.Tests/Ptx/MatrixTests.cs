using S2ILGPU.TestSupport;
using S2ILGPU.TestSupport.Ptx;
using Xunit;

namespace S2ILGPU.Tests.Ptx;

/// <summary>ldmatrix and mma against their definitions.</summary>
public sealed class MatrixTests
{
    // Every lane copies 16 bytes of the input to shared memory; then one ldmatrix of four matrices, row l at byte 16 l.
    private const string LoadMatrix = """
        mov.b64 %rd5, dynamic;
        cvt.u32.u64 %r2, %rd5;
        shl.b32 %r3, %r1, 4;
        add.u32 %r4, %r2, %r3;
        cvt.u64.u32 %rd6, %r3;
        add.u64 %rd7, %rd6, %rd2;
        ld.global.v4.u32 {%r5,%r6,%r7,%r8}, [%rd7];
        st.shared.v4.u32 [%r4], {%r5,%r6,%r7,%r8};
        bar.warp.sync -1;
        ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r5,%r6,%r7,%r8}, [%r4];
        add.u64 %rd7, %rd6, %rd1;
        st.global.v4.u32 [%rd7], {%r5,%r6,%r7,%r8};
        """;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Matrices_are_distributed_by_rows_or_columns(bool isTransposed)
    {
        ushort[] input = [.. Enumerable.Range(0, 256).Select(n => (ushort)n)];
        var output = TinyKernel.Run<ushort,
            ushort>(isTransposed ? LoadMatrix.Replace("x4.shared", "x4.trans.shared") : LoadMatrix, input, 256,
            sharedBytes: 512);
        for (int lane = 0; lane < 32; lane++)
            for (int matrix = 0; matrix < 4; matrix++)
                for (int half = 0; half < 2; half++)
                {
                    int row = lane / 4, column = lane % 4 * 2 + half;
                    int expected = matrix * 64 + (isTransposed ? column * 8 + row : row * 8 + column);
                    Assert.Equal(expected, output[lane * 8 + matrix * 2 + half]);
                }
    }

    [Fact]
    public void Rows_in_the_same_banks_are_a_fault()
    {
        string body = LoadMatrix.Replace("shl.b32 %r3, %r1, 4;", "shl.b32 %r3, %r1, 4;\nshl.b32 %r10, %r1, 6;")
            .Replace("add.u32 %r4, %r2, %r3;", "add.u32 %r4, %r2, %r10;");
        Assert.Contains("bank conflict",
            Assert.Throws<PtxFaultException>(() => TinyKernel.Run<ushort,
            ushort>(body, new ushort[256], 256, sharedBytes: 2048)).Message);
    }

    [Theory]
    [InlineData("bf16")]
    [InlineData("f16")]
    public void Products_follow_the_formula(string type)
    {
        var random = Seeds.NewRandom();
        ushort[] Encode(int count) => [.. random.Normal(count).Select((x, n) => type == "bf16"
            ? (ushort)(BitConverter.SingleToUInt32Bits((float)x) >> 16)
            : BitConverter.HalfToUInt16Bits((Half)(n % 7 == 0 ? x * 1e-6 : x)))];
        double Decode(ushort bits) => type == "bf16" ? BitConverter.UInt32BitsToSingle((uint)bits << 16)
            : (double)BitConverter.UInt16BitsToHalf(bits);
        ushort[] a = Encode(256), b = Encode(128);
        var words = new uint[32 * 10]; // per lane: 4 words of A, 2 of B, 4 of C
        var c = new float[128];
        for (int lane = 0; lane < 32; lane++)
        {
            int row = lane / 4, pair = lane % 4 * 2;
            for (int n = 0; n < 4; n++)
            {
                int at = (row + n % 2 * 8) * 16 + pair + n / 2 * 8;
                words[lane * 10 + n] = a[at] | (uint)a[at + 1] << 16;
                int element = (row + n / 2 * 8) * 8 + pair + n % 2;
                c[element] = (float)random.NextDouble();
                words[lane * 10 + 6 + n] = BitConverter.SingleToUInt32Bits(c[element]);
            }
            for (int n = 0; n < 2; n++)
                words[lane * 10 + 4 + n] = b[(pair + n * 8) * 8 + row] | (uint)b[(pair + n * 8 + 1) * 8 + row] << 16;
        }
        var output = TinyKernel.Run<uint, float>(ProductBody(type), words, 128);
        for (int row = 0; row < 16; row++)
            for (int column = 0; column < 8; column++)
            {
                double expected = c[row * 8 + column] + Enumerable.Range(0, 16)
                    .Sum(k => Decode(a[row * 16 + k]) * Decode(b[k * 8 + column]));
                int lane = row % 8 * 4 + column / 2, register = row / 8 * 2 + column % 2;
                Assert.True(Math.Abs(expected - output[lane * 4 + register]) < 1e-5,
                    $"[{row}, {column}]: {expected}, got {output[lane * 4 + register]}; {Seeds.Text}");
            }
    }

    [Fact]
    public void Products_of_tf32_ignore_what_was_not_rounded()
    {
        var random = Seeds.NewRandom();
        float[] a = [.. random.Normal(128).Select(x => (float)x)], b = [.. random.Normal(64).Select(x => (float)x)];
        var words = new uint[32 * 10]; // per lane: 4 words of A, 2 of B, 4 of C
        for (int lane = 0; lane < 32; lane++)
        {
            int row = lane / 4, t = lane % 4;
            for (int n = 0; n < 4; n++)
                words[lane * 10 + n] = BitConverter.SingleToUInt32Bits(a[(row + n % 2 * 8) * 8 + t + n / 2 * 4]);
            for (int n = 0; n < 2; n++)
                words[lane * 10 + 4 + n] = BitConverter.SingleToUInt32Bits(b[(t + n * 4) * 8 + row]);
        }
        string truncated = ProductBody("tf32").Replace("m16n8k16", "m16n8k8"),
            rounded = truncated.Replace("mma.sync", Concat(n => $"cvt.rna.tf32.f32 %r{n}, %r{n};") + "mma.sync");
        Check(truncated, x => x & 0xffffe000);
        Check(rounded, x => x + 0x1000 & 0xffffe000);

        static string Concat(Func<int, string> line) => string.Concat(Enumerable.Range(2, 6).Select(line));

        void Check(string body, Func<uint, uint> kept)
        {
            var output = TinyKernel.Run<uint, float>(body, words, 128);
            double Kept(float x) => BitConverter.UInt32BitsToSingle(kept(BitConverter.SingleToUInt32Bits(x)));
            for (int row = 0; row < 16; row++)
                for (int column = 0; column < 8; column++)
                {
                    double expected = Enumerable.Range(0, 8)
                        .Sum(k => Kept(a[row * 8 + k]) * Kept(b[k * 8 + column]));
                    int lane = row % 8 * 4 + column / 2, register = row / 8 * 2 + column % 2;
                    Assert.True(Math.Abs(expected - output[lane * 4 + register]) < 1e-5,
                        $"[{row}, {column}]: {expected}, got {output[lane * 4 + register]}; {Seeds.Text}");
                }
        }
    }

    private static string ProductBody(string type) => $$"""
        mul.wide.u32 %rd5, %r1, 40;
        add.u64 %rd5, %rd5, %rd2;
        ld.global.v2.u32 {%r2,%r3}, [%rd5];
        ld.global.v2.u32 {%r4,%r5}, [%rd5+8];
        ld.global.v2.u32 {%r6,%r7}, [%rd5+16];
        ld.global.v2.f32 {%f1,%f2}, [%rd5+24];
        ld.global.v2.f32 {%f3,%f4}, [%rd5+32];
        mma.sync.aligned.m16n8k16.row.col.f32.{{type}}.{{type}}.f32 {%f5,%f6,%f7,%f8}, {%r2,%r3,%r4,%r5}, {%r6,%r7}, {%f1,%f2,%f3,%f4};
        mul.wide.u32 %rd5, %r1, 16;
        add.u64 %rd5, %rd5, %rd1;
        st.global.v4.f32 [%rd5], {%f5,%f6,%f7,%f8};
        """;
}
