using S2ILGPU.Cpu.Simd;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Cpu.Simd;

/// <summary>Registers of every width round as the scalar conversion does; widths that the machine lacks are
/// emulated.</summary>
public sealed unsafe class StoreBFloat16Tests
{
    [Fact]
    public void Every_width_rounds_like_the_scalar_conversion()
    {
        var random = Seeds.NewRandom();
        float[] values = [0, -0f, float.NaN, -float.NaN, float.PositiveInfinity, float.NegativeInfinity, float.MaxValue,
            float.MinValue, float.Epsilon, 1.00390625f, 1.01171875f, BitConverter.UInt32BitsToSingle(0x7F800001),
            BitConverter.UInt32BitsToSingle(0xFFFFFFFF), BitConverter.UInt32BitsToSingle(0x7F7F8000),
            .. Enumerable.Range(0, 4082)
                .Select(_ => BitConverter.UInt32BitsToSingle((uint)random.NextInt64(1L << 32)))];
        ushort[] expected = [.. values.Select(BFloat16Bits.Round)];
        Assert.Equal(expected, Stored<SimdScalar>(values));
        Assert.Equal(expected, Stored<Simd128>(values));
        Assert.Equal(expected, Stored<Simd256>(values));
        Assert.Equal(expected, Stored<Simd512>(values));
    }

    private static ushort[] Stored<T>(float[] values) where T : unmanaged, ISimd<T>
    {
        var stored = new ushort[values.Length];
        fixed (float* from = values)
        fixed (ushort* to = stored)
            for (int i = 0; i < values.Length; i += T.Count)
                T.StoreBFloat16(T.Load(from + i), to + i);
        return stored;
    }
}
