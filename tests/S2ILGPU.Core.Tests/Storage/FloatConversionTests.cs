using System.Runtime.InteropServices;
using S2ILGPU.Tensors;
using Xunit;

namespace S2ILGPU.Storage;

public sealed class FloatConversionTests
{
    // Every value of the narrow type, and around each the midpoint to the next and its neighbours: all that rounding
    // can get wrong.
    [Theory]
    [InlineData(SafetensorsType.BFloat16)]
    [InlineData(SafetensorsType.Float16)]
    public void Narrowing_rounds_to_nearest_even(SafetensorsType type)
    {
        for (int bits = 0; bits < 0xFFFF; bits++)
        {
            float low = Widen(type, (ushort)bits), high = Widen(type, (ushort)(bits + 1));
            if (!float.IsFinite(low) || !float.IsFinite(high) || bits == 0x7FFF)
                continue;
            float middle = (float)(((double)low + high) / 2);
            Assert.Equal((ushort)bits, Narrow(type, low));
            Assert.Equal((ushort)(bits % 2 == 0 ? bits : bits + 1), Narrow(type, middle));
            float towardsLow = low < high ? MathF.BitDecrement(middle) : MathF.BitIncrement(middle);
            float towardsHigh = low < high ? MathF.BitIncrement(middle) : MathF.BitDecrement(middle);
            Assert.Equal((ushort)bits, Narrow(type, towardsLow));
            Assert.Equal((ushort)(bits + 1), Narrow(type, towardsHigh));
        }
    }

    [Theory]
    [InlineData(SafetensorsType.BFloat16)]
    [InlineData(SafetensorsType.Float16)]
    [InlineData(SafetensorsType.Float32)]
    [InlineData(SafetensorsType.Float64)]
    public void Keeps_what_is_not_finite(SafetensorsType type)
    {
        float[] values = [float.NaN, BitConverter.UInt32BitsToSingle(0x7F800001), float.PositiveInfinity,
            float.NegativeInfinity, -0f];
        var bytes = new byte[values.Length * type.SizeBytes()];
        FloatConversion.FromSingle(type, values, bytes);
        var back = new float[values.Length];
        FloatConversion.ToSingle(type, bytes, back);
        Assert.True(float.IsNaN(back[0]) && float.IsNaN(back[1]), $"{type}: {string.Join(", ", back)}");
        Assert.Equal([float.PositiveInfinity, float.NegativeInfinity], back[2..4]);
        Assert.True(float.IsNegative(back[4]) && back[4] == 0);
    }

    [Fact]
    public void Overflow_becomes_infinity()
    {
        Assert.Equal(0x7F80, BFloat16Bits.Round(float.MaxValue));
        Assert.Equal(0xFF80, BFloat16Bits.Round(float.MinValue));
        Assert.Equal(0x7C00, Narrow(SafetensorsType.Float16, 65520));
        Assert.Equal(0x7BFF, Narrow(SafetensorsType.Float16, 65519));
    }

    private static ushort Narrow(SafetensorsType type, float value)
    {
        ushort bits = 0;
        FloatConversion.FromSingle(type, [value], MemoryMarshal.AsBytes(new Span<ushort>(ref bits)));
        return bits;
    }

    private static float Widen(SafetensorsType type, ushort bits)
    {
        var value = new float[1];
        FloatConversion.ToSingle(type, MemoryMarshal.AsBytes(new Span<ushort>(ref bits)), value);
        return value[0];
    }
}
