using System.Buffers;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cpu.Memory;

/// <summary>Memory of the program around the engine: pinned while a tensor holds it, never freed, never handed out
/// again.</summary>
internal sealed unsafe class HostBuffer(MemoryHandle handle, long sizeBytes) : DeviceBuffer(sizeBytes)
{
    private MemoryHandle _handle = handle;

    /// <summary>First byte.</summary>
    public byte* Pointer => (byte*)_handle.Pointer;

    protected override void Return() => _handle.Dispose();
}
