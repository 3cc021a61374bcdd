using S2ILGPU.Cpu.InnerLoops;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Cpu.Threads;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cpu.Attention;

/// <summary>
/// Copies of some heads of two tensors [B, N, H, D], or of the pages of some sequences, in the forms in which products
/// read them best: made once per call and in parallel, where otherwise every tile that reads a row would gather it.
/// Items are (head, batch, tensor, range of tokens), in the order in which the tiles come, so that a worker mostly
/// copies what it will read.
/// </summary>
/// <remarks>
/// Measured at 4k on [B, N, H, D] tensors against copying per tile, D64 / D128: dense 1.06x / 1.06x, L16 s8 1.02x /
/// 1.06x; with 4 query heads per KV head 1.07-1.09x. A few heads at a time against all at once, with 8 heads on 2
/// threads: dense 1.03x / 1.06x, L8 s16 1.06x / 1.09x, 1.05x at 16k. Values of prompts in pages, packed once instead of
/// per tile, 4,096 tokens at a time, D64: dense 1.15x at 16k and 1.36x at 64k, prompts as a whole.
/// </remarks>
internal sealed unsafe class HeadCopies<T> : IParallelWork, IDisposable
    where T : unmanaged, ISimd<T>
{
    private const int TokensPerItem = 256, LineFloats = CacheLines.Bytes / sizeof(float);

    // Of the copies at a time: what stays in a last-level cache beside what it was made from, and the bound of all.
    private const long BytesPerWorker = 2 << 20, MaxBytes = 1L << 29;

    private readonly ScratchMemory _scratch = new();
    private HeadCopy _first, _second;
    private PagedSequences _paged;
    private HeadRange _heads;
    private int _batch, _tokens, _headDim;

    private static int Height => RegisterKernels<T>.Height;

    private int Ranges => (_tokens + TokensPerItem - 1) / TokensPerItem;

    private nint TileStride => (nint)_tokens * Height + LineFloats;

    private nint PackedHeadFloats => TileStride * ((_headDim + Height - 1) / Height);

    private nint RowHeadFloats => (nint)_tokens * _headDim;

    /// <summary>How many heads to copy at a time: what the caches hold, but a unit of (batch, head) for every worker. 0
    /// when a head is too large, or there is nothing to copy.</summary>
    /// <param name="shape">Shape of the tensors.</param>
    /// <param name="copies">Copies of a head: rows and packed ones of both tensors.</param>
    /// <param name="workers">Number of workers.</param>
    public static int HeadsAtATime(in Shape shape, int copies, int workers)
    {
        if (copies == 0)
            return 0;
        long headBytes = Math.Max(1, (long)copies * shape[0] * shape[1] * shape[3] * sizeof(float)),
            forEach = (workers - 1) / Math.Max(1, shape[0]) + 1;
        return (int)Math.Min(Math.Max(BytesPerWorker * workers / headBytes, forEach),
            Math.Min(MaxBytes / headBytes, shape[2]));
    }

    /// <summary>Copies some heads of both tensors; valid until the next call.</summary>
    /// <param name="first">The first tensor, and where its copies are.</param>
    /// <param name="second">The second tensor, and where its copies are.</param>
    /// <param name="shape">Shape of both, [B, N, H, D]; of pages, B is the number of sequences and N the length of the
    /// longest.</param>
    /// <param name="heads">The heads; in the copies only they exist.</param>
    /// <param name="pool">The workers.</param>
    /// <param name="paged">The sequences, where rows lie in pages. What has no page is not copied.</param>
    public void Run(ref HeadCopy first, ref HeadCopy second, in Shape shape, HeadRange heads, WorkerPool pool,
        PagedSequences paged = default)
    {
        (_heads, _batch, _tokens, _headDim, _paged) = (heads, shape[0], shape[1], shape[3], paged);
        float* memory = _scratch.Take(Floats(first) + Floats(second));
        Place(ref first, memory);
        Place(ref second, memory + Floats(first));
        (_first, _second) = (first, second);
        pool.Run(checked(2 * _batch * heads.Count * Ranges), this);
    }

    public void Execute(int item, int worker)
    {
        int range = item % Ranges, unit = item / Ranges / 2, head = _heads.First + unit / _batch, batch = unit % _batch;
        ref readonly var copy = ref item / Ranges % 2 == 0 ? ref _first : ref _second;
        var rows = _paged.Exist ? _paged.Rows(copy.Source, _headDim, batch, head)
            : new TokenRows(copy.Source.Address(batch, 0, head), copy.Source, _headDim);
        int end = Math.Min(_paged.Exist ? _paged.Keys(batch) : _tokens, (range + 1) * TokensPerItem);
        for (int start = range * TokensPerItem, count; start < end; start += count)
        {
            count = Math.Min(end, rows.EndOfRun(start)) - start;
            if (!rows.Has(start))
                continue;
            if (copy.CopiesRows)
                rows.Copy<T>(start, count, copy.Rows.Row(batch, start, head), _headDim);
            if (copy.Packs)
                rows.Pack<T>(start, count, copy.Packed.At(batch, head) + (nint)start * Height, copy.Packed.TileStride);
        }
    }

    public void Dispose() => _scratch.Dispose();

    private long RowFloats(in HeadCopy copy) =>
        copy.CopiesRows ? ScratchMemory.Aligned((long)_batch * _heads.Count * RowHeadFloats) : 0;

    private long Floats(in HeadCopy copy) =>
        RowFloats(copy) + (copy.Packs ? (long)_batch * _heads.Count * PackedHeadFloats : 0);

    private void Place(ref HeadCopy copy, float* memory)
    {
        int heads = _heads.Count;
        if (copy.CopiesRows)
            copy.Rows = new HeadTensor((nint)(memory - _heads.First * RowHeadFloats), heads * RowHeadFloats, _headDim,
                RowHeadFloats, ElementType.Float32);
        if (copy.Packs)
            copy.Packed = new PackedHeads(
                (nint)(memory + RowFloats(copy) - _heads.First * PackedHeadFloats), heads * PackedHeadFloats,
                PackedHeadFloats, TileStride);
    }
}

