using S2ILGPU.KernelLab;

namespace ILGPU.Runtime;

/// <summary>Device memory. Fresh memory is poisoned and counts as uninitialised until something writes it.</summary>
public abstract unsafe class MemoryBuffer : AcceleratorObject
{
    private protected MemoryBuffer(Accelerator accelerator, long length, int elementSize, string name)
        : base(accelerator)
    {
        Length = length;
        ElementSize = elementSize;
        Memory = Heap.Allocate(accelerator, checked(length * elementSize), elementSize, name);
        Memory.Buffer = this;
    }

    /// <summary>The address.</summary>
    public nint NativePtr => (nint)Memory.Base;

    /// <summary>The number of elements.</summary>
    public long Length { get; }

    /// <summary>The bytes of an element.</summary>
    public int ElementSize { get; }

    /// <summary>The bytes of all elements.</summary>
    public long LengthInBytes => Length * ElementSize;

    internal Allocation Memory { get; }

    /// <summary>All bytes.</summary>
    /// <returns>A view.</returns>
    public ArrayView<byte> AsRawArrayView() => AsRawArrayView(0L);

    /// <summary>The bytes from an offset on.</summary>
    /// <param name="offsetInBytes">Where the view begins.</param>
    /// <returns>A view.</returns>
    public ArrayView<byte> AsRawArrayView(long offsetInBytes) => AsRawArrayView(offsetInBytes, LengthInBytes - offsetInBytes);

    /// <summary>Some of the bytes.</summary>
    /// <param name="offsetInBytes">Where the view begins.</param>
    /// <param name="lengthInBytes">Its bytes.</param>
    /// <returns>A view.</returns>
    public ArrayView<byte> AsRawArrayView(long offsetInBytes, long lengthInBytes) => new(this, offsetInBytes, lengthInBytes);

    /// <summary>Some of the elements.</summary>
    /// <typeparam name="T">The element type, of the buffer's element size.</typeparam>
    /// <param name="offset">Where the view begins.</param>
    /// <param name="length">Its elements.</param>
    /// <returns>A view.</returns>
    public ArrayView<T> AsArrayView<T>(long offset, long length)
        where T : unmanaged
    {
        if (sizeof(T) != ElementSize)
            throw new NotSupportedException($"{typeof(T).Name} has {sizeof(T)} bytes, the buffer's elements have {ElementSize}");
        return new ArrayView<T>(this, offset, length);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing) => Heap.Free(Memory);
}
