using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.IR.Intrinsics;

namespace S2ILGPU.Tiles;

/// <summary>Instructions of tensor-core devices that C# has no words for, as functions of values.</summary>
/// <remarks>
/// <para>On CUDA a call becomes one PTX instruction (the generator of the same name); nothing passes through local
/// memory. Elsewhere the body runs: on ILGPU's CPU accelerator, both through <see cref="Raw"/>.</para>
/// <para>Shared memory is addressed by 32-bit byte addresses made from <see cref="SharedAddress"/>, device memory by
/// 64-bit ones made from <see cref="GlobalAddress"/>; where bodies run, both are offsets from the element that is
/// passed by reference along with the address. A parameter named <c>offset</c> must be a constant: it becomes part of
/// the instruction.</para>
/// </remarks>
internal static partial class Intrinsics
{
    /// <summary>Address of an element of shared memory.</summary>
    [IntrinsicImplementation]
    public static uint SharedAddress(ref U4 shared)
    {
        Raw.Address(ref shared);
        return 0;
    }

    /// <summary>Address of an element of device memory.</summary>
    [IntrinsicImplementation]
    public static ulong GlobalAddress(ref U4 global)
    {
        Raw.Address(ref global);
        return 0;
    }

    /// <summary>Starts copying 16 bytes from device to shared memory.</summary>
    [IntrinsicImplementation]
    public static void CopyAsync(uint target, uint targetOffset, ulong source, uint sourceOffset, ref U4 shared,
        ref U4 global) =>
        Raw.CopyAsync(ref shared, target + targetOffset, ref global, (long)source + sourceOffset);

    /// <summary>Starts copying 16 bytes, or writing 16 zero bytes without reading anything when <paramref
    /// name="bytes"/> is 0: a condition without a branch.</summary>
    [IntrinsicImplementation]
    public static void CopyAsyncOrZero(uint target, uint targetOffset, ulong source, uint sourceOffset, uint bytes,
        ref U4 shared, ref U4 global)
    {
        if (bytes != 0)
            Raw.CopyAsync(ref shared, target + targetOffset, ref global, (long)source + sourceOffset);
        else
            Raw.ZeroAsync(ref shared, target + targetOffset);
    }

    /// <summary>Closes the group of copies started since the previous call.</summary>
    [IntrinsicImplementation]
    public static void CopyCommit() => Raw.Commit();

    /// <summary>Waits until all copies of this thread are complete.</summary>
    [IntrinsicImplementation]
    public static void CopyWait0() => Raw.Wait(0);

    /// <summary>Waits until at most 1 group of this thread's copies is under way.</summary>
    [IntrinsicImplementation]
    public static void CopyWait1() => Raw.Wait(1);

    /// <summary>Waits until at most 2 groups of this thread's copies are under way.</summary>
    [IntrinsicImplementation]
    public static void CopyWait2() => Raw.Wait(2);

    /// <summary>Loads two floats from shared memory; the address is a multiple of 8.</summary>
    [IntrinsicImplementation]
    public static F2 LoadShared2(uint address, uint offset, ref U4 shared)
    {
        Raw.Address(ref shared);
        return Raw.Read<U4, F2>(ref shared, address + offset);
    }

    /// <summary>Loads four floats from shared memory; the address is a multiple of 16.</summary>
    [IntrinsicImplementation]
    public static F4 LoadShared4(uint address, uint offset, ref U4 shared)
    {
        Raw.Address(ref shared);
        return Raw.Read<U4, F4>(ref shared, address + offset);
    }

    /// <summary>Stores a float to shared memory.</summary>
    [IntrinsicImplementation]
    public static void StoreShared(uint address, uint offset, float value, ref U4 shared)
    {
        Raw.Address(ref shared);
        Raw.Write<U4, float>(ref shared, address + offset) = value;
    }

    /// <summary>Stores two floats to shared memory; the address is a multiple of 8.</summary>
    [IntrinsicImplementation]
    public static void StoreShared2(uint address, uint offset, F2 value, ref U4 shared)
    {
        Raw.Address(ref shared);
        Raw.Write<U4, F2>(ref shared, address + offset) = value;
    }

    /// <summary>Clears 16 bytes of shared memory when <paramref name="left"/> is not positive: a condition without a
    /// branch. The address is a multiple of 16.</summary>
    [IntrinsicImplementation]
    public static void ZeroSharedUnless(uint address, uint offset, int left, ref U4 shared)
    {
        Raw.Address(ref shared);
        if (left <= 0)
            Raw.Write<U4, U4>(ref shared, address + offset) = default;
    }

    /// <summary>Makes what the lanes of a warp wrote to shared memory visible to each other.</summary>
    [IntrinsicImplementation]
    public static void WarpBarrier() => Warp.Barrier();

    /// <summary>The value itself, computed here and nowhere else: ILGPU sinks pure values into loops, and would compute
    /// lane geometry anew in every turn.</summary>
    [IntrinsicImplementation]
    public static uint Pin(uint value) => value;
}
