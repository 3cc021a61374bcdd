using S2ILGPU.Cpu.Kernels;
using S2ILGPU.Cpu.Simd;

namespace S2ILGPU.Cpu.Attention;

/// <summary>
/// The keys (or values) of one KV head of one sequence: rows of D floats, evenly spaced in a tensor or in the pages of a cache. The only place that knows how they are stored:
/// kernels read them in place or from the copy that <see cref="Rows{T}"/> makes.
/// </summary>
internal readonly unsafe ref struct KeyRows
{
    private readonly float* _start;
    private readonly nint _pageStride;
    private readonly int _blockTokens;
    private readonly ReadOnlySpan<int> _pages;

    /// <summary>Rows in a tensor.</summary>
    public KeyRows(float* start, nint stride, int headDim)
    {
        _start = start;
        Stride = stride;
        HeadDim = headDim;
        ReadsWellInPlace = KeepsCacheSets(stride, headDim);
    }

    /// <summary>Rows in the pages of a cache: block b is at page <c>pages[b]</c>.</summary>
    public KeyRows(float* start, nint stride, int headDim, nint pageStride, int blockTokens, ReadOnlySpan<int> pages)
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

    /// <summary>The row of a key position.</summary>
    public float* At(int key)
    {
        if (_pages.IsEmpty)
            return _start + key * Stride;
        int block = key / _blockTokens, page = block < _pages.Length ? _pages[block] : -1;
        if (page < 0)
            throw new ArgumentException($"key block {block} is kept by the layout but has no page");
        return _start + page * _pageStride + key % _blockTokens * Stride;
    }

    /// <summary>The rows of a group of keys one after the other: in place where they lie so, otherwise copied to scratch.</summary>
    /// <param name="group">The keys.</param>
    /// <param name="scratch">Room for the rows of a group.</param>
    /// <param name="stride">Floats from one row to the next.</param>
    public float* Rows<T>(KeyGroup group, float* scratch, out nint stride)
        where T : unmanaged, ISimd<T>
    {
        float* first = At(group.FirstKey[0]);
        stride = Stride;
        if (ReadsWellInPlace && IsOneRun(group, first))
            return first;
        stride = HeadDim;
        float* destination = scratch;
        for (int piece = 0; piece < group.Pieces; destination += group.Count[piece] * stride, piece++)
            BlockMoves<T>.Copy(At(group.FirstKey[piece]), Stride, group.Count[piece], HeadDim, destination, stride, HeadDim);
        return scratch;
    }

    private bool IsOneRun(KeyGroup group, float* first)
    {
        for (int piece = 1, keys = group.Count[0]; piece < group.Pieces; keys += group.Count[piece], piece++)
            if (At(group.FirstKey[piece]) != first + keys * Stride)
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
