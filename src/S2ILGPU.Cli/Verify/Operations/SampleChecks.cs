using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using S2ILGPU.Variants;

namespace S2ILGPU.Cli.Verify.Operations;

/// <summary>Sums of sampled rows, over plain keys and pages: every head dim and block size of the tensor-core kernels,
/// a head dim that they do not have, and blocks of two entries.</summary>
internal static class SampleChecks
{
    private const int Heads = 4, KeyValueHeads = 2;

    // Scores are exact products that are summed in fp32, and exponentials of them are summed in fp32.
    private static readonly Tolerance s_sums = new(1e-4, IsRelative: true);

    private static readonly int[] s_headDims = [40, .. KernelVariants.HeadDims], s_fewHeadDims = [64];
    private static readonly int[] s_blocks = [.. KernelVariants.BlockColumns, 128], s_fewBlocks = [32];

    /// <param name="type">Element type of queries and keys.</param>
    /// <param name="isEmulated">Whether kernels are executed thread by thread: one head dim and block size
    /// then.</param>
    public static IEnumerable<OperationCheck> Of(ElementType type, bool isEmulated) =>
        from headDim in isEmulated ? s_fewHeadDims : s_headDims
        from block in isEmulated ? s_fewBlocks : s_blocks
        from isPaged in (bool[])[false, true]
        select new OperationCheck(nameof(IAttentionSampler.SampleRows), type,
            $"D{headDim}, blocks of {block}{(isPaged ? ", pages" : "")}", (p, size) =>
                Sample(p, size, type, headDim, block, isPaged));

    // LSE_i = ln sum_j exp(s_ij), p_ij = exp(s_ij - LSE_i). Columns sum p_ij by the block of key j, slashes by the
    // distance of that block from the block of row i.
    private static Action Sample(OperationProblem p, Extents size, ElementType type, int headDim, int block,
        bool isPaged)
    {
        int queries = size.Rows, keys = queries + 2 * size.Columns, blocks = (keys + block - 1) / block;
        int[] rows = [.. Enumerable.Range(keys - queries, queries)
            .Where(position => position == keys - 1 || p.Random.Next(2) == 0)];
        float scale = (float)(1 / Math.Sqrt(headDim));
        var query = p.Normal(new Shape(1, queries, Heads, headDim), type);
        var key = HostTensor.Normal(p.Random, new Shape(1, keys, KeyValueHeads, headDim), type);
        var (lse, columns, slashes) = (new double[Heads * rows.Length], new double[Heads * blocks],
            new double[Heads * blocks]);
        Parallel.For(0, Heads, head =>
        {
            var scores = new double[keys];
            for (int r = 0; r < rows.Length; r++)
            {
                int first = ((rows[r] - (keys - queries)) * Heads + head) * headDim;
                double max = double.NegativeInfinity, sum = 0;
                for (int j = 0; j <= rows[r]; j++)
                {
                    int at = (j * KeyValueHeads + head / (Heads / KeyValueHeads)) * headDim;
                    double dot = 0;
                    for (int d = 0; d < headDim; d++)
                        dot += query.Values[first + d] * key.Values[at + d];
                    scores[j] = scale * dot;
                    max = Math.Max(max, scores[j]);
                }
                for (int j = 0; j <= rows[r]; j++)
                    sum += Math.Exp(scores[j] - max);
                double total = lse[head * rows.Length + r] = max + Math.Log(sum);
                for (int j = 0; j <= rows[r]; j++)
                {
                    double weight = Math.Exp(scores[j] - total);
                    columns[head * blocks + j / block] += weight;
                    slashes[head * blocks + rows[r] / block - j / block] += weight;
                }
            }
        });
        var (keyTensor, pages) = isPaged ? Paged(p, key, block, blocks) : (p.Given(key).Tensor, null);
        Tensor ofRows = Result("log-sum-exp", rows.Length, lse), ofColumns = Result("columns", blocks, columns),
            ofSlashes = Result("slashes", blocks, slashes);
        return () => ((IAttentionSampler)p.Engine).SampleRows(new AttentionSampleArguments(query.Tensor, keyTensor,
            SequenceBatch.Uniform(1, queries, keys), 0, rows, block, scale, pages, ofRows, ofColumns, ofSlashes));

        Tensor Result(string name, int width, double[] exact) => p.Result(name, new Shape(Heads, width),
            p.Engine.FloatType == ElementType.Float64 ? ElementType.Float64 : ElementType.Float32, exact,
            tolerance: s_sums);
    }

    // Pages in random order; NaN past the last key and in a page that no block has.
    private static (Tensor Pool, PageTable Pages) Paged(OperationProblem p, HostTensor key, int block, int blocks)
    {
        int keys = key.Shape[1], headDim = key.Shape[3];
        int[] order = [.. Enumerable.Range(0, KeyValueHeads * blocks + 1)];
        p.Random.Shuffle(order);
        var table = new PageTable(1, KeyValueHeads, blocks);
        float[] pool = new float[order.Length * block * headDim];
        Array.Fill(pool, float.NaN);
        for (int head = 0; head < KeyValueHeads; head++)
            for (int j = 0; j < keys; j++)
            {
                int page = table[0, head, j / block] = order[head * blocks + j / block];
                key.Values.AsSpan((j * KeyValueHeads + head) * headDim, headDim)
                    .CopyTo(pool.AsSpan((page * block + j % block) * headDim));
            }
        return (p.Given(new HostTensor(new Shape(order.Length, block, headDim), key.Type, pool)).Tensor, table);
    }
}
