using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Tensors;

namespace S2ILGPU.TestSupport;

public sealed partial class ReferenceEngine
{
    public void AttentionForward(in AttentionForwardArguments arguments)
    {
        var a = arguments;
        CheckForward(a);
        Fill(a.Output, 0);
        if (a.LogSumExp is not null)
            Fill(a.LogSumExp, float.NegativeInfinity);
        int heads = a.Query.Shape[2], headDim = a.Query.Shape[3],
            group = heads / (a.Pages?.KeyValueHeads ?? a.Key.Shape[2]);
        for (int s = 0; s < a.Sequences.Sequences.Length; s++)
        {
            var sequence = a.Sequences.Sequences[s];
            var layout = a.Layouts?[s] ?? a.Layout;
            CheckCovers(nameof(AttentionForward), layout, sequence);
            for (int head = 0; head < heads; head++)
            {
                var rows = new HeadRows(KeyRows(a.Key, a.Pages, s, sequence, head / group, headDim),
                    KeyRows(a.Value, a.Pages, s, sequence, head / group, headDim));
                for (int i = 0; i < sequence.QueryCount; i++)
                    ForwardRow(a, layout, sequence, head, i, rows);
            }
        }
    }

    public void AttentionBackward(in AttentionBackwardArguments arguments)
    {
        var a = arguments;
        CheckBackward(a);
        // rounded once, however many query heads add
        using var keyGradient = Allocate(a.KeyGradient.Shape, ElementType.Float64);
        using var valueGradient = Allocate(a.ValueGradient.Shape, ElementType.Float64);
        foreach (var gradient in (Tensor[])[a.QueryGradient, keyGradient, valueGradient])
            Fill(gradient, 0);
        int heads = a.Query.Shape[2], headDim = a.Query.Shape[3], group = heads / a.Key.Shape[2];
        foreach (var sequence in a.Sequences.Sequences)
        {
            CheckCovers(nameof(AttentionBackward), a.Layout, sequence);
            for (int head = 0; head < heads; head++)
            {
                var rows = new HeadRows(KeyRows(a.Key, null, 0, sequence, head / group, headDim),
                    KeyRows(a.Value, null, 0, sequence, head / group, headDim));
                var gradients = new HeadRows(Zeros(sequence.KeyCount, headDim),
                    Zeros(sequence.KeyCount, headDim));
                for (int i = 0; i < sequence.QueryCount; i++)
                    BackwardRow(a, sequence, head, i, rows, gradients);
                // added, because the query heads of a group share the KV head
                for (int j = 0; j < sequence.KeyCount; j++)
                {
                    AddRow(gradients.Keys[j]!, keyGradient, sequence.Batch, sequence.KeyStart + j, head / group);
                    AddRow(gradients.Values[j]!, valueGradient, sequence.Batch, sequence.KeyStart + j, head / group);
                }
            }
        }
        Copy(keyGradient, a.KeyGradient);
        Copy(valueGradient, a.ValueGradient);
    }

    public void MergePartitions(IReadOnlyList<Tensor> outputs, IReadOnlyList<Tensor> logSumExps, Tensor output,
        Tensor logSumExp)
    {
        Contract.Require(outputs.Count == logSumExps.Count && outputs.Count > 0, nameof(MergePartitions),
            $"{outputs.Count} outputs, {logSumExps.Count} log-sum-exps");
        var (parts, lses) = (outputs.Select(o => new Elements(o)).ToArray(),
            logSumExps.Select(l => new Elements(l)).ToArray());
        var (merged, mergedLse) = (new Elements(output), new Elements(logSumExp));
        int batch = output.Shape[0], tokens = output.Shape[1], heads = output.Shape[2], headDim = output.Shape[3];
        Contract.Shape(nameof(MergePartitions), nameof(logSumExp), logSumExp, batch, heads, tokens);
        for (int p = 0; p < parts.Length; p++)
        {
            ShapeException.ThrowUnless(nameof(MergePartitions), $"outputs[{p}]", outputs[p], output.Shape);
            ShapeException.ThrowUnless(nameof(MergePartitions), $"logSumExps[{p}]", logSumExps[p], logSumExp.Shape);
        }
        for (int b = 0; b < batch; b++)
            for (int n = 0; n < tokens; n++)
                for (int h = 0; h < heads; h++)
                {
                    double lse = LogSumExp(lses.Select(part => part[b, h, n]).ToArray());
                    mergedLse[b, h, n] = lse;
                    for (int d = 0; d < headDim; d++)
                    {
                        double sum = 0;
                        for (int p = 0; p < parts.Length; p++)
                            if (lses[p][b, h, n] != double.NegativeInfinity)
                                sum += Math.Exp(lses[p][b, h, n] - lse) * parts[p][b, n, h, d];
                        merged[b, n, h, d] = sum;
                    }
                }
    }

