namespace S2ILGPU.Cpu.Attention;

/// <summary>Attention of single rows in double precision, for the rare tile whose scores, sums or outputs are not
/// ordinary numbers. It touches only what a row sees, so that it is also where NaN and infinity are sorted out: a tile
/// multiplies all of its rows by all of its keys, and 0 * NaN is NaN.</summary>
/// <remarks>Finite inputs give finite results, at most the largest float. What is NaN or infinite otherwise is so in
/// float64 as well.</remarks>
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
        bool isEmpty = true;
        while (!double.IsNaN(sum) && walk.MoveNext())
            for (int key = walk.First; key < walk.First + walk.Count; key++)
            {
                if ((walk.Mask >> block & 1) == 0 || (isCausal && key > position))
                    break;
                if (key < queries.WindowStartOf(lane))
                    continue;
                isEmpty = false;
                double score = scale * Dot(q, keys.Floats(key, row), headDim), raised = Math.Max(max, score);
                bool isNothing = double.IsNegativeInfinity(raised);        // -inf - -inf is NaN, but the weight is 0
                double factor = isNothing ? 1 : Math.Exp(max - raised), weight = isNothing ? 0
                    : Math.Exp(score - raised);
                float* v = values.Floats(key, row);
                for (int d = 0; d < headDim; d++)
                    o[d] = o[d] * factor + weight * v[d];
                (max, sum) = (raised, sum * factor + weight);
            }
        float* output = result.Row(head, token);
        for (int d = 0; d < headDim; d++)
            output[d] = isEmpty ? 0 : Saturate(o[d] / sum);
        result.SetLogSumExp(head, token, isEmpty ? float.NegativeInfinity : LogSumExp(max, sum, result.IsPart));
    }

    // All scores -inf: ln 0 in a part, which counts nothing beside other parts; in a whole row 0 / 0.
    private static float LogSumExp(double max, double sum, bool isPart) =>
        sum == 0 ? isPart ? float.NegativeInfinity : float.NaN : Saturate(max + Math.Log(sum));

    /// <summary>The dot product in double precision.</summary>
    public static double Dot(float* a, float* b, int count)
    {
        double sum = 0;
        for (int i = 0; i < count; i++)
            sum += (double)a[i] * b[i];
        return sum;
    }

    /// <summary>The nearest float; the largest one where finite numbers of float32 led beyond it. An infinity and a NaN
    /// of double precision stay: only infinite inputs lead there.</summary>
    public static float Saturate(double value) =>
        double.IsInfinity(value) ? (float)value : (float)Math.Clamp(value, -float.MaxValue, float.MaxValue);
}
