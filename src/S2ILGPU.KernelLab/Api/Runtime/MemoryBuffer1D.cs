using System.Runtime.CompilerServices;

namespace ILGPU.Runtime;

/// <summary>A device array.</summary>
/// <typeparam name="T">The element type.</typeparam>
/// <typeparam name="TStride">How elements lie in memory.</typeparam>
public class MemoryBuffer1D<T, TStride> : MemoryBuffer<ArrayView1D<T, TStride>>, IContiguousArrayView<T>
    where T : unmanaged
    where TStride : struct, IStride1D
{
    internal MemoryBuffer1D(Accelerator accelerator, long length, string name)
        : base(accelerator, length, Unsafe.SizeOf<T>(), name) =>
        View = new ArrayView1D<T, TStride>(new ArrayView<T>(this, 0, length), length, default);

    /// <summary>The number of elements.</summary>
    public LongIndex1D Extent => View.Extent;

    /// <summary>The number of elements; throws if it does not fit.</summary>
    public Index1D IntExtent => View.IntExtent;

    /// <summary>The elements.</summary>
    /// <returns>A view.</returns>
    public ArrayView<T> AsContiguous() => View.BaseView;
}
