using System.Runtime.InteropServices;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;

namespace S2ILGPU.Tests.Ptx;

/// <summary>Numbers of a tensor, rounded to its type, and how memory holds them.</summary>
internal sealed class Operand(double[] values, ElementType type)
{
    /// <summary>Elements of single precision, which hold the numbers of every type.</summary>
    public float[] Singles { get; } = Array.ConvertAll(values, x => (float)ElementRounding.Round(x, type));

    /// <summary>The numbers, row-major.</summary>
    public double[] Values => Array.ConvertAll(Singles, x => (double)x);

    /// <summary>What products make of the numbers: those of single precision are rounded to TF32.</summary>
    public double[] Factors => type == ElementType.Float32
        ? Array.ConvertAll(Singles, x => (double)BitConverter.UInt32BitsToSingle(
            BitConverter.SingleToUInt32Bits(x) + 0x1000 & 0xffffe000))
        : Values;

    /// <summary>16-bit elements, or both halves of elements of 32 bits.</summary>
    public ushort[] Halves => type switch
    {
        ElementType.Float32 => MemoryMarshal.Cast<float, ushort>(Singles).ToArray(),
        ElementType.BFloat16 => Array.ConvertAll(Singles, x => (ushort)(BitConverter.SingleToUInt32Bits(x) >> 16)),
        _ => Array.ConvertAll(Singles, x => BitConverter.HalfToUInt16Bits((Half)x)),
    };

    /// <summary>16-bit elements as numbers.</summary>
    public static double[] Decode(ushort[] elements, ElementType type) => type == ElementType.BFloat16
        ? Array.ConvertAll(elements, bits => (double)BitConverter.UInt32BitsToSingle((uint)bits << 16))
        : Array.ConvertAll(elements, bits => (double)BitConverter.UInt16BitsToHalf(bits));
}