    public void MergePartitionBackward(in MergeBackwardArguments a)
    {
        const string operation = nameof(MergePartitionBackward);
        foreach (var tensor in (Tensor[])[a.PartOutput, a.OutputGradient, a.PartOutputGradient])
            ShapeException.ThrowUnless(operation, "output", tensor, a.Output.Shape);
        int batch = a.Output.Shape[0], tokens = a.Output.Shape[1], heads = a.Output.Shape[2];
        foreach (var tensor in (Tensor?[])[a.PartLogSumExp, a.LogSumExp, a.LogSumExpGradient, a.PartLogSumExpGradient])
            if (tensor is not null)
                Contract.Shape(operation, "log-sum-exp", tensor, batch, heads, tokens);
        Elements partLse = new(a.PartLogSumExp), lse = new(a.LogSumExp), partGradient = new(a.PartOutputGradient),
            partLseGradient = new(a.PartLogSumExpGradient);
        for (int b = 0; b < batch; b++)
            for (int n = 0; n < tokens; n++)
                for (int h = 0; h < heads; h++)
                {
                    bool counts = partLse[b, h, n] != double.NegativeInfinity;
                    double w = Math.Exp(partLse[b, h, n] - lse[b, h, n]);
                    double[] part = Row(a.PartOutput, b, n, h), output = Row(a.Output, b, n, h),
                        gradient = Row(a.OutputGradient, b, n, h);
                    double given = a.LogSumExpGradient is null ? 0 : new Elements(a.LogSumExpGradient)[b, h, n];
                    partLseGradient[b, h, n] =
                        counts ? w * (Dot(gradient, [.. part.Zip(output, (x, y) => x - y)]) + given) : 0;
                    for (int d = 0; d < gradient.Length; d++)
                        partGradient[b, n, h, d] = counts ? w * gradient[d] : 0;
                }
    }

    // s_j = scale q k_j, lse = ln sum_j exp(s_j), o = sum_j exp(s_j - lse) v_j
    private static void ForwardRow(in AttentionForwardArguments a, BlockLayout layout, Sequence sequence, int head,
        int i, HeadRows rows)
    {
        int row = sequence.QueryStart + i;
        var query = Row(a.Query, sequence.Batch, row, head);
        var visible = VisibleKeys(layout, sequence, head, i);
        var scores = new double[visible.Count];
        for (int n = 0; n < scores.Length; n++)
            scores[n] = a.Scale * Dot(query, Existing(rows.Keys, visible[n]));
        // A row whose scores are all -inf is 0 / 0.
        double lse = LogSumExp(scores);
        if (scores.Length > 0 && lse == double.NegativeInfinity)
            lse = double.NaN;
        var output = new double[query.Length];
        for (int n = 0; n < scores.Length; n++)
        {
            double p = Math.Exp(scores[n] - lse);
            var value = Existing(rows.Values, visible[n]);
            for (int d = 0; d < output.Length; d++)
                output[d] += p * value[d];
        }
        AddRow(output, a.Output, sequence.Batch, row, head);
        if (a.LogSumExp is not null)
            new Elements(a.LogSumExp)[sequence.Batch, head, row] = lse;
    }

    // delta = o do - dlse; p_j = exp(scale q k_j - lse), ds_j = p_j (do v_j - delta) scale; dq = sum_j ds_j k_j; dk_j
    // += ds_j q; dv_j += p_j do
    private static void BackwardRow(in AttentionBackwardArguments a, Sequence sequence, int head, int i, HeadRows rows,
        HeadRows gradients)
    {
        int row = sequence.QueryStart + i;
        var query = Row(a.Query, sequence.Batch, row, head);
        var output = Row(a.Output, sequence.Batch, row, head);
        var outputGradient = Row(a.OutputGradient, sequence.Batch, row, head);
        double lse = new Elements(a.LogSumExp)[sequence.Batch, head, row];
        double delta = Dot(output, outputGradient)
            - (a.LogSumExpGradient is null ? 0 : new Elements(a.LogSumExpGradient)[sequence.Batch, head, row]);
        var queryGradient = new double[query.Length];
        if (lse == double.NegativeInfinity) // keeps nothing
        {
            AddRow(queryGradient, a.QueryGradient, sequence.Batch, row, head);
            return;
        }
        foreach (int j in VisibleKeys(a.Layout, sequence, head, i))
        {
            var (key, value, keyGradient, valueGradient) =
                (rows.Keys[j]!, rows.Values[j]!, gradients.Keys[j]!, gradients.Values[j]!);
            double p = Math.Exp(a.Scale * Dot(query, key) - lse);
            double ds = p * (Dot(outputGradient, value) - delta) * a.Scale;
            for (int d = 0; d < query.Length; d++)
            {
                queryGradient[d] += ds * key[d];
                keyGradient[d] += ds * query[d];
                valueGradient[d] += p * outputGradient[d];
            }
        }
        AddRow(queryGradient, a.QueryGradient, sequence.Batch, row, head);
    }

