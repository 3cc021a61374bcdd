using S2ILGPU.Tensors;

namespace S2ILGPU.Cpu.Memory;

/// <summary>Aligned native memory of the CPU engine. The object outlives its tensors: the allocator hands it out
/// again.</summary>
internal sealed unsafe class CpuBuffer(CpuAllocator owner, byte* memory, long sizeBytes) : DeviceBuffer(sizeBytes)
{
    private byte* _memory = memory;

    /// <summary>First byte, aligned to a cache line.</summary>
    /// <exception cref="ObjectDisposedException">The engine was disposed.</exception>
    public byte* Pointer => _memory != null ? _memory
        : throw new ObjectDisposedException(nameof(CpuEngine), "the engine that owns this tensor was disposed");

    /// <summary>Gives the memory back to the operating system.</summary>
    public void Free()
    {
        NativePages.Free(_memory);
        _memory = null;
    }

    protected override void Return() => owner.Return(this);
}
