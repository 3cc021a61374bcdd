using S2ILGPU.Cpu.InnerLoops;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Cpu.Threads;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cpu.Attention;

/// <summary>A tensor [B, N, H, D] as float32: where it lies, or for BFloat16 a dense copy, which is rounded back after
/// a kernel wrote to it. Items of its work are tokens.</summary>
/// <remarks>Costs one pass over the tensor, beside the many that attention makes over keys. Keeps its memory between
/// calls.</remarks>
internal sealed unsafe class WideHeads<T> : IParallelWork, IDisposable
    where T : unmanaged, ISimd<T>
{
    private const int TokensPerItem = 16;

    private readonly ScratchMemory _memory = new();
    private HeadTensor _stored, _wide;
    private int _tokens, _heads, _headDim, _rows;
    private bool _isRounding;

    /// <summary>The values of a tensor.</summary>
    public HeadTensor Read(Tensor tensor, WorkerPool pool)
    {
        Reserve(tensor);
        if (IsCopy)
            Convert(pool, isRounding: false);
        return _wide;
    }

    /// <summary>Memory for the values of a tensor, all of which <see cref="Round"/> writes to it.</summary>
    public HeadTensor Written(Tensor tensor)
    {
        Reserve(tensor);
        return _wide;
    }

    /// <summary>Rounds what was written to the tensor.</summary>
    public void Round(WorkerPool pool)
    {
        if (IsCopy)
            Convert(pool, isRounding: true);
    }

    public void Execute(int item, int worker)
    {
        int end = Math.Min(_rows, (item + 1) * TokensPerItem);
        for (int row = item * TokensPerItem; row < end; row++)
            for (int head = 0; head < _heads; head++)
            {
                var (batch, token) = Math.DivRem(row, _tokens);
                byte* stored = _stored.Address(batch, token, head);
                float* wide = _wide.Row(batch, token, head);
                if (_isRounding)
                    BlockMoves<T>.Round(wide, _headDim, (ushort*)stored);
                else
                    BlockMoves<T>.Widen<BFloat16Element>(new StoredRows((nint)stored, 0, 1), _headDim, wide, _headDim);
            }
    }

    public void Dispose() => _memory.Dispose();

    private bool IsCopy => _stored.ElementType != ElementType.Float32;

    private void Reserve(Tensor tensor)
    {
        _stored = HeadTensor.OfActivations(tensor);
        _wide = _stored;
        if (!IsCopy)
            return;
        (_tokens, _heads, _headDim) = (tensor.Shape[1], tensor.Shape[2], tensor.Shape[3]);
        _rows = checked(tensor.Shape[0] * _tokens);
        nint tokenStride = (nint)_heads * _headDim;
        _wide = new HeadTensor((nint)_memory.Take(tensor.Count), _tokens * tokenStride, tokenStride, _headDim,
            ElementType.Float32);
    }

    private void Convert(WorkerPool pool, bool isRounding)
    {
        _isRounding = isRounding;
        pool.Run((_rows + TokensPerItem - 1) / TokensPerItem, this);
    }
}
