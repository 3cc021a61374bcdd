using S2ILGPU.Cpu.Simd;
using S2ILGPU.Cpu.Threads;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cpu.Attention;

/// <summary>The merge of whole partitions as parallel work: items are ranges of tokens.</summary>
internal sealed unsafe class PartitionMerge<T> : IParallelWork, IDisposable
    where T : unmanaged, ISimd<T>
{
    private const int TokensPerItem = 16;

    private readonly List<WideHeads<T>> _wideParts = [];
    private readonly WideHeads<T> _wideOutput = new();
    private HeadTensor[] _outputs = [];
    private RowStatistics[] _logSumExps = [];
    private HeadTensor _output;
    private RowStatistics _logSumExp;
    private int _parts, _tokens, _heads, _headDim;

    private int ItemsPerBatch => (_tokens + TokensPerItem - 1) / TokensPerItem;

    /// <summary>Merges outputs [B, N, H, D] and log-sum-exps [B, H, N].</summary>
    public void Run(IReadOnlyList<Tensor> outputs, IReadOnlyList<Tensor> logSumExps, Tensor output, Tensor logSumExp,
        WorkerPool pool)
    {
        _parts = outputs.Count;
        if (_outputs.Length < _parts)
            (_outputs, _logSumExps) = (new HeadTensor[_parts], new RowStatistics[_parts]);
        while (_wideParts.Count < _parts)
            _wideParts.Add(new WideHeads<T>());
        for (int p = 0; p < _parts; p++)
            (_outputs[p], _logSumExps[p]) = (_wideParts[p].Read(outputs[p], pool), RowStatistics.Of(logSumExps[p]));
        (_output, _logSumExp) = (_wideOutput.Written(output), RowStatistics.Of(logSumExp));
        (_tokens, _heads, _headDim) = (output.Shape[1], output.Shape[2], output.Shape[3]);
        pool.Run(output.Shape[0] * ItemsPerBatch, this);
        _wideOutput.Round(pool);
    }

    public void Dispose()
    {
        foreach (var part in _wideParts)
            part.Dispose();
        _wideOutput.Dispose();
    }

    public void Execute(int item, int worker)
    {
        int batch = item / ItemsPerBatch, start = item % ItemsPerBatch * TokensPerItem,
            end = Math.Min(_tokens, start + TokensPerItem);
        Span<nint> outputs = stackalloc nint[_parts], logSumExps = stackalloc nint[_parts];
        for (int token = start; token < end; token++)
            for (int head = 0; head < _heads; head++)
            {
                for (int p = 0; p < _parts; p++)
                    (outputs[p], logSumExps[p]) =
                        ((nint)_outputs[p].Row(batch, token, head), (nint)_logSumExps[p].At(batch, head, token));
                *_logSumExp.At(batch, head, token) =
                    PartialRows.Merge<T>(outputs, logSumExps, _headDim, _output.Row(batch, token, head));
            }
    }
}
