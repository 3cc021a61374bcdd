namespace S2ILGPU.TestSupport;

/// <summary>SampleAttention in scalar double precision for one sequence, written to be obviously right: softmax of
/// rows, sums by column and slash, the choice, and the probability that a choice keeps.</summary>
/// <param name="query">[N, H, D], the last N positions of the sequence.</param>
/// <param name="key">[Nk, Hkv, D].</param>
/// <param name="heads">H.</param>
/// <param name="keyValueHeads">Hkv.</param>
/// <param name="headDim">D.</param>
/// <param name="scale">Factor of the scores.</param>
/// <param name="blockTokens">Tokens of a block.</param>
public sealed class ReferenceSampleAttention(double[] query, double[] key, int heads, int keyValueHeads, int headDim,
    double scale, int blockTokens)
{
    private int Keys => key.Length / (keyValueHeads * headDim);

    private int FirstPosition => Keys - query.Length / (heads * headDim);

    /// <summary>Key blocks.</summary>
    public int Blocks => (Keys + blockTokens - 1) / blockTokens;

    /// <summary><c>ln sum_j exp(s_j)</c> of the query at a position.</summary>
    public double LogSumExp(int head, int position)
    {
        double[] scores = Scores(head, position);
        double max = scores.Max();
        return max + Math.Log(scores.Sum(s => Math.Exp(s - max)));
    }

    /// <summary>The probabilities of the query at a position: of keys 0 to the position.</summary>
    public double[] Probabilities(int head, int position)
    {
        double lse = LogSumExp(head, position);
        return [.. Scores(head, position).Select(s => Math.Exp(s - lse))];
    }

    /// <summary>The probabilities of some rows, summed by key block, [H, blocks], and by query block minus key block,
    /// [H, blocks].</summary>
    public (double[] Columns, double[] Slashes) Sums(int[] rows)
    {
        double[] columns = new double[heads * Blocks], slashes = new double[heads * Blocks];
        for (int head = 0; head < heads; head++)
            foreach (int row in rows)
            {
                double[] p = Probabilities(head, row);
                for (int j = 0; j < p.Length; j++)
                {
                    columns[head * Blocks + j / blockTokens] += p[j];
                    slashes[head * Blocks + row / blockTokens - j / blockTokens] += p[j];
                }
            }
        return (columns, slashes);
    }

    /// <summary>The blocks that sums choose, [H, blocks, blocks]: the fewest columns and slashes that reach their
    /// shares, or columns and the blocks of a window, over all rows, causal, with the diagonal.</summary>
    public bool[,,] Choose(double[] columns, double[] slashes, double columnShare, double slashShare,
        double? windowPercent)
    {
        var kept = new bool[heads, Blocks, Blocks];
        for (int head = 0; head < heads; head++)
        {
            var keptColumns = Fewest(columns[(head * Blocks)..((head + 1) * Blocks)], columnShare);
            var keptSlashes = windowPercent is { } percent
                ? [.. Enumerable.Range(0, Blocks).Where(distance => distance < Blocks * percent / 100)]
                : Fewest(slashes[(head * Blocks)..((head + 1) * Blocks)], slashShare);
            for (int i = 0; i < Blocks; i++)
                for (int j = 0; j <= i; j++)
                    kept[head, i, j] = i == j || keptColumns.Contains(j) || keptSlashes.Contains(i - j);
        }
        return kept;
    }

    /// <summary>The indices of the fewest sums that reach a share of their total; all for a total that is not
    /// finite.</summary>
    public static HashSet<int> Fewest(double[] sums, double share)
    {
        var chosen = new HashSet<int>();
        foreach (int n in Enumerable.Range(0, sums.Length).OrderByDescending(n => sums[n]))
            if (share >= 1 || !double.IsFinite(sums.Sum()) || chosen.Sum(c => sums[c]) < share * sums.Sum())
                chosen.Add(n);
        return chosen;
    }

    /// <summary>The probability that a choice keeps of a row.</summary>
    public double Kept(int head, int position, bool[,,] kept) => Probabilities(head, position)
        .Where((_, j) => kept[head, position / blockTokens, j / blockTokens]).Sum();

    private double[] Scores(int head, int position)
    {
        int row = ((position - FirstPosition) * heads + head) * headDim, keyHead = head / (heads / keyValueHeads);
        double[] scores = new double[position + 1];
        for (int j = 0; j < scores.Length; j++)
            for (int d = 0; d < headDim; d++)
                scores[j] += scale * query[row + d] * key[(j * keyValueHeads + keyHead) * headDim + d];
        return scores;
    }
}
