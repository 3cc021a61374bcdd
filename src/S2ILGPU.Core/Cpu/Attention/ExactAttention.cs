namespace S2ILGPU.Cpu.Attention;

/// <summary>Attention of single rows in double precision, for the rare tile whose scores or sums leave the range of
/// float32. Results saturate at the largest float.</summary>
internal static unsafe class ExactAttention
{
    /// <summary>The result of one lane of a tile.</summary>
    public static void Row(in TileQueries queries, int lane, HeadTensor query, float scale, TokenWalk walk,
        bool isCausal, in TokenRows keys,
        in TokenRows values, in TileResult result)
    {
        int headDim = keys.HeadDim, head = lane / queries.Tokens, token = lane % queries.Tokens,
            position = queries.PositionOf(lane),
            block = queries.BlockOf(lane);
        float* q = query.Row(queries.Batch, queries.FirstRow + token, queries.FirstHead + head);
        double* o = stackalloc double[headDim];
        float* row = stackalloc float[headDim];
        new Span<double>(o, headDim).Clear();
        double max = double.NegativeInfinity, sum = 0;
        while (walk.MoveNext())
            for (int key = walk.First; key < walk.First + walk.Count; key++)
            {
                if ((walk.Mask >> block & 1) == 0 || (isCausal && key > position))
                    break;
                double score = scale * Dot(q, keys.Floats(key, row), headDim), raised = Math.Max(max, score),
                    factor = Math.Exp(max - raised),
                    weight = Math.Exp(score - raised);
                float* v = values.Floats(key, row);
                for (int d = 0; d < headDim; d++)
                    o[d] = o[d] * factor + weight * v[d];
                (max, sum) = (raised, sum * factor + weight);
            }
        float* output = result.Row(head, token);
        for (int d = 0; d < headDim; d++)
            output[d] = sum > 0 ? Saturate(o[d] / sum) : 0;
        result.SetLogSumExp(head, token, sum > 0 ? Saturate(max + Math.Log(sum)) : float.NegativeInfinity);
    }

    /// <summary>The dot product in double precision.</summary>
    public static double Dot(float* a, float* b, int count)
    {
        double sum = 0;
        for (int i = 0; i < count; i++)
            sum += (double)a[i] * b[i];
        return sum;
    }

    /// <summary>The nearest finite float.</summary>
    public static float Saturate(double value) => (float)Math.Clamp(value, -float.MaxValue, float.MaxValue);
}
