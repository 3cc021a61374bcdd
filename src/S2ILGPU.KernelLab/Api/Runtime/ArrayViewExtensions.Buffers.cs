using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using S2ILGPU.KernelLab;

namespace ILGPU.Runtime;

public static partial class ArrayViewExtensions
{
    /// <summary>Copies a view to the host.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="view">The view.</param>
    /// <param name="data">Where to; as long as the view.</param>
    public static void CopyToCPU<T>(this ArrayView<T> view, T[] data)
        where T : unmanaged =>
        HostAccess.ToHost(view, null, data, HostAccess.Whole(data, view.Length));

    /// <summary>Copies from the host to a view.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="view">The view.</param>
    /// <param name="data">Where from; as long as the view.</param>
    public static void CopyFromCPU<T>(this ArrayView<T> view, T[] data)
        where T : unmanaged =>
        HostAccess.FromHost(view, null, data, HostAccess.Whole(data, view.Length));

    /// <summary>Copies a view to a new host array.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="view">The view.</param>
    /// <returns>The array.</returns>
    public static T[] GetAsArray<T>(this ArrayView<T> view)
        where T : unmanaged =>
        HostAccess.ToArray(view, null);

    /// <summary>Copies a buffer to the host.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="buffer">The buffer.</param>
    /// <param name="data">Where to; as long as the buffer.</param>
    public static void CopyToCPU<T>(this MemoryBuffer<ArrayView1D<T, Stride1D.Dense>> buffer, T[] data)
        where T : unmanaged =>
        HostAccess.ToHost(buffer.View.BaseView, null, data, HostAccess.Whole(data, buffer.Length));

    /// <summary>Copies from the host to a buffer.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="buffer">The buffer.</param>
    /// <param name="data">Where from; as long as the buffer.</param>
    public static void CopyFromCPU<T>(this MemoryBuffer<ArrayView1D<T, Stride1D.Dense>> buffer, T[] data)
        where T : unmanaged =>
        HostAccess.FromHost(buffer.View.BaseView, null, data, HostAccess.Whole(data, buffer.Length));

    /// <summary>Copies a buffer to a new host array.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="buffer">The buffer.</param>
    /// <returns>The array.</returns>
    public static T[] GetAsArray1D<T>(this MemoryBuffer<ArrayView1D<T, Stride1D.Dense>> buffer)
        where T : unmanaged =>
        HostAccess.ToArray(buffer.View.BaseView, null);

    /// <summary>Fills a view with zeros.</summary>
    /// <typeparam name="TView">The view type.</typeparam>
    /// <param name="view">The view.</param>
    public static void MemSetToZero<TView>(this TView view)
        where TView : IContiguousArrayView =>
        HostAccess.Set(view.AsRawArrayView(), null, 0);

    /// <summary>Fills the bytes of a view.</summary>
    /// <typeparam name="TView">The view type.</typeparam>
    /// <param name="view">The view.</param>
    /// <param name="value">The byte.</param>
    public static void MemSet<TView>(this TView view, byte value)
        where TView : IContiguousArrayView =>
        HostAccess.Set(view.AsRawArrayView(), null, value);

    /// <summary>Copies a view to another one on the device.</summary>
    /// <typeparam name="TView">The view type.</typeparam>
    /// <param name="source">The view.</param>
    /// <param name="target">Where to; at most as long.</param>
    public static void CopyTo<TView>(this TView source, in TView target)
        where TView : IContiguousArrayView =>
        HostAccess.Copy(source.AsRawArrayView(), null, target.AsRawArrayView());

    /// <summary>Copies to a view from another one on the device.</summary>
    /// <typeparam name="TView">The view type.</typeparam>
    /// <param name="target">The view.</param>
    /// <param name="source">Where from; at most as long.</param>
    public static void CopyFrom<TView>(this TView target, in TView source)
        where TView : IContiguousArrayView =>
        HostAccess.CopyBack(target.AsRawArrayView(), null, source.AsRawArrayView());

    /// <summary>Copies the beginning of a view to the host.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <typeparam name="TView">The view type.</typeparam>
    /// <param name="source">The view.</param>
    /// <param name="span">Where to; as many elements are copied.</param>
    public static void CopyToCPU<T, TView>(this TView source, in Span<T> span)
        where TView : IContiguousArrayView<T>
        where T : unmanaged =>
        HostAccess.ToHost(source.AsRawArrayView().Cast<T>(), null, span, span.Length);

    /// <summary>Copies from the host to the beginning of a view.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <typeparam name="TView">The view type.</typeparam>
    /// <param name="target">The view.</param>
    /// <param name="span">Where from; all elements are copied.</param>
    public static void CopyFromCPU<T, TView>(this TView target, in ReadOnlySpan<T> span)
        where TView : IContiguousArrayView<T>
        where T : unmanaged =>
        HostAccess.FromHost(target.AsRawArrayView().Cast<T>(), null, span, span.Length);

