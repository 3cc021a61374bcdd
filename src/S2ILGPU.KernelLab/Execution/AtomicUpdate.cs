using System.Runtime.CompilerServices;

namespace S2ILGPU.KernelLab;

/// <summary>Indivisible updates: really so, because threads may run at once, and known as such to the sanitizer.</summary>
internal static unsafe class AtomicUpdate
{
    /// <summary>Replaces the value by a function of it and an operand.</summary>
    /// <returns>The value before.</returns>
    internal static T Apply<T>(ref T target, T operand, Func<T, T, T> update)
        where T : unmanaged
    {
        Announce(ref target);
        while (true)
        {
            T old = target;
            if (Swap(ref target, update(old, operand), old))
                return old;
        }
    }

    /// <summary>Replaces the value by another if it has the expected bits.</summary>
    /// <returns>The value before.</returns>
    internal static T CompareExchange<T>(ref T target, T expected, T value)
        where T : unmanaged
    {
        Announce(ref target);
        while (true)
        {
            T old = target;
            if (!Bits(old).Equals(Bits(expected)) || Swap(ref target, value, old))
                return old;
        }
    }

    private static void Announce<T>(ref T target)
        where T : unmanaged
    {
        if (Engine.Tracks)
            AccessLog.Classify((byte*)Unsafe.AsPointer(ref target), AccessKind.Atomic);
    }

    private static ulong Bits<T>(T value)
        where T : unmanaged => sizeof(T) == 4 ? Unsafe.BitCast<T, uint>(value) : Unsafe.BitCast<T, ulong>(value);

    private static bool Swap<T>(ref T target, T value, T expected)
        where T : unmanaged
    {
        if (sizeof(T) == 4)
            return Interlocked.CompareExchange(ref Unsafe.As<T, uint>(ref target), Unsafe.BitCast<T, uint>(value), Unsafe.BitCast<T, uint>(expected)) == Unsafe.BitCast<T, uint>(expected);
        return Interlocked.CompareExchange(ref Unsafe.As<T, ulong>(ref target), Unsafe.BitCast<T, ulong>(value), Unsafe.BitCast<T, ulong>(expected)) == Unsafe.BitCast<T, ulong>(expected);
    }
}
