using System.Runtime.CompilerServices;
using ILGPU.Runtime;
using S2ILGPU.KernelLab;

namespace ILGPU;

/// <summary>
/// A bounds-checked window on global, shared or local memory. The indexer learns its own source line from the compiler, so that every report names the line that made the access.
/// </summary>
/// <typeparam name="T">The element type.</typeparam>
public readonly unsafe struct ArrayView<T> : IContiguousArrayView<T>
    where T : unmanaged
{
    /// <summary>The bytes of an element.</summary>
    public static readonly int ElementSize = sizeof(T);

    /// <summary>A view of nothing.</summary>
    public static readonly ArrayView<T> Empty;

    /// <summary>A window on a buffer.</summary>
    /// <param name="source">The buffer.</param>
    /// <param name="index">Where it begins, in elements of this type.</param>
    /// <param name="length">Its elements.</param>
    public ArrayView(MemoryBuffer source, long index, long length)
    {
        ArgumentNullException.ThrowIfNull(source);
        if (index < 0 || length < 0 || (index + length) * sizeof(T) > source.LengthInBytes)
            throw new ArgumentOutOfRangeException(nameof(index), $"elements {index} to {index + length} of {source.LengthInBytes / sizeof(T)}");
        Memory = source.Memory;
        Address = source.Memory.Base + index * sizeof(T);
        Length = length;
    }

    internal ArrayView(Allocation? memory, byte* address, long length)
    {
        Memory = memory;
        Address = address;
        Length = length;
    }

    /// <summary>Whether there is memory behind it.</summary>
    public bool IsValid => Memory is not null;

    /// <summary>The number of elements.</summary>
    public long Length { get; }

    /// <summary>The number of elements; throws if it does not fit.</summary>
    public int IntLength => checked((int)Length);

    /// <summary>The number of elements.</summary>
    public LongIndex1D Extent => Length;

    /// <summary>The number of elements; throws if it does not fit.</summary>
    public Index1D IntExtent => IntLength;

    /// <summary>The bytes of all elements.</summary>
    public long LengthInBytes => Length * sizeof(T);

    MemoryBuffer IArrayView.Buffer => Memory?.Buffer ?? throw new InvalidOperationException("the view has no buffer");

    int IArrayView.ElementSize => sizeof(T);

    long IContiguousArrayView.Index => ((IContiguousArrayView)this).IndexInBytes / sizeof(T);

    long IContiguousArrayView.IndexInBytes => Memory is null ? 0 : Address - Memory.Base;

    internal Allocation? Memory { get; }

    internal byte* Address { get; }

    /// <summary>An element.</summary>
    /// <param name="index">Its index.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <returns>A reference to it.</returns>
    public ref T this[Index1D index, [CallerLineNumber] int line = 0, [CallerFilePath] string file = ""] => ref this[(long)index.X, line, file];

    /// <summary>An element.</summary>
    /// <param name="index">Its index.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <returns>A reference to it.</returns>
    public ref T this[LongIndex1D index, [CallerLineNumber] int line = 0, [CallerFilePath] string file = ""] => ref this[index.X, line, file];

    /// <summary>An element.</summary>
    /// <param name="index">Its index.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <returns>A reference to it.</returns>
    public ref T this[int index, [CallerLineNumber] int line = 0, [CallerFilePath] string file = ""] => ref this[(long)index, line, file];

    /// <summary>An element.</summary>
    /// <param name="index">Its index.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <returns>A reference to it.</returns>
    public ref T this[long index, [CallerLineNumber] int line = 0, [CallerFilePath] string file = ""]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            if ((ulong)index >= (ulong)Length)
                Fault.OutOfBounds(Memory, index, Length, typeof(T), line, file);
            byte* at = Address + index * sizeof(T);
            if (Memory!.IsTracked)
                AccessLog.Touch(Memory, at, sizeof(T), line, file);
            return ref *(T*)at;
        }
    }

    /// <summary>A view of bytes as one-dimensional view.</summary>
    /// <param name="view">The view.</param>
    public static implicit operator ArrayView1D<T, Stride1D.Dense>(ArrayView<T> view) => new(view, view.Extent, default);

    /// <summary>What a one-dimensional view shows.</summary>
    /// <param name="view">The view.</param>
    public static implicit operator ArrayView<T>(ArrayView1D<T, Stride1D.Dense> view) => view.BaseView;

    /// <summary>The rest of the view.</summary>
    /// <param name="index">Where it begins.</param>
    /// <returns>The part.</returns>
    public ArrayView<T> SubView(long index) => SubView(index, Length - index);

    /// <summary>A part of the view.</summary>
    /// <param name="index">Where it begins.</param>
    /// <param name="subViewLength">Its elements.</param>
    /// <returns>The part.</returns>
    public ArrayView<T> SubView(int index, int subViewLength) => SubView((long)index, subViewLength);

    /// <summary>A part of the view.</summary>
    /// <param name="index">Where it begins.</param>
    /// <param name="subViewLength">Its elements.</param>
    /// <returns>The part.</returns>
    public ArrayView<T> SubView(long index, long subViewLength)
    {
        if (index < 0 || subViewLength < 0 || index + subViewLength > Length)
            throw new KernelFaultException($"out of bounds: elements {index} to {index + subViewLength} of a view of {typeof(T).Name}[{Length}] in {Memory?.Name ?? "an empty view"}");
        return new ArrayView<T>(Memory, Address + index * sizeof(T), subViewLength);
    }

    /// <summary>The same bytes as other elements; a rest that is too short for one is left out.</summary>
    /// <typeparam name="TOther">The other element type.</typeparam>
    /// <returns>The view. Throws if the bytes do not lie where such elements may.</returns>
    public ArrayView<TOther> Cast<TOther>()
        where TOther : unmanaged
    {
        int alignment = sizeof(TOther) is 2 or 4 or 8 or 16 ? sizeof(TOther) : 1;
        if ((nint)Address % alignment != 0)
            Fault.Misaligned(Memory!, Address - Memory!.Base, alignment, Site.Unknown);
        return new ArrayView<TOther>(Memory, Address, LengthInBytes / sizeof(TOther));
    }

    ArrayView<byte> IContiguousArrayView.AsRawArrayView() => Cast<byte>();

    /// <inheritdoc/>
    public override string ToString() => $"{Memory?.Name ?? "empty"} [{Length}]";

    /// <summary>The elements, for the host.</summary>
    internal Span<T> AsSpan()
    {
        if (Length == 0)
            return default;
        ObjectDisposedException.ThrowIf(Memory!.IsFreed, typeof(MemoryBuffer));
        return new Span<T>(Address, IntLength);
    }
}
