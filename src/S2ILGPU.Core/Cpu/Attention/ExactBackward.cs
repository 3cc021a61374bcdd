using S2ILGPU.Engines;

namespace S2ILGPU.Cpu.Attention;

/// <summary>
/// Gradients of the heads that share a KV head in double precision, for the rare case that scores or gradients leave
/// the range of float32 or are not numbers. Finite inputs give finite results: <c>P = exp(min(0, S - LSE)) &lt;= 1</c>,
/// and what is beyond the largest float becomes the largest float. It touches only what a row sees, so that NaN and
/// infinity reach what they belong to and nothing else.
/// </summary>
/// <param name="arguments">The call.</param>
/// <param name="tensors">Its tensors as float32.</param>
/// <param name="sequence">The sequence.</param>
/// <param name="keyValueHead">The KV head.</param>
internal sealed unsafe class ExactBackward(AttentionBackwardArguments arguments, BackwardTensors tensors,
    Sequence sequence, int keyValueHead)
{
    private readonly int _headDim = arguments.Query.Shape[3],
        _group = arguments.Query.Shape[2] / arguments.Key.Shape[2];
    private readonly RowStatistics _logSumExp = RowStatistics.Of(arguments.LogSumExp),
        _logSumExpGradient = RowStatistics.Of(arguments.LogSumExpGradient);
    private readonly double[] _keyGradient = new double[(long)sequence.KeyCount * arguments.Query.Shape[3]];
    private readonly double[] _valueGradient = new double[(long)sequence.KeyCount * arguments.Query.Shape[3]];
    private readonly double[] _scores = new double[sequence.KeyCount];

    /// <summary>Writes dQ, dK and dV.</summary>
    public void Run()
    {
        for (int head = keyValueHead * _group; head < (keyValueHead + 1) * _group; head++)
            for (int token = 0; token < sequence.QueryCount; token++)
                AddQuery(head, token);
        Write(_keyGradient, tensors.KeyGradient);
        Write(_valueGradient, tensors.ValueGradient);
    }

    private void AddQuery(int head, int token)
    {
        int row = sequence.QueryStart + token, position = sequence.FirstQueryPosition + token;
        float* q = tensors.Query.Row(sequence.Batch, row, head),
            dO = tensors.OutputGradient.Row(sequence.Batch, row, head);
        double delta = ExactAttention.Dot(tensors.Output.Row(sequence.Batch, row, head), dO, _headDim)
            - (_logSumExpGradient.Exists ? *_logSumExpGradient.At(sequence.Batch, head, row) : 0);
        float given = *_logSumExp.At(sequence.Batch, head, row);
        bool isNaN = float.IsNaN(given);                  // P is NaN for every key: no need to compute scores
        double lse = isNaN ? given : LogSumExp(head, q, position, given);
        var gradient = new double[_headDim];
        for (var walk = Keys(head, position); !float.IsNegativeInfinity(given) && walk.MoveNext();)
            for (int key = walk.First; key < walk.First + walk.Count; key++)
            {
                if (isNaN)
                {
                    Array.Fill(gradient, double.NaN);
                    Array.Fill(_keyGradient, double.NaN, key * _headDim, _headDim);
                    Array.Fill(_valueGradient, double.NaN, key * _headDim, _headDim);
                    continue;
                }
                float* k = tensors.Key.Row(sequence.Batch, sequence.KeyStart + key, keyValueHead);
                float* v = tensors.Value.Row(sequence.Batch, sequence.KeyStart + key, keyValueHead);
                double p = Math.Exp(Math.Min(0, _scores[key] - lse));
                double scoreGradient = p * (ExactAttention.Dot(dO, v, _headDim) - delta) * arguments.Scale;
                for (int d = 0, at = key * _headDim; d < _headDim; d++, at++)
                {
                    gradient[d] += scoreGradient * k[d];
                    _keyGradient[at] += scoreGradient * q[d];
                    _valueGradient[at] += p * dO[d];
                }
            }
        float* result = tensors.QueryGradient.Row(sequence.Batch, row, head);
        for (int d = 0; d < _headDim; d++)
            result[d] = ExactAttention.Saturate(gradient[d]);
    }

    // Computes the scores and their log-sum-exp. That of the forward pass is of other keys too where partitions were
    // merged; where it is the same up to the rounding errors of float32 scores, which grow with the products that they
    // sum, the one of double precision replaces it.
    private double LogSumExp(int head, float* q, int position, float given)
    {
        double max = double.NegativeInfinity, sum = 0, size = 0;
        for (var walk = Keys(head, position); walk.MoveNext();)
            for (int key = walk.First; key < walk.First + walk.Count; key++)
            {
                float* k = tensors.Key.Row(sequence.Batch, sequence.KeyStart + key, keyValueHead);
                double score = arguments.Scale * ExactAttention.Dot(q, k, _headDim), raised = Math.Max(max, score);
                for (int d = 0; d < _headDim; d++)
                    size = Math.Max(size, Math.Abs((double)arguments.Scale * q[d] * k[d]));
                (_scores[key], max, sum) = (score, raised, sum * Math.Exp(max - raised) + Math.Exp(score - raised));
            }
        double own = max + Math.Log(sum);
        return Math.Abs(ExactAttention.Saturate(own) - given) <= 1e-6 * _headDim * size ? own : given;
    }

    private TokenWalk Keys(int head, int position)
    {
        var layout = arguments.Layout;
        var rows = layout.RowsOf(layout.Pattern.PatternHeadOf(head));
        int end = layout.IsCausal ? position + 1 : sequence.KeyCount;
        int start = Math.Max(0, position - layout.Pattern.WindowTokens + 1);
        return new TokenWalk(new BlockUnion(rows, position / layout.BlockTokens - layout.FirstQueryBlock, 1),
            layout.BlockTokens, start, end);
    }

    private void Write(double[] gradient, HeadTensor to)
    {
        for (int key = 0; key < sequence.KeyCount; key++)
            for (int d = 0; d < _headDim; d++)
                to.Row(sequence.Batch, sequence.KeyStart + key, keyValueHead)[d] =
                    ExactAttention.Saturate(gradient[key * _headDim + d]);
    }
}
