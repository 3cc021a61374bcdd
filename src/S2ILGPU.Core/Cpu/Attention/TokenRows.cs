using S2ILGPU.Cpu.InnerLoops;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cpu.Attention;

/// <summary>
/// The rows of D elements of one head of one sequence (queries, keys, values), by position; evenly spaced in a tensor
/// or in the pages of a cache. The only place that knows how they are stored: kernels read them in place or from the
/// float32 copy that <see cref="Rows{T}"/> makes.
/// </summary>
internal readonly unsafe ref struct TokenRows
{
    private readonly byte* _start;
    private readonly nint _pageStrideBytes;
    private readonly int _blockTokens;
    private readonly ReadOnlySpan<int> _pages;

    /// <summary>Rows in a tensor.</summary>
    /// <param name="start">Address of the row of position 0.</param>
    /// <param name="tensor">The tensor, for its strides and its element type.</param>
    /// <param name="headDim">D.</param>
    public TokenRows(byte* start, HeadTensor tensor, int headDim)
    {
        _start = start;
        (Stride, ElementType, HeadDim) = (tensor.TokenStride, tensor.ElementType, headDim);
        StrideBytes = Stride * ElementType.SizeBytes();
        ReadsWellInPlace = ReadsWell(tensor, headDim);
    }

    /// <summary>Rows in the pages of a cache: block b is at page <c>pages[b]</c>.</summary>
    public TokenRows(HeadTensor tensor, int headDim, int blockTokens, ReadOnlySpan<int> pages)
        : this((byte*)tensor.Start, tensor, headDim)
    {
        _pageStrideBytes = tensor.BatchStride * ElementType.SizeBytes();
        _blockTokens = blockTokens;
        _pages = pages;
    }

    /// <summary>Element type.</summary>
    public ElementType ElementType { get; }

    /// <summary>Elements from one row to the next within a block.</summary>
    public nint Stride { get; }

    /// <summary>Bytes from one row to the next within a block.</summary>
    public nint StrideBytes { get; }

    /// <summary>D, elements of a row.</summary>
    public int HeadDim { get; }

    /// <summary>Address of position 0 of the same rows packed as tiles of A, see <see cref="PackedHeads"/>; 0 where
    /// they are not.</summary>
    public nint Packed { get; init; }

    /// <summary>Floats from one packed tile to the next.</summary>
    public nint PackedStride { get; init; }

    /// <summary>Whether rows are float32, and a block of them stays in the first-level cache where it lies.</summary>
    public bool ReadsWellInPlace { get; }

    /// <summary>Whether rows of a tensor read well where they lie.</summary>
    public static bool ReadsWell(HeadTensor tensor, int headDim) =>
        tensor.ElementType == ElementType.Float32 && KeepsCacheSets(tensor.TokenStride, headDim);

    /// <summary>The row of a position.</summary>
    public byte* At(int position)
    {
        if (_pages.IsEmpty)
            return _start + position * StrideBytes;
        int block = position / _blockTokens, page = block < _pages.Length ? _pages[block] : -1;
        if (page < 0)
            throw new ArgumentException($"key block {block} is kept by the layout but has no page");
        return _start + page * _pageStrideBytes + position % _blockTokens * StrideBytes;
    }

    /// <summary>Whether the block of a position has a page; true in a tensor.</summary>
    public bool Has(int position) =>
        _pages.IsEmpty || position / _blockTokens < _pages.Length && _pages[position / _blockTokens] >= 0;

    /// <summary>Position behind the rows that lie evenly with that of a position.</summary>
    public int EndOfRun(int position) => _pages.IsEmpty ? int.MaxValue : (position / _blockTokens + 1) * _blockTokens;

    /// <summary>Some rows of one block, where they are stored.</summary>
    public StoredRows Stored(int first, int count) => new((nint)At(first), StrideBytes, count);

    /// <summary>Whether rows are integers, each with a scale.</summary>
    public bool HasScales => ElementType == ElementType.Int8;

    /// <summary>The scales of the rows from a position on, as far as its block goes.</summary>
    public float* Scales(int position)
    {
        int row = position % _blockTokens;
        return Int8Pages.Scales(At(position) - row * StrideBytes, _blockTokens, HeadDim) + row;
    }

    /// <summary>The row of a position as floats: in place, or widened to scratch.</summary>
    public float* Floats(int position, float* scratch)
    {
        if (ElementType == ElementType.Float32)
            return (float*)At(position);
        Copy<SimdScalar>(position, 1, scratch, HeadDim);
        return scratch;
    }

    /// <summary>The rows of a group of tokens one after the other: in place where they lie so, otherwise copied to
    /// scratch.</summary>
    /// <param name="group">The tokens.</param>
    /// <param name="paddedDim">Floats that will be read of each row; those beyond D are 0.</param>
    /// <param name="scratch">Room for <paramref name="paddedDim"/> floats per token of a group.</param>
    /// <param name="stride">Floats from one row to the next.</param>
    /// <param name="isReadOnce">Copy in any case, because nothing else has the rows in the cache: a copy streams, while
    /// kernels read several rows at a time.</param>
    public float* Rows<T>(TokenGroup group, int paddedDim, float* scratch, out nint stride, bool isReadOnce = false)
        where T : unmanaged, ISimd<T>
    {
        byte* first = At(group.First[0]);
        stride = Stride;
        if (ReadsWellInPlace && !isReadOnce && paddedDim == HeadDim && IsOneRun(group, first))
            return (float*)first;
        stride = paddedDim;
        float* destination = scratch;
        for (int piece = 0; piece < group.Pieces; destination += group.Count[piece] * stride, piece++)
            Copy<T>(group.First[piece], group.Count[piece], destination, paddedDim);
        return scratch;
    }

    /// <summary>Copies neighbouring rows of one block as floats, <paramref name="paddedDim"/> apart and filled up with
    /// zeros.</summary>
    public void Copy<T>(int first, int count, float* destination, int paddedDim)
        where T : unmanaged, ISimd<T>
    {
        var rows = Stored(first, count);
        if (ElementType == ElementType.Float32)
            BlockMoves<T>.Copy((float*)rows.Start, Stride, count, HeadDim, destination, paddedDim, paddedDim);
        else if (ElementType == ElementType.BFloat16)
            BlockMoves<T>.Widen<BFloat16Element>(rows, HeadDim, destination, paddedDim);
        else if (HasScales)
            Dequantize<T>(rows, Scales(first), destination, paddedDim);
        else
            BlockMoves<T>.Widen<Float16Element>(rows, HeadDim, destination, paddedDim);
    }

    /// <summary>The tiles of A of a group of tokens, whose steps are tokens: those packed for all, where the group is
    /// one run of them, otherwise packed to scratch.</summary>
    /// <param name="group">The tokens.</param>
    /// <param name="scratch">Room for <see cref="PackedFloats{T}"/>.</param>
    /// <param name="stride">Floats from one tile to the next.</param>
    public float* Tiles<T>(TokenGroup group, float* scratch, out nint stride)
        where T : unmanaged, ISimd<T>
    {
        int height = RegisterKernels<T>.Height;
        stride = PackedStride;
        if (Packed != 0 && group.IsOneRun)
            return (float*)Packed + (nint)group.First[0] * height;
        stride = GroupTileStride<T>();
        for (int piece = 0, token = 0; piece < group.Pieces; token += group.Count[piece++])
            Pack<T>(group.First[piece], group.Count[piece], scratch + token * height, stride);
        return scratch;
    }

    /// <summary>Floats that the packed rows of a group need.</summary>
    public static int PackedFloats<T>(int headDim)
        where T : unmanaged, ISimd<T> =>
        (headDim + RegisterKernels<T>.Height - 1) / RegisterKernels<T>.Height * GroupTileStride<T>();

    /// <summary>Packs neighbouring rows of one block as tiles of A.</summary>
    public void Pack<T>(int first, int count, float* tiles, nint tileStride)
        where T : unmanaged, ISimd<T>
    {
        const int RowsAtOnce = 8;
        bool isFloat = ElementType == ElementType.Float32;
        float* widened = stackalloc float[isFloat ? 0 : RowsAtOnce * HeadDim];
        int step = isFloat ? count : RowsAtOnce;
        for (int row = 0; row < count; row += step, tiles += step * RegisterKernels<T>.Height)
        {
            int now = Math.Min(step, count - row);
            if (!isFloat)
                Copy<T>(first + row, now, widened, HeadDim);
            var source = isFloat ? new PanelSource((nint)At(first), Stride, LanesAdjacent: true)
                : new PanelSource((nint)widened, HeadDim, LanesAdjacent: true);
            source.Pack<T>(new Stretch(0, HeadDim), new Stretch(0, now), tiles, RegisterKernels<T>.Height, tileStride);
        }
    }

    /// <summary>Asks for neighbouring rows of a tensor, and for their packed tiles, before they are read: from a cache
    /// that cores share into the core's own.</summary>
    public void Prefetch<T>(int first, int count)
        where T : unmanaged, ISimd<T>
    {
        byte* row = At(first);
        for (int i = 0; i < count; i++, row += StrideBytes)
            CacheLines.Prefetch(row, HeadDim * ElementType.SizeBytes(), level: 2);
        if (Packed == 0)
            return;
        int height = RegisterKernels<T>.Height;
        float* tile = (float*)Packed + (nint)first * height;
        for (int d = 0; d < HeadDim; d += height, tile += PackedStride)
            CacheLines.Prefetch((byte*)tile, count * height * sizeof(float), level: 2);
    }

    private void Dequantize<T>(in StoredRows rows, float* scales, float* destination, int paddedDim)
        where T : unmanaged, ISimd<T>
    {
        BlockMoves<T>.Widen<Int8Element>(rows, HeadDim, destination, paddedDim);
        for (int row = 0; row < rows.Count; row++, destination += paddedDim)
            BlockMoves<T>.Scale(destination, 0, 1, HeadDim, destination, 0, scales[row]);
    }

    // A cache line more, so that tiles do not fight for the same places in the caches.
    private static int GroupTileStride<T>() where T : unmanaged, ISimd<T> =>
        TokenGroup.MaxTokens * RegisterKernels<T>.Height + CacheLines.Bytes / sizeof(float);

    private bool IsOneRun(TokenGroup group, byte* first)
    {
        for (int piece = 1, tokens = group.Count[0]; piece < group.Pieces; tokens += group.Count[piece], piece++)
            if (At(group.First[piece]) != first + tokens * StrideBytes)
                return false;
        return true;
    }

    // Rows whose distance is a multiple of a large power of two fall into few sets of the cache and throw each other
    // out.
    internal static bool KeepsCacheSets(nint stride, int headDim)
    {
        const int FloatsPerLine = 16, Sets = 64;
        if (stride % FloatsPerLine != 0)
            return true;
        nint lines = stride / FloatsPerLine, aligned = Math.Min(lines & -lines, Sets);
        return aligned <= Math.Max(1, headDim / FloatsPerLine);
    }
}
