using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;

namespace S2ILGPU.TestSupport;

public sealed partial class ReferenceEngine : IAttentionSampler
{
    public bool IsQueued => false;

    public void SampleRows(in AttentionSampleArguments arguments)
    {
        var a = arguments;
        int heads = a.Query.Shape[2], headDim = a.Query.Shape[3],
            group = heads / (a.Pages?.KeyValueHeads ?? a.Key.Shape[2]);
        Contract.Shape(nameof(SampleRows), nameof(a.LogSumExp), a.LogSumExp, heads, a.Rows.Length);
        foreach (var sums in (Tensor?[])[a.Columns, a.Slashes])
            if (sums is not null)
            {
                Contract.Shape(nameof(SampleRows), "sums", sums, heads, a.Blocks);
                Fill(sums, 0);
            }
        for (int head = 0; head < heads; head++)
        {
            var keys = KeyRows(a.Key, a.Pages, a.Index, a.Sequence, head / group, headDim);
            for (int r = 0; r < a.Rows.Length; r++)
                SampleRow(a, head, r, keys);
        }
    }

    public void ChooseBlocks(in BlockChoiceArguments arguments)
    {
        var a = arguments;
        int heads = a.Columns.Shape[0], blocks = a.Columns.Shape[1];
        var (marks, counts) = (new int[2 * heads * blocks], new int[heads]);
        for (int head = 0; head < heads; head++)
        {
            var columns = ReferenceSampleAttention.Fewest(Line(a.Columns, head), a.ColumnShare);
            var slashes = a.WindowBlocks is { } window ? [.. Enumerable.Range(0, Math.Min(window, blocks))]
                : ReferenceSampleAttention.Fewest(Line(a.Slashes, head), a.SlashShare);
            foreach (int n in columns)
                marks[head * blocks + n] = 1;
            foreach (int n in slashes)
                marks[(heads + head) * blocks + n] = 1;
            counts[head] = Enumerable.Range(a.FirstQueryBlock, blocks - a.FirstQueryBlock).Sum(i =>
                Enumerable.Range(0, i + 1).Count(j => i == j || columns.Contains(j) || slashes.Contains(i - j)));
        }
        Upload(marks, a.Kept);
        Upload(counts, a.KeptBlocks);
    }

    public void ChosenForward(in AttentionForwardArguments arguments, IReadOnlyList<Tensor?> kept)
    {
        var (dense, layouts) = (arguments, new BlockLayout[kept.Count]);
        for (int s = 0; s < layouts.Length; s++)
            layouts[s] = kept[s] is { } marks ? LayoutOf(marks, dense.Layout.Pattern)
                : dense.Layouts?[s] ?? dense.Layout;
        AttentionForward(dense with { Layouts = layouts });
    }

    private BlockLayout LayoutOf(Tensor kept, AttentionPattern dense)
    {
        int heads = kept.Shape[1], blocks = kept.Shape[2];
        int[] marks = this.ToIntArray(kept);
        var table = new bool[heads, blocks, blocks];
        for (int head = 0; head < heads; head++)
            for (int i = 0; i < blocks; i++)
                for (int j = 0; j <= i; j++)
                    table[head, i, j] = i == j || marks[head * blocks + j] != 0
                        || marks[(heads + head) * blocks + i - j] != 0;
        return BlockLayout.Create(new CustomPattern(table, heads, dense.KeyValueHeads, dense.BlockTokens),
            blocks * dense.BlockTokens);
    }

    private static double[] Line(Tensor sums, int head) =>
        [.. Enumerable.Range(0, sums.Shape[1]).Select(n => new Elements(sums)[head, n])];

    private static void SampleRow(in AttentionSampleArguments a, int head, int r, double[]?[] keys)
    {
        var (sequence, position) = (a.Sequence, a.Rows[r]);
        double[] query = Row(a.Query, sequence.Batch, sequence.QueryStart + position - sequence.FirstQueryPosition,
            head);
        var scores = new double[position + 1];
        for (int j = 0; j <= position; j++)
            scores[j] = a.Scale * Dot(query, Existing(keys, j));
        double lse = LogSumExp(scores);
        new Elements(a.LogSumExp)[head, r] = lse = double.IsFinite(lse) ? lse : double.NaN;
        if (a.Columns is null || a.Slashes is null)
            return;
        Elements columns = new(a.Columns), slashes = new(a.Slashes);
        for (int j = 0; j <= position; j++)
        {
            columns[head, j / a.BlockTokens] += Math.Exp(scores[j] - lse);
            slashes[head, position / a.BlockTokens - j / a.BlockTokens] += Math.Exp(scores[j] - lse);
        }
    }
}
