using ILGPU.Runtime;

namespace ILGPU;

/// <summary>A window on a buffer.</summary>
public interface IArrayView
{
    /// <summary>The buffer; throws for an empty view and inside kernels.</summary>
    MemoryBuffer Buffer { get; }

    /// <summary>Whether there is memory behind it.</summary>
    bool IsValid { get; }

    /// <summary>The number of elements.</summary>
    long Length { get; }

    /// <summary>The bytes of an element.</summary>
    int ElementSize { get; }

    /// <summary>The bytes of all elements.</summary>
    long LengthInBytes { get; }
}
