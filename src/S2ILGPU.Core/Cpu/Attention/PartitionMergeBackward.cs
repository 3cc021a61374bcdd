using S2ILGPU.Cpu.InnerLoops;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Cpu.Threads;
using S2ILGPU.Engines;

namespace S2ILGPU.Cpu.Attention;

/// <summary>The gradient of a merge for one part, as parallel work: items are ranges of tokens. <c>w = exp(LSE_i -
/// LSE), dO_i = w dO, dLSE_i = w (rowsum(dO (O_i - O)) + dLSE)</c>.</summary>
internal sealed unsafe class PartitionMergeBackward<T> : IParallelWork, IDisposable
    where T : unmanaged, ISimd<T>
{
    private const int TokensPerItem = 16;

    private readonly WideHeads<T> _widePart = new(), _wideOutput = new(), _wideGradient = new(),
        _widePartGradient = new();
    private HeadTensor _partOutput, _output, _outputGradient, _partOutputGradient;
    private RowStatistics _partLogSumExp, _logSumExp, _logSumExpGradient, _partLogSumExpGradient;
    private int _tokens, _heads, _headDim;

    private int ItemsPerBatch => (_tokens + TokensPerItem - 1) / TokensPerItem;

    /// <summary>Writes dO_i [B, N, H, D] and dLSE_i [B, H, N].</summary>
    public void Run(in MergeBackwardArguments a, WorkerPool pool)
    {
        (_partOutput, _output) = (_widePart.Read(a.PartOutput, pool), _wideOutput.Read(a.Output, pool));
        (_outputGradient, _partOutputGradient) =
            (_wideGradient.Read(a.OutputGradient, pool), _widePartGradient.Written(a.PartOutputGradient));
        (_partLogSumExp, _logSumExp) = (RowStatistics.Of(a.PartLogSumExp), RowStatistics.Of(a.LogSumExp));
        (_logSumExpGradient, _partLogSumExpGradient) =
            (RowStatistics.Of(a.LogSumExpGradient), RowStatistics.Of(a.PartLogSumExpGradient));
        (_tokens, _heads, _headDim) = (a.Output.Shape[1], a.Output.Shape[2], a.Output.Shape[3]);
        pool.Run(a.Output.Shape[0] * ItemsPerBatch, this);
        _widePartGradient.Round(pool);
    }

    public void Dispose()
    {
        _widePart.Dispose();
        _wideOutput.Dispose();
        _wideGradient.Dispose();
        _widePartGradient.Dispose();
    }

    public void Execute(int item, int worker)
    {
        int batch = item / ItemsPerBatch, start = item % ItemsPerBatch * TokensPerItem,
            end = Math.Min(_tokens, start + TokensPerItem);
        for (int token = start; token < end; token++)
            for (int head = 0; head < _heads; head++)
                Row(batch, token, head);
    }

    private void Row(int batch, int token, int head)
    {
        float* dO = _outputGradient.Row(batch, token, head), result = _partOutputGradient.Row(batch, token, head);
        float* dLse = _partLogSumExpGradient.At(batch, head, token);
        float partLse = *_partLogSumExp.At(batch, head, token);
        if (float.IsNegativeInfinity(partLse))
        {
            new Span<float>(result, _headDim).Clear();
            *dLse = 0;
            return;
        }
        float weight = (float)Math.Exp((double)partLse - *_logSumExp.At(batch, head, token)), given =
            _logSumExpGradient.Exists ? *_logSumExpGradient.At(batch, head, token) : 0;
        *dLse = weight * (given
            + DotDifference(dO, _partOutput.Row(batch, token, head), _output.Row(batch, token, head)));
        BlockMoves<T>.Scale(dO, 0, 1, _headDim, result, 0, weight);
    }

    // sum_d x_d (a_d - b_d)
    private float DotDifference(float* x, float* a, float* b)
    {
        T sum = T.Zero;
        int d = 0;
        for (; d + T.Count <= _headDim; d += T.Count)
            sum = T.FusedMultiplyAdd(T.Load(x + d), T.Load(a + d) - T.Load(b + d), sum);
        float result = T.Sum(sum);
        for (; d < _headDim; d++)
            result += x[d] * (a[d] - b[d]);
        return result;
    }
}
