using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Reference;

/// <summary>Rounding to 16-bit types, on which the expectations for conversions rest.</summary>
public sealed class ElementRoundingTests
{
    [Theory]
    [InlineData(1.0, 1.0)]
    [InlineData(1.00390625, 1.0)] // halfway, to even
    [InlineData(1.01171875, 1.015625)] // halfway, to even
    [InlineData(1.00390626, 1.0078125)]
    [InlineData(-3.3895313892515355e38, -3.3895313892515355e38)]
    [InlineData(3.3961775292304601e38, double.PositiveInfinity)] // halfway to the next power of two
    [InlineData(9.183549615799121e-41, 9.183549615799121e-41)] // 2^-133, the smallest
    [InlineData(4.5e-41, 0.0)]
    [InlineData(double.NegativeInfinity, double.NegativeInfinity)]
    [InlineData(double.NaN, double.NaN)]
    public void BFloat16(double value, double expected) =>
        Assert.Equal(expected, ElementRounding.Round(value, ElementType.BFloat16));

    // From single precision, rounding is the well-known sum of bits.
    [Fact]
    public void BFloat16_agrees_with_bit_arithmetic()
    {
        var random = Seeds.NewRandom();
        for (int n = 0; n < 20_000; n++)
        {
            float value = BitConverter.Int32BitsToSingle(random.Next(int.MinValue, int.MaxValue));
            if (!float.IsFinite(value))
                continue;
            uint bits = BitConverter.SingleToUInt32Bits(value);
            float expected = BitConverter.UInt32BitsToSingle((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000);
            Assert.True(expected == (float)ElementRounding.Round(value, ElementType.BFloat16),
                $"{value:r}; {Seeds.Text}");
        }
    }

    [Theory]
    [InlineData(65519.0, 65504.0)]
    [InlineData(65520.0, double.PositiveInfinity)]
    [InlineData(1.00048828125, 1.0)]
    public void Float16(double value, double expected) =>
        Assert.Equal(expected, ElementRounding.Round(value, ElementType.Float16));
}
