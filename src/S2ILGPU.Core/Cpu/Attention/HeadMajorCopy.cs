using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Cpu.Threads;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cpu.Attention;

/// <summary>
/// Float32 copies [B, heads, N, D] of keys and values whose rows are far apart or of 16 bits: made once per call and in
/// parallel, where each row would otherwise be copied by every tile of queries that reads it. Items are (head, batch,
/// tensor, range of tokens): in the order in which the tiles come, so that a worker mostly copies what it will read.
/// </summary>
/// <remarks>
/// Measured at 4k on [B, N, H, D] tensors against copying per tile, D64 / D128: dense 1.06x / 1.06x, L16 s8 1.02x /
/// 1.06x; with 4 query heads per KV head 1.07-1.09x. A few heads at a time against all at once, with 8 heads on 2
/// threads: dense 1.03x / 1.06x, L8 s16 1.06x / 1.09x, 1.05x at 16k.
/// </remarks>
internal sealed unsafe class HeadMajorCopy<T> : IParallelWork, IDisposable
    where T : unmanaged, ISimd<T>
{
    private const int TokensPerItem = 256;

    // Of the copies at a time: what stays in a last-level cache beside what it was made from, and the bound of all.
    private const long BytesPerWorker = 2 << 20, MaxBytes = 1L << 29;

    private readonly ScratchMemory _scratch = new();
    private HeadTensor _key, _value, _keyCopy, _valueCopy;
    private HeadRange _heads;
    private int _batch, _tokens, _headDim;

    private int Ranges => (_tokens + TokensPerItem - 1) / TokensPerItem;

    /// <summary>How many heads to copy at a time: what the caches hold, but a unit of (batch, head) for every worker. 0
    /// when a head is too large.</summary>
    /// <param name="shape">Shape of keys and values, [B, N, Hkv, D].</param>
    /// <param name="workers">Number of workers.</param>
    public static int HeadsAtATime(in Shape shape, int workers)
    {
        long headBytes = Math.Max(1, 2L * shape[0] * shape[1] * shape[3] * sizeof(float)),
            forEach = (workers - 1) / Math.Max(1, shape[0]) + 1;
        return (int)Math.Min(Math.Max(BytesPerWorker * workers / headBytes, forEach),
            Math.Min(MaxBytes / headBytes, shape[2]));
    }

    /// <summary>Copies some heads of both tensors; valid until the next call.</summary>
    /// <param name="key">Keys.</param>
    /// <param name="value">Values.</param>
    /// <param name="shape">Shape of both, [B, N, Hkv, D].</param>
    /// <param name="heads">The heads.</param>
    /// <param name="pool">The workers.</param>
    /// <returns>What stands in for keys and values; only those heads exist.</returns>
    public (HeadTensor Key, HeadTensor Value) Run(HeadTensor key, HeadTensor value, in Shape shape, HeadRange heads,
        WorkerPool pool)
    {
        (_key, _value, _heads, _batch, _tokens, _headDim) = (key, value, heads, shape[0], shape[1], shape[3]);
        nint head = (nint)_tokens * _headDim;
        long floats = ScratchMemory.Aligned(shape[0] * heads.Count * head);
        float* memory = _scratch.Take(2 * floats) - heads.First * head;
        _keyCopy = new HeadTensor((nint)memory, heads.Count * head, _headDim, head, ElementType.Float32);
        _valueCopy = _keyCopy with { Start = (nint)(memory + floats) };
        pool.Run(checked(2 * shape[0] * heads.Count * Ranges), this);
        return (_keyCopy, _valueCopy);
    }

    public void Execute(int item, int worker)
    {
        int range = item % Ranges, unit = item / Ranges / 2, head = _heads.First + unit / _batch, batch = unit % _batch;
        bool isKey = item / Ranges % 2 == 0;
        HeadTensor from = isKey ? _key : _value, to = isKey ? _keyCopy : _valueCopy;
        int start = range * TokensPerItem, count = Math.Min(_tokens - start, TokensPerItem);
        new TokenRows(from.Address(batch, 0, head), from, _headDim)
            .Copy<T>(start, count, to.Row(batch, start, head), _headDim);
    }

    public void Dispose() => _scratch.Dispose();
}

/// <summary>Some neighbouring key/value heads.</summary>
/// <param name="First">The first one.</param>
/// <param name="End">Exclusive end.</param>
internal readonly record struct HeadRange(int First, int End)
{
    public int Count => End - First;
}
