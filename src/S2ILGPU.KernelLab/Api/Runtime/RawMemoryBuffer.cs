namespace ILGPU.Runtime;

/// <summary>Memory whose element type is not known.</summary>
internal sealed class RawMemoryBuffer(Accelerator accelerator, long length, int elementSize)
    : MemoryBuffer(accelerator, length, elementSize, $"raw buffer of {length} x {elementSize} bytes");
