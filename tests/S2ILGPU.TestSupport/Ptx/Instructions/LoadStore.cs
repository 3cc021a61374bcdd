using System.Numerics;
using System.Runtime.CompilerServices;

namespace S2ILGPU.TestSupport.Ptx;

/// <summary>A state space: what an address means.</summary>
internal unsafe interface ISpace
{
    static abstract byte* Locate(Warp warp, int lane, ulong address, int bytes, Access access);
}

/// <summary>Memory of all threads of all groups.</summary>
internal readonly unsafe struct GlobalSpace : ISpace
{
    public static byte* Locate(Warp warp, int lane, ulong address, int bytes, Access access) =>
        warp.Group.Global.Locate(warp, lane, address, bytes, access);
}

/// <summary>Memory of a group.</summary>
internal readonly unsafe struct SharedSpace : ISpace
{
    public static byte* Locate(Warp warp, int lane, ulong address, int bytes, Access access)
    {
        var shared = warp.Group.Shared;
        byte* memory = shared.Locate(address, bytes);
        shared.Shadow?.Touch(warp, lane, (uint)address - SharedMemory.Begin, bytes, access);
        return memory;
    }
}

/// <summary>Memory of a thread.</summary>
internal readonly unsafe struct LocalSpace : ISpace
{
    public static byte* Locate(Warp warp, int lane, ulong address, int bytes, Access access)
    {
        int size = warp.Local.Length / 32;
        uint offset = (uint)address;
        if (offset + (ulong)bytes > (ulong)size)
            throw new PtxFaultException(PtxFaultKind.OutOfBounds,
                $"out of bounds: {bytes} bytes at byte {offset} of local memory, which has {size} bytes");
        if (offset % bytes != 0)
            throw new PtxFaultException(PtxFaultKind.Misaligned,
                $"misaligned: {bytes} bytes at byte {offset} of local memory");
        return (byte*)Unsafe.AsPointer(ref warp.Local[lane * size + (int)offset]);
    }
}

/// <summary>Addresses that carry their space with them, as <c>cvta</c> makes them.</summary>
internal readonly unsafe struct GenericSpace : ISpace
{
    /// <summary>Marks of shared and local memory; global addresses carry none.</summary>
    public const ulong Shared = 1ul << 62, Local = 1ul << 61;

    public static byte* Locate(Warp warp, int lane, ulong address, int bytes, Access access) =>
        (address & (Shared | Local)) switch
    {
        Shared => SharedSpace.Locate(warp, lane, address & ~Shared, bytes, access),
        Local => LocalSpace.Locate(warp, lane, address & ~Local, bytes, access),
        _ => GlobalSpace.Locate(warp, lane, address, bytes, access),
    };
}

/// <summary>Where a memory instruction points: a register, 32 or 64 bits wide, and a constant.</summary>
internal readonly record struct PtxPointer(int Register, bool IsWide, long Offset)
{
    public unsafe ulong Of(Warp warp, int lane) =>
        (IsWide ? Cell<ulong>.Get(warp.Registers + Register, lane) : Cell<uint>.Get(warp.Registers + Register, lane))
        + (ulong)Offset;
}

/// <summary><c>ld</c>: one, two or four values.</summary>
internal sealed unsafe class Load<T, TSpace>(int[] d, PtxPointer pointer) : Instruction
    where T : unmanaged
    where TSpace : struct, ISpace
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp warp, uint lanes)
    {
        byte* r = warp.Registers;
        for (; lanes != 0; lanes &= lanes - 1)
        {
            int lane = BitOperations.TrailingZeroCount(lanes);
            var from = (T*)TSpace.Locate(warp, lane, pointer.Of(warp, lane), sizeof(T) * d.Length, Access.Read);
            for (int n = 0; n < d.Length; n++)
                Cell<T>.Set(r + d[n], lane, from[n]);
        }
    }
}

/// <summary><c>st</c>: one, two or four values.</summary>
internal sealed unsafe class Store<T, TSpace>(int[] a, PtxPointer pointer) : Instruction
    where T : unmanaged
    where TSpace : struct, ISpace
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Execute(Warp warp, uint lanes)
    {
        byte* r = warp.Registers;
        for (; lanes != 0; lanes &= lanes - 1)
        {
            int lane = BitOperations.TrailingZeroCount(lanes);
            var to = (T*)TSpace.Locate(warp, lane, pointer.Of(warp, lane), sizeof(T) * a.Length, Access.Write);
            for (int n = 0; n < a.Length; n++)
                to[n] = Cell<T>.Get(r + a[n], lane);
        }
    }
}

/// <summary><c>ld.param</c> of a kernel: the same for all lanes.</summary>
internal sealed unsafe class LoadParameter<T>(int[] d, int offset) : Instruction where T : unmanaged
{
    public override void Execute(Warp warp, uint lanes)
    {
        var arguments = warp.Group.Arguments;
        if (offset + sizeof(T) * d.Length > arguments.Length)
            throw new PtxFaultException(PtxFaultKind.Other, $"byte {offset} of {arguments.Length} bytes of arguments");
        for (int n = 0; n < d.Length; n++)
        {
            var value = Unsafe.ReadUnaligned<T>(ref arguments[offset + n * sizeof(T)]);
            for (uint rest = lanes; rest != 0; rest &= rest - 1)
                Cell<T>.Set(warp.Registers + d[n], BitOperations.TrailingZeroCount(rest), value);
        }
    }
}

/// <summary><c>atom</c> and <c>red</c>: d = [address], [address] = f([address], b). Lanes follow each other in their
/// order.</summary>
internal sealed unsafe class AtomicUpdate<T, TSpace, TFunction>(int d, PtxPointer pointer, int b) : Instruction
    where T : unmanaged
    where TSpace : struct, ISpace
    where TFunction : struct, IBinary<T, T, T>
{
    public override void Execute(Warp warp, uint lanes)
    {
        for (; lanes != 0; lanes &= lanes - 1)
        {
            int lane = BitOperations.TrailingZeroCount(lanes);
            var memory = (T*)TSpace.Locate(warp, lane, pointer.Of(warp, lane), sizeof(T),
                typeof(TFunction) == typeof(Second<T>) && d < 0 ? Access.Exchange : Access.Update);
            T before = *memory;
            *memory = TFunction.Apply(before, Cell<T>.Get(warp.Registers + b, lane));
            if (d >= 0)
                Cell<T>.Set(warp.Registers + d, lane, before);
        }
    }
}

/// <summary><c>atom.cas</c>: d = [address], [address] = d == b ? c : d.</summary>
internal sealed unsafe class AtomicCompareExchange<T, TSpace>(int d, PtxPointer pointer, int b, int c) : Instruction
    where T : unmanaged, IEquatable<T>
    where TSpace : struct, ISpace
{
    public override void Execute(Warp warp, uint lanes)
    {
        for (; lanes != 0; lanes &= lanes - 1)
        {
            int lane = BitOperations.TrailingZeroCount(lanes);
            var memory = (T*)TSpace.Locate(warp, lane, pointer.Of(warp, lane), sizeof(T), Access.Update);
            T before = *memory;
            if (before.Equals(Cell<T>.Get(warp.Registers + b, lane)))
                *memory = Cell<T>.Get(warp.Registers + c, lane);
            Cell<T>.Set(warp.Registers + d, lane, before);
        }
    }
}
