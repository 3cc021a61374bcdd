using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace S2ILGPU.Distributed.Hosts;

/// <summary>Memory of the host that stays where it is while messages use it; freed when nothing refers to it any
/// more.</summary>
internal sealed unsafe class HostMemory
{
    private readonly ulong[] _words; // more bytes than an array of bytes may have

    /// <summary>Allocates memory with undefined content.</summary>
    public HostMemory(long sizeBytes)
    {
        _words = GC.AllocateUninitializedArray<ulong>(checked((int)((sizeBytes + 7) / 8)), pinned: true);
        SizeBytes = sizeBytes;
    }

    /// <summary>Size in bytes.</summary>
    public long SizeBytes { get; }

    /// <summary>Address of a byte.</summary>
    public nint At(long offsetBytes) => (nint)((byte*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(_words))
        + offsetBytes);

    /// <summary>Elements from a byte on.</summary>
    public Span<T> Span<T>(long offsetBytes, long count) where T : unmanaged =>
        new((void*)At(offsetBytes), checked((int)count));
}
