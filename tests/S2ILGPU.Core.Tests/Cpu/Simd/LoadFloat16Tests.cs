using S2ILGPU.Cpu.Simd;
using Xunit;

namespace S2ILGPU.Core.Tests.Cpu.Simd;

/// <summary>Registers of every width widen as the scalar conversion does; widths that the machine lacks are
/// emulated.</summary>
public sealed unsafe class LoadFloat16Tests
{
    [Fact]
    public void All_halves_are_widened_exactly()
    {
        ushort[] halves = [.. Enumerable.Range(0, 1 << 16).Select(bits => (ushort)bits)];
        float[] expected = [.. halves.Select(bits => (float)BitConverter.UInt16BitsToHalf(bits))];
        Assert.Equal(expected, Widened<SimdScalar>(halves));
        Assert.Equal(expected, Widened<Simd128>(halves));
        Assert.Equal(expected, Widened<Simd256>(halves));
        Assert.Equal(expected, Widened<Simd512>(halves));
    }

    private static float[] Widened<T>(ushort[] halves) where T : unmanaged, ISimd<T>
    {
        var values = new float[halves.Length];
        fixed (ushort* from = halves)
        fixed (float* to = values)
            for (int i = 0; i < halves.Length; i += T.Count)
                T.Store(T.LoadFloat16(from + i), to + i);
        return values;
    }
}
