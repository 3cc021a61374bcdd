using System.Runtime.CompilerServices;
using ILGPU;

namespace S2ILGPU.Tiles;

/// <summary>How the bodies of <see cref="Tiles.Intrinsics"/> reach memory and the other lanes of their warp on ILGPU's
/// CPU accelerator.</summary>
/// <remarks>
/// Lanes exchange values through one static line per warp and two warp barriers; a <c>Warp.Shuffle</c> per value would
/// cost two barriers among 32 system threads each. So one group runs at a time: the accelerator needs a CPUDevice with
/// a single multiprocessor. Copies land at once.
/// </remarks>
internal static unsafe class Raw
{
    private const int LineBytes = 32 * 32;

    private static readonly byte[] s_lines = GC.AllocateArray<byte>(32 * LineBytes, pinned: true);

    /// <summary>The value <paramref name="byteOffset"/> bytes behind an element.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref readonly TValue Read<TOrigin, TValue>(ref TOrigin origin, long byteOffset)
        where TOrigin : unmanaged where TValue : unmanaged =>
        ref Unsafe.As<TOrigin, TValue>(ref Unsafe.AddByteOffset(ref origin, (nint)byteOffset));

    /// <summary>The place <paramref name="byteOffset"/> bytes behind an element, to be written.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref TValue Write<TOrigin, TValue>(ref TOrigin origin, long byteOffset) where TOrigin : unmanaged
        where TValue : unmanaged =>
        ref Unsafe.As<TOrigin, TValue>(ref Unsafe.AddByteOffset(ref origin, (nint)byteOffset));

    /// <summary>Says that an element was only taken by reference, not read.</summary>
    public static void Address<T>(ref T origin) where T : unmanaged
    {
    }

    /// <summary>Copies one element.</summary>
    public static void CopyAsync<T>(ref T target, long targetOffset, ref T source, long sourceOffset)
        where T : unmanaged =>
        Write<T, T>(ref target, targetOffset) = Read<T, T>(ref source, sourceOffset);

    /// <summary>Clears one element.</summary>
    public static void ZeroAsync<T>(ref T target, long targetOffset) where T : unmanaged =>
        Write<T, T>(ref target, targetOffset) = default;

    /// <summary>Closes a group of copies.</summary>
    public static void Commit()
    {
    }

    /// <summary>Waits until at most <paramref name="pending"/> groups of copies are under way.</summary>
    public static void Wait(int pending)
    {
    }

    /// <summary>Every lane's value, in the order of the lanes. <typeparamref name="T"/> has at most 32 bytes.</summary>
    public static void Gather<T>(T value, Span<T> all) where T : unmanaged
    {
        fixed (byte* lines = s_lines)
        {
            var line = (T*)(lines + Group.IdxX / 32 * LineBytes);
            line[Warp.LaneIdx] = value;
            Warp.Barrier();
            new ReadOnlySpan<T>(line, 32).CopyTo(all);
            Warp.Barrier();
        }
    }
}
