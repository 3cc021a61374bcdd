namespace S2ILGPU.Inference;

/// <summary>A token and the natural logarithm of its probability, as the model's logits give it: before bias,
/// penalties, grammar and temperature.</summary>
/// <param name="Token">The token id.</param>
/// <param name="LogProbability">ln p(token), at most 0.</param>
public readonly record struct TokenLogProbability(int Token, float LogProbability)
{
    /// <summary>The log-probability of a token.</summary>
    /// <param name="logits">[V].</param>
    /// <param name="token">The token id.</param>
    public static TokenLogProbability Of(ReadOnlySpan<float> logits, int token) =>
        new(token, (float)(logits[token] - LogSumExp(logits)));

    /// <summary>The most likely tokens, the most likely one first; of equal ones the lower id first.</summary>
    /// <param name="logits">[V].</param>
    /// <param name="count">How many; at most V.</param>
    public static TokenLogProbability[] Top(ReadOnlySpan<float> logits, int count)
    {
        var ids = new List<int>(count + 1);
        for (int v = 0; v < logits.Length; v++)
        {
            int at = ids.Count;
            while (at > 0 && logits[ids[at - 1]] < logits[v])
                at--;
            if (at == count)
                continue;
            ids.Insert(at, v);
            if (ids.Count > count)
                ids.RemoveAt(count);
        }
        var top = new TokenLogProbability[ids.Count];
        double logSumExp = LogSumExp(logits);
        for (int i = 0; i < top.Length; i++)
            top[i] = new TokenLogProbability(ids[i], (float)(logits[ids[i]] - logSumExp));
        return top;
    }

    private static double LogSumExp(ReadOnlySpan<float> logits)
    {
        double maximum = double.NegativeInfinity, sum = 0;
        foreach (float logit in logits)
            maximum = Math.Max(maximum, logit);
        foreach (float logit in logits)
            sum += Math.Exp(logit - maximum);
        return maximum + Math.Log(sum);
    }
}
