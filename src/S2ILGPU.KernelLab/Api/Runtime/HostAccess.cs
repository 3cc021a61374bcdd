using S2ILGPU.KernelLab;

namespace ILGPU.Runtime;

/// <summary>The host's reads and writes of device memory.</summary>
internal static unsafe class HostAccess
{
    internal static void Set(ArrayView<byte> view, AcceleratorStream? stream, byte value)
    {
        Check(view.Memory, stream);
        view.AsSpan().Fill(value);
        Mark(view);
    }

    /// <summary>As ILGPU, copies as many bytes as the target has; unlike ILGPU, the source must have as many.</summary>
    internal static void Copy(ArrayView<byte> source, AcceleratorStream? stream, ArrayView<byte> target) => Move(source.SubView(0L, Fit(target.Length, source.Length)), stream, target);

    /// <summary>As ILGPU, copies as many bytes as the source has.</summary>
    internal static void CopyBack(ArrayView<byte> target, AcceleratorStream? stream, ArrayView<byte> source) => Move(source, stream, target.SubView(0L, Fit(source.Length, target.Length)));

    internal static void ToHost<T>(ArrayView<T> view, AcceleratorStream? stream, Span<T> data, long length)
        where T : unmanaged
    {
        Check(view.Memory, stream);
        Fit(length, Math.Min(view.Length, data.Length));
        view.SubView(0L, length).AsSpan().CopyTo(data);
    }

    internal static void FromHost<T>(ArrayView<T> view, AcceleratorStream? stream, ReadOnlySpan<T> data, long length)
        where T : unmanaged
    {
        Check(view.Memory, stream);
        Fit(length, Math.Min(view.Length, data.Length));
        var part = view.SubView(0L, length);
        data[..(int)length].CopyTo(part.AsSpan());
        Mark(part);
    }

    internal static T[] ToArray<T>(ArrayView<T> view, AcceleratorStream? stream)
        where T : unmanaged
    {
        Check(view.Memory, stream);
        return view.AsSpan().ToArray();
    }

    internal static MemoryBuffer1D<T, Stride1D.Dense> Allocate<T>(Accelerator accelerator, AcceleratorStream? stream, T[] data, string name)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(accelerator);
        ArgumentNullException.ThrowIfNull(data);
        ObjectDisposedException.ThrowIf(accelerator.IsDisposed, accelerator);
        var buffer = new MemoryBuffer1D<T, Stride1D.Dense>(accelerator, data.Length, $"{typeof(T).Name}[{data.Length}] {name}");
        FromHost(buffer.View.BaseView, stream, data, data.Length);
        return buffer;
    }

    /// <summary>ILGPU copies as many elements as the array has and wants it to be as long as the view.</summary>
    internal static long Whole<T>(T[] data, long length)
    {
        ArgumentNullException.ThrowIfNull(data);
        return data.Length == length ? length : throw new ArgumentOutOfRangeException(nameof(data), $"an array of {data.Length} elements for a view of {length}");
    }

    private static void Move(ArrayView<byte> source, AcceleratorStream? stream, ArrayView<byte> target)
    {
        Check(source.Memory, stream);
        Check(target.Memory, stream);
        source.AsSpan().CopyTo(target.AsSpan());
        if (source.Length > 0)
            target.Memory!.MarkCopied(target.Address - target.Memory.Base, source.Memory!, source.Address - source.Memory!.Base, source.Length);
    }

    private static void Mark<T>(ArrayView<T> view)
        where T : unmanaged
    {
        if (view.Length > 0)
            view.Memory!.MarkInitialised(view.Address - view.Memory.Base, view.LengthInBytes);
    }

    private static void Check(Allocation? memory, AcceleratorStream? stream)
    {
        if (memory is null)
            return;
        ObjectDisposedException.ThrowIf(memory.IsFreed, typeof(MemoryBuffer));
        if (stream is not null && memory.Owner is { } owner)
            stream.Check(owner);
    }

    private static long Fit(long wanted, long available) =>
        wanted >= 0 && wanted <= available ? wanted : throw new ArgumentOutOfRangeException(nameof(wanted), $"{wanted} elements to copy, {available} are there");
}
