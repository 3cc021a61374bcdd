using S2ILGPU.Tensors;

namespace S2ILGPU.TestSupport;

/// <summary>Rounds a double to the nearest value of an element type, ties to even.</summary>
public static class ElementRounding
{
    private const double SmallestNormalBFloat16 = 1.1754943508222875e-38; // 2^-126
    private const double LargestBFloat16 = 3.3895313892515355e38;

    /// <summary>The nearest value of a type, as a double.</summary>
    public static double Round(double value, ElementType type) => type switch
    {
        ElementType.Float32 => (float)value,
        ElementType.Float16 => (double)(Half)value,
        ElementType.BFloat16 => RoundToBFloat16(value),
        ElementType.Float64 => value,
        ElementType.Int8 => value, // rounded row by row, when pages are written
        _ => throw new ArgumentException($"{type} is not a float type"),
    };

    // 8 significant bits: a double has 52 - 7 = 45 fraction bits too many. Below 2^-126 the spacing is a constant
    // 2^-133.
    private static double RoundToBFloat16(double value)
    {
        if (!double.IsFinite(value))
            return value;
        if (Math.Abs(value) < SmallestNormalBFloat16)
            return Math.ScaleB(Math.Round(Math.ScaleB(value, 133), MidpointRounding.ToEven), -133);
        long bits = BitConverter.DoubleToInt64Bits(value);
        bits += (1L << 44) - 1 + (bits >> 45 & 1);
        double rounded = BitConverter.Int64BitsToDouble(bits & -1L << 45);
        return Math.Abs(rounded) > LargestBFloat16 ? Math.CopySign(double.PositiveInfinity, value) : rounded;
    }
}