/// <summary>A tensor [B, N, H, D], and copies of some of its heads.</summary>
/// <param name="source">The tensor.</param>
internal struct HeadCopy(HeadTensor source)
{
    /// <summary>From how many tiles that read a row its copy for all of them pays.</summary>
    public const double ReadsWorthCopy = 4;

    /// <summary>The tensor.</summary>
    public readonly HeadTensor Source = source;

    /// <summary>The rows: those of the tensor, or their float32 copy [B, heads, N, D].</summary>
    public HeadTensor Rows = source;

    /// <summary>The rows packed as tiles of A; absent where they are not.</summary>
    public PackedHeads Packed;

    /// <summary>Whether rows are copied.</summary>
    public bool CopiesRows;

    /// <summary>Whether they are packed.</summary>
    public bool Packs;

    /// <summary>Copies of a row.</summary>
    public readonly int Copies => (CopiesRows ? 1 : 0) + (Packs ? 1 : 0);

    /// <summary>The rows of a head of a sequence.</summary>
    public readonly unsafe TokenRows Of<T>(int batch, int start, int head, int headDim)
        where T : unmanaged, ISimd<T> =>
        new(Rows.Address(batch, start, head), Rows, headDim)
        {
            Packed = Packed.Exist ? (nint)(Packed.At(batch, head) + (nint)start * RegisterKernels<T>.Height) : 0,
            PackedStride = Packed.TileStride,
        };
}

/// <summary>Rows packed as tiles of A for products whose sum goes over tokens: of each head one tile of some elements
/// of D after the other, in each token by token.</summary>
/// <param name="Start">Address of the first tile, 0 when there are none.</param>
/// <param name="BatchStride">Floats from one batch index to the next.</param>
/// <param name="HeadStride">Floats from one head to the next.</param>
/// <param name="TileStride">Floats from one tile to the next.</param>
internal readonly unsafe record struct PackedHeads(nint Start, nint BatchStride, nint HeadStride, nint TileStride)
{
    public bool Exist => Start != 0;

    /// <summary>The first tile of a head, at token 0.</summary>
    public float* At(nint batch, nint head) => (float*)Start + batch * BatchStride + head * HeadStride;
}

/// <summary>The sequences of a page table whose rows are copied.</summary>
/// <param name="Pages">The table; null when there are none.</param>
/// <param name="BlockTokens">Tokens of a page.</param>
/// <param name="Sequences">Of each copy, its sequence in the table and its keys.</param>
internal readonly record struct PagedSequences(PageTable? Pages, int BlockTokens,
    List<(int Sequence, int Keys)> Sequences)
{
    public bool Exist => Pages is not null;

    /// <summary>The keys of the longest one.</summary>
    public int MostKeys
    {
        get
        {
            int most = 0;
            foreach (var (_, keys) in Sequences)
                most = Math.Max(most, keys);
            return most;
        }
    }

    public int Keys(int copy) => Sequences[copy].Keys;

    /// <summary>The rows of a head of a sequence.</summary>
    public TokenRows Rows(HeadTensor pages, int headDim, int copy, int head) =>
        new(pages, headDim, BlockTokens, Pages!.Row(Sequences[copy].Sequence, head));
}

/// <summary>Some neighbouring heads.</summary>
/// <param name="First">The first one.</param>
/// <param name="End">Exclusive end.</param>
internal readonly record struct HeadRange(int First, int End)
{
    public int Count => End - First;
}
