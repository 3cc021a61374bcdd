using System.Runtime.CompilerServices;

namespace S2ILGPU.TestSupport.Ptx;

/// <summary>Registers of type T: lane l of a register at byte offset r lies at r + l * Stride.</summary>
internal static unsafe class Cell<T> where T : unmanaged
{
    /// <summary>Bytes of a lane: small types live in 4 bytes, as wide as the result of widening them.</summary>
    public static int Stride
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => sizeof(T) == 8 ? 8 : 4;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Get(byte* register, int lane) => *(T*)(register + lane * Stride);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Set(byte* register, int lane, T value)
    {
        if (typeof(T) == typeof(byte))
            *(uint*)(register + lane * 4) = (byte)(object)value;
        else if (typeof(T) == typeof(sbyte))
            *(int*)(register + lane * 4) = (sbyte)(object)value;
        else if (typeof(T) == typeof(short))
            *(int*)(register + lane * 4) = (short)(object)value;
        else if (sizeof(T) == 2)
            *(uint*)(register + lane * 4) = Unsafe.BitCast<T, ushort>(value);
        else
            *(T*)(register + lane * Stride) = value;
    }
}
