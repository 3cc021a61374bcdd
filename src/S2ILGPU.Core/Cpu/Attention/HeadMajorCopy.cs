using S2ILGPU.Cpu.Kernels;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cpu.Attention;

/// <summary>
/// Float32 copies [B, Hkv, N, D] of keys and values whose rows are far apart or of 16 bits: made once per call and in parallel, where each row would
/// otherwise be copied by every tile of queries that reads it. Items are (batch, head, tensor, range of tokens): in the order in which the tiles come, so that
/// a worker mostly copies what it will read.
/// </summary>
/// <remarks>Measured at 4k on [B, N, H, D] tensors against copying per tile, D64 / D128: dense 1.06x / 1.06x, L16 s8 1.02x / 1.06x; with 4 query heads per
/// KV head 1.07-1.09x.</remarks>
internal sealed unsafe class HeadMajorCopy<T> : IParallelWork, IDisposable
    where T : unmanaged, ISimd<T>
{
    private const int TokensPerItem = 256;
    private const long MaxBytes = 1L << 29;

    private readonly ScratchMemory _scratch = new();
    private HeadTensor _key, _value, _keyCopy, _valueCopy;
    private int _heads, _tokens, _headDim;

    private int Ranges => (_tokens + TokensPerItem - 1) / TokensPerItem;

    /// <summary>Whether the copies may be made: they are bounded in size.</summary>
    public static bool Fits(Tensor key) => 2 * key.Count * sizeof(float) <= MaxBytes;

    /// <summary>Copies both tensors; valid until the next call.</summary>
    /// <param name="shape">Shape of both, [B, N, Hkv, D].</param>
    /// <param name="key">Keys; replaced by their copy.</param>
    /// <param name="value">Values; replaced by their copy.</param>
    /// <param name="pool">The workers.</param>
    public void Run(in Shape shape, ref HeadTensor key, ref HeadTensor value, WorkerPool pool)
    {
        (_tokens, _heads, _headDim) = (shape[1], shape[2], shape[3]);
        long floats = ScratchMemory.Aligned(shape.Count);
        float* memory = _scratch.Take(2 * floats);
        nint head = (nint)_tokens * _headDim;
        (_key, _value) = (key, value);
        _keyCopy = new HeadTensor((nint)memory, _heads * head, _headDim, head, ElementType.Float32);
        _valueCopy = _keyCopy with { Start = (nint)(memory + floats) };
        pool.Run(checked(2 * shape[0] * _heads * Ranges), this);
        (key, value) = (_keyCopy, _valueCopy);
    }

    public void Execute(int item, int worker)
    {
        int range = item % Ranges, head = item / Ranges / 2 % _heads, batch = item / Ranges / 2 / _heads;
        bool isKey = item / Ranges % 2 == 0;
        HeadTensor from = isKey ? _key : _value, to = isKey ? _keyCopy : _valueCopy;
        int start = range * TokensPerItem, count = Math.Min(_tokens - start, TokensPerItem);
        new TokenRows(from.Address(batch, 0, head), from, _headDim).Copy<T>(start, count, to.Row(batch, start, head), _headDim);
    }

    public void Dispose() => _scratch.Dispose();
}
