using System.Runtime.InteropServices;
using S2ILGPU.KernelLab;

namespace ILGPU.Runtime;

/// <summary>What the host does with device memory. All of it is done when the call returns: a stream here is only an order, and this order is the program's.</summary>
public static partial class ArrayViewExtensions
{
    /// <summary>Fills a view with zeros.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="view">The view.</param>
    public static void MemSetToZero<T>(this ArrayView1D<T, Stride1D.Dense> view)
        where T : unmanaged =>
        HostAccess.Set(view.BaseView.Cast<byte>(), null, 0);

    /// <summary>Fills the bytes of a view.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="view">The view.</param>
    /// <param name="value">The byte.</param>
    public static void MemSet<T>(this ArrayView1D<T, Stride1D.Dense> view, byte value)
        where T : unmanaged =>
        HostAccess.Set(view.BaseView.Cast<byte>(), null, value);

    /// <summary>Copies a view to another one on the device.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="source">The view.</param>
    /// <param name="target">Where to; at most as long.</param>
    public static void CopyTo<T>(this ArrayView1D<T, Stride1D.Dense> source, ArrayView1D<T, Stride1D.Dense> target)
        where T : unmanaged =>
        HostAccess.Copy(source.BaseView.Cast<byte>(), null, target.BaseView.Cast<byte>());

    /// <summary>Copies to a view from another one on the device.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="target">The view.</param>
    /// <param name="source">Where from; at most as long.</param>
    public static void CopyFrom<T>(this ArrayView1D<T, Stride1D.Dense> target, in ArrayView1D<T, Stride1D.Dense> source)
        where T : unmanaged =>
        HostAccess.CopyBack(target.BaseView.Cast<byte>(), null, source.BaseView.Cast<byte>());

    /// <summary>Copies a view to the host.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="view">The view.</param>
    /// <param name="data">Where to; as long as the view.</param>
    public static void CopyToCPU<T>(this ArrayView1D<T, Stride1D.Dense> view, T[] data)
        where T : unmanaged =>
        HostAccess.ToHost(view.BaseView, null, data, HostAccess.Whole(data, view.Length));

    /// <summary>Copies from the host to a view.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="view">The view.</param>
    /// <param name="data">Where from; as long as the view.</param>
    public static void CopyFromCPU<T>(this ArrayView1D<T, Stride1D.Dense> view, T[] data)
        where T : unmanaged =>
        HostAccess.FromHost(view.BaseView, null, data, HostAccess.Whole(data, view.Length));

    /// <summary>Copies the beginning of a view to the host.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="source">The view.</param>
    /// <param name="cpuData">Where to.</param>
    /// <param name="length">The number of elements.</param>
    public static void CopyToCPU<T>(this ArrayView1D<T, Stride1D.Dense> source, ref T cpuData, long length)
        where T : unmanaged =>
        HostAccess.ToHost(source.BaseView, null, MemoryMarshal.CreateSpan(ref cpuData, checked((int)length)), length);

    /// <summary>Copies from the host to the beginning of a view.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="target">The view.</param>
    /// <param name="cpuData">Where from.</param>
    /// <param name="length">The number of elements.</param>
    public static void CopyFromCPU<T>(this ArrayView1D<T, Stride1D.Dense> target, ref T cpuData, long length)
        where T : unmanaged =>
        HostAccess.FromHost(target.BaseView, null, MemoryMarshal.CreateReadOnlySpan(ref cpuData, checked((int)length)), length);

    /// <summary>Copies a view to a new host array.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="view">The view.</param>
    /// <returns>The array.</returns>
    public static T[] GetAsArray1D<T>(this ArrayView1D<T, Stride1D.Dense> view)
        where T : unmanaged =>
        HostAccess.ToArray(view.BaseView, null);

    /// <summary>Fills a view with zeros.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="view">The view.</param>
    /// <param name="stream">The stream of work.</param>
    public static void MemSetToZero<T>(this ArrayView1D<T, Stride1D.Dense> view, AcceleratorStream stream)
        where T : unmanaged =>
        HostAccess.Set(view.BaseView.Cast<byte>(), stream, 0);

    /// <summary>Fills the bytes of a view.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="view">The view.</param>
    /// <param name="stream">The stream of work.</param>
    /// <param name="value">The byte.</param>
    public static void MemSet<T>(this ArrayView1D<T, Stride1D.Dense> view, AcceleratorStream stream, byte value)
        where T : unmanaged =>
        HostAccess.Set(view.BaseView.Cast<byte>(), stream, value);