    /// <summary>Copies the beginning of a view to the host.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <typeparam name="TView">The view type.</typeparam>
    /// <param name="source">The view.</param>
    /// <param name="cpuData">Where to.</param>
    /// <param name="length">The number of elements.</param>
    public static void CopyToCPU<T, TView>(this TView source, ref T cpuData, long length)
        where TView : IContiguousArrayView<T>
        where T : unmanaged =>
        HostAccess.ToHost(source.AsRawArrayView().Cast<T>(), null, MemoryMarshal.CreateSpan(ref cpuData, checked((int)length)), length);

    /// <summary>Copies from the host to the beginning of a view.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <typeparam name="TView">The view type.</typeparam>
    /// <param name="target">The view.</param>
    /// <param name="cpuData">Where from.</param>
    /// <param name="length">The number of elements.</param>
    public static void CopyFromCPU<T, TView>(this TView target, ref T cpuData, long length)
        where TView : IContiguousArrayView<T>
        where T : unmanaged =>
        HostAccess.FromHost(target.AsRawArrayView().Cast<T>(), null, MemoryMarshal.CreateReadOnlySpan(ref cpuData, checked((int)length)), length);

    /// <summary>Allocates an array with the contents of a host array.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="accelerator">Where.</param>
    /// <param name="data">The contents.</param>
    /// <param name="name">Filled in by the compiler: what reports call the array.</param>
    /// <returns>The buffer; the caller disposes it.</returns>
    public static MemoryBuffer1D<T, Stride1D.Dense> Allocate1D<T>(this Accelerator accelerator, T[] data, [CallerArgumentExpression(nameof(data))] string name = "")
        where T : unmanaged =>
        HostAccess.Allocate(accelerator, null, data, name);

    /// <summary>Copies a view to the host.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="view">The view.</param>
    /// <param name="stream">The stream of work.</param>
    /// <param name="data">Where to; as long as the view.</param>
    public static void CopyToCPU<T>(this ArrayView<T> view, AcceleratorStream stream, T[] data)
        where T : unmanaged =>
        HostAccess.ToHost(view, stream, data, HostAccess.Whole(data, view.Length));

    /// <summary>Copies from the host to a view.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="view">The view.</param>
    /// <param name="stream">The stream of work.</param>
    /// <param name="data">Where from; as long as the view.</param>
    public static void CopyFromCPU<T>(this ArrayView<T> view, AcceleratorStream stream, T[] data)
        where T : unmanaged =>
        HostAccess.FromHost(view, stream, data, HostAccess.Whole(data, view.Length));

    /// <summary>Copies a view to a new host array.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="view">The view.</param>
    /// <param name="stream">The stream of work.</param>
    /// <returns>The array.</returns>
    public static T[] GetAsArray<T>(this ArrayView<T> view, AcceleratorStream stream)
        where T : unmanaged =>
        HostAccess.ToArray(view, stream);

    /// <summary>Copies a buffer to the host.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="buffer">The buffer.</param>
    /// <param name="stream">The stream of work.</param>
    /// <param name="data">Where to; as long as the buffer.</param>
    public static void CopyToCPU<T>(this MemoryBuffer<ArrayView1D<T, Stride1D.Dense>> buffer, AcceleratorStream stream, T[] data)
        where T : unmanaged =>
        HostAccess.ToHost(buffer.View.BaseView, stream, data, HostAccess.Whole(data, buffer.Length));

    /// <summary>Copies from the host to a buffer.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="buffer">The buffer.</param>
    /// <param name="stream">The stream of work.</param>
    /// <param name="data">Where from; as long as the buffer.</param>
    public static void CopyFromCPU<T>(this MemoryBuffer<ArrayView1D<T, Stride1D.Dense>> buffer, AcceleratorStream stream, T[] data)
        where T : unmanaged =>
        HostAccess.FromHost(buffer.View.BaseView, stream, data, HostAccess.Whole(data, buffer.Length));

    /// <summary>Copies a buffer to a new host array.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="buffer">The buffer.</param>
    /// <param name="stream">The stream of work.</param>
    /// <returns>The array.</returns>
    public static T[] GetAsArray1D<T>(this MemoryBuffer<ArrayView1D<T, Stride1D.Dense>> buffer, AcceleratorStream stream)
        where T : unmanaged =>
        HostAccess.ToArray(buffer.View.BaseView, stream);

    /// <summary>Fills a view with zeros.</summary>
    /// <typeparam name="TView">The view type.</typeparam>
    /// <param name="view">The view.</param>
    /// <param name="stream">The stream of work.</param>
    public static void MemSetToZero<TView>(this TView view, AcceleratorStream stream)
        where TView : IContiguousArrayView =>
        HostAccess.Set(view.AsRawArrayView(), stream, 0);

