using S2ILGPU.Engines;

namespace S2ILGPU.Cli.Verify;

/// <summary>Attention of a problem in double precision, one element after the other, straight from the pattern's own
/// rule: what every kernel is measured against.</summary>
internal sealed class AttentionReference
{
    private readonly AttentionProblem _problem;
    private readonly double[] _query, _key, _value;
    private readonly int _heads, _keyValueHeads, _headDim;

    /// <summary>Computes <c>O = softmax(scale Q K^T over the kept blocks) V</c> and <c>LSE = ln sum exp(scale q
    /// k)</c>.</summary>
    public AttentionReference(AttentionProblem problem)
    {
        _problem = problem;
        (_heads, _keyValueHeads, _headDim) = (problem.Case.QueryHeads, problem.Case.KeyValueHeads,
            problem.Query.Shape[3]);
        (_query, _key, _value) = (Doubles(problem.Query), Doubles(problem.Key), Doubles(problem.Value));
        Output = new double[_query.Length];
        LogSumExp = new double[problem.LogSumExpShape.Count];
        Array.Fill(LogSumExp, double.NegativeInfinity);
        var sequences = problem.Sequences.Sequences.ToArray();
        Parallel.For(0, sequences.Length * _heads, n =>
        {
            var scores = new double[sequences[n / _heads].KeyCount];
            for (int i = 0; i < sequences[n / _heads].QueryCount; i++)
                ForwardRow(sequences[n / _heads], n % _heads, i, scores);
        });
    }

    /// <summary>O [B, Nq, H, D].</summary>
    public double[] Output { get; }

    /// <summary>LSE [B, H, Nq].</summary>
    public double[] LogSumExp { get; }

    /// <summary>dQ, dK, dV, given the output as a kernel gets it: rounded to its element type.</summary>
    public (double[] Query, double[] Key, double[] Value) Backward(HostTensor output)
    {
        var gradients = (Query: new double[_query.Length], Key: new double[_key.Length],
            Value: new double[_value.Length]);
        var (roundedOutput, outputGradient) = (Doubles(output), Doubles(_problem.OutputGradient));
        var sequences = _problem.Sequences.Sequences.ToArray();
        int group = _heads / _keyValueHeads;
        Parallel.For(0, sequences.Length * _keyValueHeads, n =>
        {
            var sequence = sequences[n / _keyValueHeads];
            for (int head = n % _keyValueHeads * group; head < (n % _keyValueHeads + 1) * group; head++)
                for (int i = 0; i < sequence.QueryCount; i++)
                    BackwardRow(sequence, head, i, roundedOutput, outputGradient, gradients);
        });
        return gradients;
    }

    // s_j = scale q k_j, lse = ln sum_j exp(s_j), o = sum_j exp(s_j - lse) v_j; scores: room for one per key
    private void ForwardRow(Sequence sequence, int head, int i, double[] scores)
    {
        var query = Row(_query, QueryRow(sequence, head, i));
        double max = double.NegativeInfinity, sum = 0;
        var visible = VisibleKeys(sequence, head, i);
        for (int n = 0; n < visible.Count; n++)
        {
            scores[n] = _problem.Scale * Dot(query, Row(_key, KeyRow(sequence, head, visible[n])));
            max = Math.Max(max, scores[n]);
        }
        if (visible.Count == 0)
            return;
        var output = Row(Output, QueryRow(sequence, head, i));
        if (max == double.NegativeInfinity) // 0 / 0
        {
            LogSumExp[StatisticOf(sequence, head, i)] = double.NaN;
            output.Fill(double.NaN);
            return;
        }
        for (int n = 0; n < visible.Count; n++)
            sum += Math.Exp(scores[n] - max);
        double lse = LogSumExp[StatisticOf(sequence, head, i)] = max + Math.Log(sum);
        for (int n = 0; n < visible.Count; n++)
            AddScaled(output, Math.Exp(scores[n] - lse), Row(_value, KeyRow(sequence, head, visible[n])));
    }

    // delta = o do - dlse; p_j = exp(scale q k_j - lse), ds_j = p_j (do v_j - delta) scale; dq += ds_j k_j, dk_j +=
    // ds_j q, dv_j += p_j do
    private void BackwardRow(Sequence sequence, int head, int i, double[] outputs, double[] outputGradients,
        (double[] Query, double[] Key, double[] Value) gradients)
    {
        int row = QueryRow(sequence, head, i), statistic = StatisticOf(sequence, head, i);
        Span<double> query = Row(_query, row), outputGradient = Row(outputGradients, row),
            queryGradient = Row(gradients.Query, row);
        double delta = Dot(Row(outputs, row), outputGradient) - (_problem.LogSumExpGradient?.Values[statistic] ?? 0);
        foreach (int j in VisibleKeys(sequence, head, i))
        {
            int keyRow = KeyRow(sequence, head, j);
            double p = Math.Exp(_problem.Scale * Dot(query, Row(_key, keyRow)) - (float)LogSumExp[statistic]);
            double ds = p * (Dot(outputGradient, Row(_value, keyRow)) - delta) * _problem.Scale;
            AddScaled(queryGradient, ds, Row(_key, keyRow));
            AddScaled(Row(gradients.Key, keyRow), ds, query);
            AddScaled(Row(gradients.Value, keyRow), p, outputGradient);
        }
    }

    private List<int> VisibleKeys(Sequence sequence, int head, int i)
    {
        var pattern = _problem.Pattern;
        int position = sequence.FirstQueryPosition + i, block = pattern.BlockTokens, end = pattern.IsCausal
            ? position + 1 : sequence.KeyCount;
        var visible = new List<int>(end);
        for (int keyBlock = 0; keyBlock * block < end; keyBlock++)
            if (pattern.Keeps(pattern.PatternHeadOf(head), position / block, keyBlock))
                for (int j = keyBlock * block; j < Math.Min((keyBlock + 1) * block, end); j++)
                    visible.Add(j);
        return visible;
    }

    private int QueryRow(Sequence sequence, int head, int i) =>
        (sequence.Batch * _problem.Case.QueryRows + sequence.QueryStart + i) * _heads + head;

    private int KeyRow(Sequence sequence, int head, int j) =>
        (sequence.Batch * _problem.Case.KeyRows + sequence.KeyStart + j) * _keyValueHeads + head
        / (_heads / _keyValueHeads);

    private int StatisticOf(Sequence sequence, int head, int i) =>
        (sequence.Batch * _heads + head) * _problem.Case.QueryRows + sequence.QueryStart + i;

    private Span<double> Row(double[] values, int row) => values.AsSpan(row * _headDim, _headDim);

    private static double[] Doubles(HostTensor tensor) => Array.ConvertAll(tensor.Values, x => (double)x);

    private static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        double even = 0, odd = 0; // two chains of additions run twice as fast
        for (int d = 0; d < a.Length; d += 2)
        {
            even += a[d] * b[d];
            odd += a[d + 1] * b[d + 1];
        }
        return even + odd;
    }

    private static void AddScaled(Span<double> accumulator, double factor, ReadOnlySpan<double> x)
    {
        for (int d = 0; d < accumulator.Length; d++)
            accumulator[d] += factor * x[d];
    }
}
