using System.Runtime.InteropServices;
using S2ILGPU.Tensors;

namespace S2ILGPU.Storage;

/// <summary>Floats from and to the bytes of a file; narrowing rounds to the nearest, ties to even.</summary>
internal static class FloatConversion
{
    public static bool IsFloat(SafetensorsType type) =>
        type is SafetensorsType.Float32 or SafetensorsType.Float16 or SafetensorsType.BFloat16
        or SafetensorsType.Float64;

    // source holds destination.Length elements of a float type.
    public static void ToSingle(SafetensorsType type, ReadOnlySpan<byte> source, Span<float> destination)
    {
        switch (type)
        {
            case SafetensorsType.Float32:
                source.CopyTo(MemoryMarshal.AsBytes(destination));
                break;
            case SafetensorsType.Float64:
                var doubles = MemoryMarshal.Cast<byte, double>(source);
                for (int i = 0; i < destination.Length; i++)
                    destination[i] = (float)doubles[i];
                break;
            case SafetensorsType.Float16:
                var halves = MemoryMarshal.Cast<byte, Half>(source);
                for (int i = 0; i < destination.Length; i++)
                    destination[i] = (float)halves[i];
                break;
            default:
                var upperHalves = MemoryMarshal.Cast<byte, ushort>(source);
                for (int i = 0; i < destination.Length; i++)
                    destination[i] = BFloat16Bits.Widen(upperHalves[i]);
                break;
        }
    }

    // destination holds source.Length elements of a float type.
    public static void FromSingle(SafetensorsType type, ReadOnlySpan<float> source, Span<byte> destination)
    {
        switch (type)
        {
            case SafetensorsType.Float32:
                MemoryMarshal.AsBytes(source).CopyTo(destination);
                break;
            case SafetensorsType.Float64:
                var doubles = MemoryMarshal.Cast<byte, double>(destination);
                for (int i = 0; i < source.Length; i++)
                    doubles[i] = source[i];
                break;
            case SafetensorsType.Float16:
                var halves = MemoryMarshal.Cast<byte, Half>(destination);
                for (int i = 0; i < source.Length; i++)
                    halves[i] = (Half)source[i];
                break;
            default:
                var upperHalves = MemoryMarshal.Cast<byte, ushort>(destination);
                for (int i = 0; i < source.Length; i++)
                    upperHalves[i] = BFloat16Bits.Round(source[i]);
                break;
        }
    }
}
