using System.Runtime.CompilerServices;
using S2ILGPU.Cpu.Simd;

namespace S2ILGPU.Cpu.Memory;

/// <summary>A float as memory keeps it.</summary>
internal interface IStoredFloat<TSelf> where TSelf : unmanaged, IStoredFloat<TSelf>
{
    /// <summary>The value, exactly.</summary>
    static abstract float Widen(TSelf stored);

    /// <summary>The nearest stored value, ties to even.</summary>
    static abstract TSelf Round(float value);
}

/// <summary>A float as weights are kept, widened by the register. Typed pointers: over byte offsets the JIT makes dot
/// products 1.8 times slower.</summary>
internal unsafe interface IStoredWeight<TSelf> : IStoredFloat<TSelf> where TSelf : unmanaged, IStoredWeight<TSelf>
{
    /// <summary>A register of values, exactly.</summary>
    static abstract T Load<T>(TSelf* source) where T : unmanaged, ISimd<T>;
}

/// <summary>IEEE single precision.</summary>
internal readonly unsafe struct StoredSingle(float value) : IStoredWeight<StoredSingle>
{
    private readonly float _value = value;

    public static float Widen(StoredSingle stored) => stored._value;

    public static StoredSingle Round(float value) => new(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Load<T>(StoredSingle* source) where T : unmanaged, ISimd<T> => T.Load((float*)source);
}

/// <summary>IEEE half precision.</summary>
internal readonly struct StoredHalf(Half value) : IStoredFloat<StoredHalf>
{
    private readonly Half _value = value;

    public static float Widen(StoredHalf stored) => (float)stored._value;

    public static StoredHalf Round(float value) => new((Half)value);
}

/// <summary>bfloat16: the upper half of a single.</summary>
internal readonly unsafe struct StoredBFloat16(ushort bits) : IStoredWeight<StoredBFloat16>
{
    private readonly ushort _bits = bits;

    public static float Widen(StoredBFloat16 stored) => BitConverter.UInt32BitsToSingle((uint)stored._bits << 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Load<T>(StoredBFloat16* source) where T : unmanaged, ISimd<T> => T.LoadBFloat16((ushort*)source);

    // Adding 0x7FFF and the lowest kept bit carries exactly when the dropped half is above one half, or is one half and
    // the kept part odd. A NaN keeps a mantissa bit.
    public static StoredBFloat16 Round(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return new((ushort)(float.IsNaN(value) ? (bits >> 16) | 0x40 : (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16));
    }
}
