using System.Runtime.CompilerServices;

namespace ILGPU.Runtime;

/// <summary>A view with one dimension.</summary>
/// <typeparam name="T">The element type.</typeparam>
/// <typeparam name="TStride">How elements lie in memory; only dense ones exist here.</typeparam>
public readonly struct ArrayView1D<T, TStride> : IContiguousArrayView<T>
    where T : unmanaged
    where TStride : struct, IStride1D
{
    /// <summary>Creates the view.</summary>
    /// <param name="baseView">The elements.</param>
    /// <param name="extent">How many.</param>
    /// <param name="stride">How they lie.</param>
    public ArrayView1D(ArrayView<T> baseView, LongIndex1D extent, TStride stride)
    {
        BaseView = baseView;
        Extent = extent;
        Stride = stride;
    }

    /// <summary>The elements.</summary>
    public ArrayView<T> BaseView { get; }

    /// <summary>The number of elements.</summary>
    public LongIndex1D Extent { get; }

    /// <summary>The number of elements; throws if it does not fit.</summary>
    public Index1D IntExtent => Extent.ToIntIndex();

    /// <summary>How elements lie in memory.</summary>
    public TStride Stride { get; }

    /// <summary>Whether there is memory behind it.</summary>
    public bool IsValid => BaseView.IsValid;

    /// <summary>The number of elements.</summary>
    public long Length => Extent;

    /// <summary>The number of elements; throws if it does not fit.</summary>
    public int IntLength => BaseView.IntLength;

    /// <summary>The bytes of all elements.</summary>
    public long LengthInBytes => BaseView.LengthInBytes;

    MemoryBuffer IArrayView.Buffer => ((IArrayView)BaseView).Buffer;

    int IArrayView.ElementSize => ArrayView<T>.ElementSize;

    long IContiguousArrayView.Index => ((IContiguousArrayView)BaseView).Index;

    long IContiguousArrayView.IndexInBytes => ((IContiguousArrayView)BaseView).IndexInBytes;

    /// <summary>An element.</summary>
    /// <param name="index">Its index.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <returns>A reference to it.</returns>
    public ref T this[Index1D index, [CallerLineNumber] int line = 0, [CallerFilePath] string file = ""] => ref BaseView[(long)index.X, line, file];

    /// <summary>An element.</summary>
    /// <param name="index">Its index.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <returns>A reference to it.</returns>
    public ref T this[LongIndex1D index, [CallerLineNumber] int line = 0, [CallerFilePath] string file = ""] => ref BaseView[index.X, line, file];

    /// <summary>A part of the view.</summary>
    /// <param name="index">Where it begins.</param>
    /// <param name="extent">Its elements.</param>
    /// <returns>The part.</returns>
    public ArrayView1D<T, TStride> SubView(Index1D index, Index1D extent) => SubView((LongIndex1D)index, extent);

    /// <summary>A part of the view.</summary>
    /// <param name="index">Where it begins.</param>
    /// <param name="extent">Its elements.</param>
    /// <returns>The part.</returns>
    public ArrayView1D<T, TStride> SubView(LongIndex1D index, LongIndex1D extent) => new(BaseView.SubView(index.X, extent.X), extent, Stride);

    /// <summary>The elements.</summary>
    /// <returns>The base view.</returns>
    public ArrayView<T> AsContiguous() => BaseView;

    ArrayView<byte> IContiguousArrayView.AsRawArrayView() => BaseView.Cast<byte>();

    /// <inheritdoc/>
    public override string ToString() => BaseView.ToString();
}
