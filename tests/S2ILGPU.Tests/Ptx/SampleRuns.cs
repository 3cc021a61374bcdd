using S2ILGPU.Engines;
using S2ILGPU.Kernels.Attention.TensorCore;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using S2ILGPU.TestSupport.Ptx;
using S2ILGPU.Variants;
using Xunit;

namespace S2ILGPU.Tests.Ptx;

/// <summary>Kernels that score sampled rows on the PTX machine, compared with float64.</summary>
internal static class SampleRuns
{
    private const int FirstHead = 1, GroupTiles = 2;

    private static readonly Tolerance s_tolerance = new(2e-5, true);

    /// <summary>Runs a kernel on each sequence: all queries of the first one, some of the others.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="data">A problem of dense attention.</param>
    /// <param name="copies">When asynchronous copies arrive.</param>
    /// <param name="text">A mutant, or null.</param>
    public static void Run(TestedKernel kernel, AttentionData data, CopyTiming copies, string? text = null)
    {
        var random = Seeds.NewRandom();
        var sequences = data.Sequences.Sequences;
        var keys = kernel.Placement == KeyPlacement.Pages
            ? KeyOperands<ushort>.Create(data, KeyPlacement.Pages, operand => operand.Halves) : null;
        for (int n = 0; n < sequences.Length; n++)
        {
            int first = sequences[n].FirstQueryPosition, count = sequences[n].QueryCount;
            int[] rows = [.. Enumerable.Range(first, count).OrderBy(_ => random.Next())
                .Take(n == 0 ? count : random.Next(1, Math.Max(2, count))).Order()];
            if (rows.Length > 0)
                Run(kernel, data, keys, n, rows, copies, text);
        }
    }

    private static void Run(TestedKernel kernel, AttentionData data, KeyOperands<ushort>? keys, int index, int[] rows,
        CopyTiming copies, string? text)
    {
        var (problem, sequence) = (data.Problem, data.Sequences.Sequences[index]);
        int columns = kernel.BlockColumns, pieces = (sequence.KeyCount - 1) / columns + 1,
            heads = problem.QueryHeads - FirstHead, runs = (rows[^1] / 64 + GroupTiles) / GroupTiles;
        float[] scores = AttentionData.Untouched<float>((long)heads * rows.Length * pieces);
        kernel.Kernel.Launch(new PtxDim(runs, (rows.Length - 1) / SampleTiles.Rows + 1, heads), copies, a =>
        {
            a.View("Query", data.QueryPlace.Scatter(data.Query.Halves)).Value("QueryRows", data.QueryPlace.Rows)
                .View("Key", keys?.Keys ?? data.KeyPlace.Scatter(data.Key.Halves))
                .Value("KeyRows", data.KeyPlace.Rows).View("Pages", keys?.Pages ?? []);
            a.View("Rows", rows).View("Scores", scores, PtxAccess.Output);
            a.Value("Batch", sequence.Batch).Value("QueryStart", sequence.QueryStart)
                .Value("FirstPosition", sequence.FirstQueryPosition).Value("KeyStart", sequence.KeyStart)
                .Value("KeyCount", sequence.KeyCount);
            int blocks = keys?.PageBlocks ?? 0;
            a.Value("PageBase", index * problem.KeyValueHeads * blocks).Value("PageBlocks", blocks)
                .Value("BlockColumns", columns).Value("PageEntries", keys is null ? 0 : 1).Value("Pieces", pieces)
                .Value("HeadDim", problem.HeadDim);
            a.Value("FirstHead", FirstHead).Value("GroupHeads", problem.QueryHeads / problem.KeyValueHeads)
                .Value("GroupTiles", GroupTiles).Value("Scale", data.Scale);
        }, text);
        double[] expected = Exact(data, sequence, rows, columns, pieces), actual = new double[expected.Length];
        for (int n = 0; n < actual.Length; n++)
        {
            // What a row does not see is not written.
            bool isUntouched = BitConverter.SingleToUInt32Bits(scores[n]) == uint.MaxValue;
            actual[n] = double.IsNaN(expected[n]) && !isUntouched ? double.PositiveInfinity : scores[n];
        }
        MaximumError.AssertWithin(s_tolerance with { NaNMatches = true },
            $"{kernel.Variant.Name}, {problem}, {sequence}, copies {copies}", new Shape(heads, rows.Length, pieces),
            expected, actual);
    }

    // ln sum exp(s) [heads, rows, pieces], NaN where a row sees nothing of a piece.
    private static double[] Exact(AttentionData data, Sequence sequence, int[] rows, int columns, int pieces)
    {
        var (problem, query, key) = (data.Problem, data.Query.Values, data.Key.Values);
        int dim = problem.HeadDim, group = problem.QueryHeads / problem.KeyValueHeads, at = 0;
        double[] exact = new double[(problem.QueryHeads - FirstHead) * rows.Length * pieces];
        for (int head = FirstHead; head < problem.QueryHeads; head++)
            foreach (int position in rows)
                for (int piece = 0; piece < pieces; piece++)
                {
                    double sum = 0;
                    for (int j = piece * columns; j < Math.Min(position + 1, (piece + 1) * columns); j++)
                        sum += Math.Exp(data.Scale * Dot(Row(query, data.QueryShape, sequence.QueryStart + position
                            - sequence.FirstQueryPosition, head), Row(key, data.KeyShape, sequence.KeyStart + j,
                            head / group)));
                    exact[at++] = piece * columns > position ? double.NaN : Math.Log(sum);
                }
        return exact;

        ReadOnlySpan<double> Row(double[] values, Shape shape, int row, int head) =>
            values.AsSpan(((sequence.Batch * shape[1] + row) * shape[2] + head) * dim, dim);
    }

    private static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        double sum = 0;
        for (int n = 0; n < a.Length; n++)
            sum += a[n] * b[n];
        return sum;
    }
}