    // The key positions that query i of a sequence sees: in a kept block, if causal not after the query, and in
    // its window.
    private static List<int> VisibleKeys(BlockLayout layout, Sequence sequence, int queryHead, int i)
    {
        int position = sequence.FirstQueryPosition + i, block = layout.BlockTokens,
            head = layout.Pattern.PatternHeadOf(queryHead);
        bool[] kept = KeptBlocks(layout, head, position / block);
        var visible = new List<int>();
        for (int j = 0; j < sequence.KeyCount; j++)
            if (kept[j / block] && (!layout.IsCausal || j <= position)
                && position - j < layout.Pattern.WindowTokens)
                visible.Add(j);
        return visible;
    }

    // The kept key blocks of a query block, from the layout and again from the pattern.
    private static bool[] KeptBlocks(BlockLayout layout, int head, int queryBlock)
    {
        var kept = new bool[layout.KeyBlocks];
        var row = layout.Row(head, queryBlock);
        foreach (int keyBlock in row.Full)
            kept[keyBlock] = true;
        foreach (int keyBlock in row.Partial)
            kept[keyBlock] = true;
        for (int keyBlock = 0; keyBlock < kept.Length; keyBlock++)
        {
            bool keeps = (!layout.IsCausal || keyBlock <= queryBlock)
                && layout.Pattern.Keeps(head, queryBlock, keyBlock);
            if (keeps != kept[keyBlock])
                throw new InvalidOperationException(
                    $"head {head}, query block {queryBlock}, key block {keyBlock}: kept by layout {kept[keyBlock]}, "
                    + $"by pattern {keeps}");
        }
        return kept;
    }

    // The rows of one KV head of a sequence by key position, from a plain tensor or from pages; null where there is no
    // page.
    private static double[]?[] KeyRows(Tensor tensor, PageTable? pages, int s, Sequence sequence, int head,
        int headDim)
    {
        var elements = new Elements(tensor);
        var rows = new double[]?[sequence.KeyCount];
        for (int j = 0; j < rows.Length; j++)
        {
            if (pages is null)
            {
                rows[j] = Row(tensor, sequence.Batch, sequence.KeyStart + j, head);
                continue;
            }
            int blockTokens = tensor.Shape[1], page = pages[s, head, j / blockTokens];
            if (page == PageTable.None)
                continue;
            rows[j] = new double[headDim];
            for (int d = 0; d < headDim; d++)
                rows[j]![d] = elements[page, j % blockTokens, d];
        }
        return rows;
    }

    private static double[] Existing(double[]?[] rows, int j) =>
        rows[j] ?? throw new InvalidOperationException($"key {j} lies in a kept block without a page");

    private static double[] Row(Tensor tensor, int b, int n, int h)
    {
        var elements = new Elements(tensor);
        var row = new double[tensor.Shape[3]];
        for (int d = 0; d < row.Length; d++)
            row[d] = elements[b, n, h, d];
        return row;
    }

    private static void AddRow(double[] row, Tensor tensor, int b, int n, int h)
    {
        var elements = new Elements(tensor);
        for (int d = 0; d < row.Length; d++)
            elements[b, n, h, d] += row[d];
    }

    private static double[][] Zeros(int rows, int columns)
    {
        var zeros = new double[rows][];
        for (int j = 0; j < rows; j++)
            zeros[j] = new double[columns];
        return zeros;
    }

    private static double Dot(double[] a, double[] b)
    {
        double sum = 0;
        for (int d = 0; d < a.Length; d++)
            sum += a[d] * b[d];
        return sum;
    }

    // -inf for nothing, or for nothing but -inf
    private static double LogSumExp(double[] scores)
    {
        double max = double.NegativeInfinity, sum = 0;
        foreach (double score in scores)
            max = Math.Max(max, score);
        if (max == double.NegativeInfinity)
            return max;
        foreach (double score in scores)
            sum += Math.Exp(score - max);
        return max + Math.Log(sum);
    }

    /// <summary>Keys and values (or their gradients) of one head of one sequence, by key position; null where a
    /// position has no page.</summary>
    private readonly record struct HeadRows(double[]?[] Keys, double[]?[] Values);
}