    /// <summary>Fills the bytes of a view.</summary>
    /// <typeparam name="TView">The view type.</typeparam>
    /// <param name="view">The view.</param>
    /// <param name="stream">The stream of work.</param>
    /// <param name="value">The byte.</param>
    public static void MemSet<TView>(this TView view, AcceleratorStream stream, byte value)
        where TView : IContiguousArrayView =>
        HostAccess.Set(view.AsRawArrayView(), stream, value);

    /// <summary>Copies a view to another one on the device.</summary>
    /// <typeparam name="TView">The view type.</typeparam>
    /// <param name="source">The view.</param>
    /// <param name="stream">The stream of work.</param>
    /// <param name="target">Where to; at most as long.</param>
    public static void CopyTo<TView>(this TView source, AcceleratorStream stream, in TView target)
        where TView : IContiguousArrayView =>
        HostAccess.Copy(source.AsRawArrayView(), stream, target.AsRawArrayView());

    /// <summary>Copies to a view from another one on the device.</summary>
    /// <typeparam name="TView">The view type.</typeparam>
    /// <param name="target">The view.</param>
    /// <param name="stream">The stream of work.</param>
    /// <param name="source">Where from; at most as long.</param>
    public static void CopyFrom<TView>(this TView target, AcceleratorStream stream, in TView source)
        where TView : IContiguousArrayView =>
        HostAccess.CopyBack(target.AsRawArrayView(), stream, source.AsRawArrayView());

    /// <summary>Copies the beginning of a view to the host.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <typeparam name="TView">The view type.</typeparam>
    /// <param name="source">The view.</param>
    /// <param name="stream">The stream of work.</param>
    /// <param name="span">Where to; as many elements are copied.</param>
    public static void CopyToCPU<T, TView>(this TView source, AcceleratorStream stream, in Span<T> span)
        where TView : IContiguousArrayView<T>
        where T : unmanaged =>
        HostAccess.ToHost(source.AsRawArrayView().Cast<T>(), stream, span, span.Length);

    /// <summary>Copies from the host to the beginning of a view.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <typeparam name="TView">The view type.</typeparam>
    /// <param name="target">The view.</param>
    /// <param name="stream">The stream of work.</param>
    /// <param name="span">Where from; all elements are copied.</param>
    public static void CopyFromCPU<T, TView>(this TView target, AcceleratorStream stream, in ReadOnlySpan<T> span)
        where TView : IContiguousArrayView<T>
        where T : unmanaged =>
        HostAccess.FromHost(target.AsRawArrayView().Cast<T>(), stream, span, span.Length);

    /// <summary>Copies the beginning of a view to the host.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <typeparam name="TView">The view type.</typeparam>
    /// <param name="source">The view.</param>
    /// <param name="stream">The stream of work.</param>
    /// <param name="cpuData">Where to.</param>
    /// <param name="length">The number of elements.</param>
    public static void CopyToCPU<T, TView>(this TView source, AcceleratorStream stream, ref T cpuData, long length)
        where TView : IContiguousArrayView<T>
        where T : unmanaged =>
        HostAccess.ToHost(source.AsRawArrayView().Cast<T>(), stream, MemoryMarshal.CreateSpan(ref cpuData, checked((int)length)), length);

    /// <summary>Copies from the host to the beginning of a view.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <typeparam name="TView">The view type.</typeparam>
    /// <param name="target">The view.</param>
    /// <param name="stream">The stream of work.</param>
    /// <param name="cpuData">Where from.</param>
    /// <param name="length">The number of elements.</param>
    public static void CopyFromCPU<T, TView>(this TView target, AcceleratorStream stream, ref T cpuData, long length)
        where TView : IContiguousArrayView<T>
        where T : unmanaged =>
        HostAccess.FromHost(target.AsRawArrayView().Cast<T>(), stream, MemoryMarshal.CreateReadOnlySpan(ref cpuData, checked((int)length)), length);

    /// <summary>Allocates an array with the contents of a host array.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="accelerator">Where.</param>
    /// <param name="stream">The stream of work.</param>
    /// <param name="data">The contents.</param>
    /// <param name="name">Filled in by the compiler: what reports call the array.</param>
    /// <returns>The buffer; the caller disposes it.</returns>
    public static MemoryBuffer1D<T, Stride1D.Dense> Allocate1D<T>(this Accelerator accelerator, AcceleratorStream stream, T[] data, [CallerArgumentExpression(nameof(data))] string name = "")
        where T : unmanaged =>
        HostAccess.Allocate(accelerator, stream, data, name);
}
