using S2ILGPU.Cpu.Simd;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Cpu.Simd;

/// <summary>A sum of lanes has the same bits alone and beside three others; widths that the machine lacks are emulated.
/// </summary>
public sealed unsafe class SumTests
{
    [Fact]
    public void Sum_has_the_bits_of_four_sums()
    {
        var random = Seeds.NewRandom();
        for (int n = 0; n < 100; n++)
        {
            float[] values = [.. Enumerable.Range(0, 64).Select(_ => random.NextSingle() - 0.5f)];
            Check<SimdScalar>(values);
            Check<Simd128>(values);
            Check<Simd256>(values);
            Check<Simd512>(values);
        }
    }

    private static void Check<T>(float[] values) where T : unmanaged, ISimd<T>
    {
        float* sums = stackalloc float[4];
        fixed (float* v = values)
        {
            T.StoreSums(T.Load(v), T.Load(v + T.Count), T.Load(v + 2 * T.Count), T.Load(v + 3 * T.Count), sums);
            for (int n = 0; n < 4; n++)
            {
                Assert.Equal(T.Sum(T.Load(v + n * T.Count)), sums[n]);
                double exact = values.AsSpan(n * T.Count, T.Count).ToArray().Sum(x => (double)x);
                Assert.Equal(exact, sums[n], tolerance: 1e-5);
            }
        }
    }
}