    /// <summary>Copies a view to another one on the device.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="source">The view.</param>
    /// <param name="stream">The stream of work.</param>
    /// <param name="target">Where to; at most as long.</param>
    public static void CopyTo<T>(this ArrayView1D<T, Stride1D.Dense> source, AcceleratorStream stream, in ArrayView1D<T, Stride1D.Dense> target)
        where T : unmanaged =>
        HostAccess.Copy(source.BaseView.Cast<byte>(), stream, target.BaseView.Cast<byte>());

    /// <summary>Copies to a view from another one on the device.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="target">The view.</param>
    /// <param name="stream">The stream of work.</param>
    /// <param name="source">Where from; at most as long.</param>
    public static void CopyFrom<T>(this ArrayView1D<T, Stride1D.Dense> target, AcceleratorStream stream, in ArrayView1D<T, Stride1D.Dense> source)
        where T : unmanaged =>
        HostAccess.CopyBack(target.BaseView.Cast<byte>(), stream, source.BaseView.Cast<byte>());

    /// <summary>Copies a view to the host.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="view">The view.</param>
    /// <param name="stream">The stream of work.</param>
    /// <param name="data">Where to; as long as the view.</param>
    public static void CopyToCPU<T>(this ArrayView1D<T, Stride1D.Dense> view, AcceleratorStream stream, T[] data)
        where T : unmanaged =>
        HostAccess.ToHost(view.BaseView, stream, data, HostAccess.Whole(data, view.Length));

    /// <summary>Copies from the host to a view.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="view">The view.</param>
    /// <param name="stream">The stream of work.</param>
    /// <param name="data">Where from; as long as the view.</param>
    public static void CopyFromCPU<T>(this ArrayView1D<T, Stride1D.Dense> view, AcceleratorStream stream, T[] data)
        where T : unmanaged =>
        HostAccess.FromHost(view.BaseView, stream, data, HostAccess.Whole(data, view.Length));

    /// <summary>Copies the beginning of a view to the host.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="source">The view.</param>
    /// <param name="stream">The stream of work.</param>
    /// <param name="cpuData">Where to.</param>
    /// <param name="length">The number of elements.</param>
    public static void CopyToCPU<T>(this ArrayView1D<T, Stride1D.Dense> source, AcceleratorStream stream, ref T cpuData, long length)
        where T : unmanaged =>
        HostAccess.ToHost(source.BaseView, stream, MemoryMarshal.CreateSpan(ref cpuData, checked((int)length)), length);

    /// <summary>Copies from the host to the beginning of a view.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="target">The view.</param>
    /// <param name="stream">The stream of work.</param>
    /// <param name="cpuData">Where from.</param>
    /// <param name="length">The number of elements.</param>
    public static void CopyFromCPU<T>(this ArrayView1D<T, Stride1D.Dense> target, AcceleratorStream stream, ref T cpuData, long length)
        where T : unmanaged =>
        HostAccess.FromHost(target.BaseView, stream, MemoryMarshal.CreateReadOnlySpan(ref cpuData, checked((int)length)), length);

    /// <summary>Copies a view to a new host array.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="view">The view.</param>
    /// <param name="stream">The stream of work.</param>
    /// <returns>The array.</returns>
    public static T[] GetAsArray1D<T>(this ArrayView1D<T, Stride1D.Dense> view, AcceleratorStream stream)
        where T : unmanaged =>
        HostAccess.ToArray(view.BaseView, stream);

    /// <summary>Copies the beginning of a view to the host.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="source">The view.</param>
    /// <param name="stream">The stream of work.</param>
    /// <param name="span">Where to; as many elements are copied.</param>
    public static void CopyToCPU<T>(this ArrayView1D<T, Stride1D.Dense> source, AcceleratorStream stream, in Span<T> span)
        where T : unmanaged =>
        HostAccess.ToHost(source.BaseView, stream, span, span.Length);

    /// <summary>Copies from the host to the beginning of a view.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="target">The view.</param>
    /// <param name="stream">The stream of work.</param>
    /// <param name="span">Where from; all elements are copied.</param>
    public static void CopyFromCPU<T>(this ArrayView1D<T, Stride1D.Dense> target, AcceleratorStream stream, in ReadOnlySpan<T> span)
        where T : unmanaged =>
        HostAccess.FromHost(target.BaseView, stream, span, span.Length);

    /// <summary>The same bytes as other elements.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <typeparam name="TOther">The other element type.</typeparam>
    /// <param name="view">The view.</param>
    /// <returns>The view.</returns>
    public static ArrayView1D<TOther, Stride1D.Dense> Cast<T, TOther>(this ArrayView1D<T, Stride1D.Dense> view)
        where T : unmanaged
        where TOther : unmanaged =>
        view.BaseView.Cast<TOther>();
}
