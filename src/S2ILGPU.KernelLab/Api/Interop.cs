using System.Runtime.CompilerServices;

namespace ILGPU;

/// <summary>Sizes and reinterpretations.</summary>
public static class Interop
{
    /// <summary>The bytes of a value.</summary>
    /// <typeparam name="T">Its type.</typeparam>
    /// <returns>The size.</returns>
    public static int SizeOf<T>()
        where T : unmanaged => Unsafe.SizeOf<T>();

    /// <summary>The bits of a Half as an integer.</summary>
    /// <param name="value">The number.</param>
    /// <returns>Its bits.</returns>
    public static ushort FloatAsInt(Half value) => value.Bits;

    /// <summary>The Half with these bits.</summary>
    /// <param name="value">The bits.</param>
    /// <returns>The number.</returns>
    public static Half IntAsFloat(ushort value) => new(value);

    /// <summary>The bits of a float as an integer.</summary>
    /// <param name="value">The number.</param>
    /// <returns>Its bits.</returns>
    public static uint FloatAsInt(float value) => BitConverter.SingleToUInt32Bits(value);

    /// <summary>The float with these bits.</summary>
    /// <param name="value">The bits.</param>
    /// <returns>The number.</returns>
    public static float IntAsFloat(uint value) => BitConverter.UInt32BitsToSingle(value);

    /// <summary>The bits of a double as an integer.</summary>
    /// <param name="value">The number.</param>
    /// <returns>Its bits.</returns>
    public static ulong FloatAsInt(double value) => BitConverter.DoubleToUInt64Bits(value);

    /// <summary>The double with these bits.</summary>
    /// <param name="value">The bits.</param>
    /// <returns>The number.</returns>
    public static double IntAsFloat(ulong value) => BitConverter.UInt64BitsToDouble(value);
}
