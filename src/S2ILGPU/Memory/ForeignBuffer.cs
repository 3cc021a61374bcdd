using ILGPU;
using ILGPU.Runtime;
using S2ILGPU.Tensors;

namespace S2ILGPU.Memory;

/// <summary>Memory that belongs to the program around the engine: never freed, never cached.</summary>
internal sealed class ForeignBuffer(DeviceAllocator owner, ArrayView<int> words) : DeviceBuffer(words.LengthInBytes)
{
    // Kernels read and write up to 16 bytes at a time.
    private const int AlignmentBytes = 16;

    /// <summary>The allocator of the engine that the view was made for.</summary>
    public DeviceAllocator Owner => owner;

    /// <summary>The memory as 32-bit words.</summary>
    public ArrayView<int> Words => words;

    /// <summary>Wraps a view.</summary>
    /// <exception cref="ArgumentException">The view does not begin at a multiple of 16 bytes of its buffer, or does not
    /// end at one of 4.</exception>
    public static ForeignBuffer Of<T>(DeviceAllocator owner, ArrayView<T> view)
        where T : unmanaged
    {
        long begin = ((IContiguousArrayView)view).IndexInBytes;
        if (begin % AlignmentBytes != 0 || view.LengthInBytes % sizeof(int) != 0)
            throw new ArgumentException(
                $"a view must begin at a multiple of {AlignmentBytes} bytes and hold a multiple of {sizeof(int)}, got "
                + $"{view.LengthInBytes} bytes from byte {begin}");
        return new ForeignBuffer(owner, view.Cast<int>());
    }

    protected override void Return()
    {
    }
}
