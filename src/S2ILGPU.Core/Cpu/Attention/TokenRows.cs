using S2ILGPU.Cpu.Kernels;
using S2ILGPU.Cpu.Simd;

namespace S2ILGPU.Cpu.Attention;

/// <summary>
/// The rows of D floats of one head of one sequence (queries, keys, values), by position; evenly spaced in a tensor or in the pages of a cache.
/// The only place that knows how they are stored: kernels read them in place or from the copy that <see cref="Rows{T}"/> makes.
/// </summary>
internal readonly unsafe ref struct TokenRows
{
    private readonly float* _start;
    private readonly nint _pageStride;
    private readonly int _blockTokens;
    private readonly ReadOnlySpan<int> _pages;

    /// <summary>Rows in a tensor.</summary>
    public TokenRows(float* start, nint stride, int headDim)
    {
        _start = start;
        Stride = stride;
        HeadDim = headDim;
        ReadsWellInPlace = KeepsCacheSets(stride, headDim);
    }

    /// <summary>Rows in the pages of a cache: block b is at page <c>pages[b]</c>.</summary>
    public TokenRows(float* start, nint stride, int headDim, nint pageStride, int blockTokens, ReadOnlySpan<int> pages)
        : this(start, stride, headDim)
    {
        _pageStride = pageStride;
        _blockTokens = blockTokens;
        _pages = pages;
    }

    /// <summary>Floats from one row to the next within a block.</summary>
    public nint Stride { get; }

    /// <summary>D, floats of a row.</summary>
    public int HeadDim { get; }

    /// <summary>Whether a block of rows stays in the first-level cache where it lies.</summary>
    public bool ReadsWellInPlace { get; }

    /// <summary>The row of a position.</summary>
    public float* At(int position)
    {
        if (_pages.IsEmpty)
            return _start + position * Stride;
        int block = position / _blockTokens, page = block < _pages.Length ? _pages[block] : -1;
        if (page < 0)
            throw new ArgumentException($"key block {block} is kept by the layout but has no page");
        return _start + page * _pageStride + position % _blockTokens * Stride;
    }

    /// <summary>The rows of a group of tokens one after the other: in place where they lie so, otherwise copied to scratch.</summary>
    /// <param name="group">The tokens.</param>
    /// <param name="paddedDim">Floats that will be read of each row; those beyond D are 0.</param>
    /// <param name="scratch">Room for <paramref name="paddedDim"/> floats per token of a group.</param>
    /// <param name="stride">Floats from one row to the next.</param>
    /// <param name="isReadOnce">Copy in any case, because nothing else has the rows in the cache: a copy streams, while kernels read several rows at a
    /// time.</param>
    public float* Rows<T>(TokenGroup group, int paddedDim, float* scratch, out nint stride, bool isReadOnce = false)
        where T : unmanaged, ISimd<T>
    {
        float* first = At(group.First[0]);
        stride = Stride;
        if (ReadsWellInPlace && !isReadOnce && paddedDim == HeadDim && IsOneRun(group, first))
            return first;
        stride = paddedDim;
        float* destination = scratch;
        for (int piece = 0; piece < group.Pieces; destination += group.Count[piece] * stride, piece++)
            BlockMoves<T>.Copy(At(group.First[piece]), Stride, group.Count[piece], HeadDim, destination, stride, paddedDim);
        return scratch;
    }

    private bool IsOneRun(TokenGroup group, float* first)
    {
        for (int piece = 1, tokens = group.Count[0]; piece < group.Pieces; tokens += group.Count[piece], piece++)
            if (At(group.First[piece]) != first + tokens * Stride)
                return false;
        return true;
    }

    // Rows whose distance is a multiple of a large power of two fall into few sets of the cache and throw each other out.
    internal static bool KeepsCacheSets(nint stride, int headDim)
    {
        const int FloatsPerLine = 16, Sets = 64;
        if (stride % FloatsPerLine != 0)
            return true;
        nint lines = stride / FloatsPerLine, aligned = Math.Min(lines & -lines, Sets);
        return aligned <= Math.Max(1, headDim / FloatsPerLine);
    }
}
