using System.Runtime.CompilerServices;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cpu.Memory;

/// <summary>A float as memory keeps it, widened by the register. Typed pointers: over byte offsets the JIT makes dot
/// products 1.8 times slower.</summary>
internal unsafe interface IStoredFloat<TSelf> where TSelf : unmanaged, IStoredFloat<TSelf>
{
    /// <summary>The element type of tensors that hold such values.</summary>
    static abstract ElementType ElementType { get; }

    /// <summary>A register of values, exactly.</summary>
    static abstract T Load<T>(TSelf* source) where T : unmanaged, ISimd<T>;

    /// <summary>The value, exactly.</summary>
    static abstract float Widen(TSelf stored);

    /// <summary>The nearest stored value, ties to even.</summary>
    static abstract TSelf Round(float value);
}

/// <summary>A float as activations are kept, rounded by the register.</summary>
internal unsafe interface IStoredValue<TSelf> : IStoredFloat<TSelf> where TSelf : unmanaged, IStoredValue<TSelf>
{
    /// <summary>Stores a register of values, rounded to nearest even.</summary>
    static abstract void Store<T>(T value, TSelf* destination) where T : unmanaged, ISimd<T>;
}

/// <summary>IEEE single precision.</summary>
internal readonly unsafe struct StoredSingle(float value) : IStoredValue<StoredSingle>
{
    private readonly float _value = value;

    public static ElementType ElementType => ElementType.Float32;

    public static float Widen(StoredSingle stored) => stored._value;

    public static StoredSingle Round(float value) => new(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Load<T>(StoredSingle* source) where T : unmanaged, ISimd<T> => T.Load((float*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<T>(T value, StoredSingle* destination) where T : unmanaged, ISimd<T> =>
        T.Store(value, (float*)destination);
}

/// <summary>IEEE half precision.</summary>
internal readonly unsafe struct StoredHalf(Half value) : IStoredFloat<StoredHalf>
{
    private readonly Half _value = value;

    public static ElementType ElementType => ElementType.Float16;

    public static float Widen(StoredHalf stored) => (float)stored._value;

    public static StoredHalf Round(float value) => new((Half)value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Load<T>(StoredHalf* source) where T : unmanaged, ISimd<T> => T.LoadFloat16((ushort*)source);
}

/// <summary>bfloat16: the upper half of a single.</summary>
internal readonly unsafe struct StoredBFloat16(ushort bits) : IStoredValue<StoredBFloat16>
{
    private readonly ushort _bits = bits;

    public static ElementType ElementType => ElementType.BFloat16;

    public static float Widen(StoredBFloat16 stored) => BFloat16Bits.Widen(stored._bits);

    public static StoredBFloat16 Round(float value) => new(BFloat16Bits.Round(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Load<T>(StoredBFloat16* source) where T : unmanaged, ISimd<T> => T.LoadBFloat16((ushort*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<T>(T value, StoredBFloat16* destination) where T : unmanaged, ISimd<T> =>
        T.StoreBFloat16(value, (ushort*)destination);
}
