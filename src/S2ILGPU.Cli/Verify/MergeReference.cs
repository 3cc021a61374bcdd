namespace S2ILGPU.Cli.Verify;

/// <summary><c>LSE = ln sum_i exp(LSE_i), O = sum_i exp(LSE_i - LSE) O_i</c> in double precision.</summary>
internal static class MergeReference
{
    /// <summary>Merges outputs [B, N, H, D] and log-sum-exps [B, H, N]; a part with -infinity counts nothing.</summary>
    public static (double[] Output, double[] LogSumExp) Merge(IReadOnlyList<HostTensor> outputs,
        IReadOnlyList<HostTensor> logSumExps)
    {
        var shape = outputs[0].Shape;
        int batch = shape[0], tokens = shape[1], heads = shape[2], headDim = shape[3];
        var (output, logSumExp) = (new double[shape.Count], new double[logSumExps[0].Values.Length]);
        for (int b = 0; b < batch; b++)
            for (int h = 0; h < heads; h++)
                for (int n = 0; n < tokens; n++)
                {
                    int statistic = (b * heads + h) * tokens + n, row = ((b * tokens + n) * heads + h) * headDim;
                    double lse = logSumExp[statistic] =
                        Math.Log(logSumExps.Sum(part => Math.Exp(part.Values[statistic])));
                    for (int part = 0; part < outputs.Count; part++)
                        if (logSumExps[part].Values[statistic] is var own and not float.NegativeInfinity)
                            for (int d = 0; d < headDim; d++)
                                output[row + d] += Math.Exp(own - lse) * outputs[part].Values[row + d];
                }
        return (output, logSumExp);
    }
}
