using System.Runtime.CompilerServices;
using S2ILGPU.Cpu.Simd;

namespace S2ILGPU.Cpu.InnerLoops;

/// <summary>An element type in which rows are stored and from which kernels read floats.</summary>
internal unsafe interface IRowElement
{
    /// <summary>Bytes of an element.</summary>
    static abstract int SizeBytes { get; }

    /// <summary>A register of floats from the elements at an address.</summary>
    static abstract T Load<T>(byte* source) where T : unmanaged, ISimd<T>;
}

internal readonly unsafe struct Float32Element : IRowElement
{
    public static int SizeBytes => sizeof(float);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Load<T>(byte* source) where T : unmanaged, ISimd<T> => T.Load((float*)source);
}

internal readonly unsafe struct BFloat16Element : IRowElement
{
    public static int SizeBytes => sizeof(ushort);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Load<T>(byte* source) where T : unmanaged, ISimd<T> => T.LoadBFloat16((ushort*)source);
}

internal readonly unsafe struct Float16Element : IRowElement
{
    public static int SizeBytes => sizeof(ushort);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Load<T>(byte* source) where T : unmanaged, ISimd<T> => T.LoadFloat16((ushort*)source);
}

/// <summary>Without the scale of the row, by which what is computed from it is multiplied.</summary>
internal readonly unsafe struct Int8Element : IRowElement
{
    public static int SizeBytes => sizeof(sbyte);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Load<T>(byte* source) where T : unmanaged, ISimd<T> => T.LoadInt8((sbyte*)source);
}
