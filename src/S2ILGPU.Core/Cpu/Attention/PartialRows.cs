using S2ILGPU.Cpu.Simd;

namespace S2ILGPU.Cpu.Attention;

/// <summary>The merge of what one query got from disjoint parts of its keys.</summary>
internal static unsafe class PartialRows
{
    /// <summary><c>LSE = ln sum_i exp(LSE_i), O = sum_i exp(LSE_i - LSE) O_i</c>; a part with -inf counts nothing,
    /// whatever its O is.</summary>
    /// <param name="outputs">Address of O_i of each part, D floats.</param>
    /// <param name="logSumExps">Address of LSE_i of each part.</param>
    /// <param name="headDim">D.</param>
    /// <param name="output">O, D floats.</param>
    /// <returns>LSE; -inf, with O = 0, when every part is -inf.</returns>
    public static float Merge<T>(ReadOnlySpan<nint> outputs, ReadOnlySpan<nint> logSumExps, int headDim, float* output)
        where T : unmanaged, ISimd<T>
    {
        double max = double.NegativeInfinity, sum = 0;
        foreach (nint lse in logSumExps)
            max = Math.Max(max, *(float*)lse);
        new Span<float>(output, headDim).Clear();
        if (max == double.NegativeInfinity)
            return float.NegativeInfinity;
        foreach (nint lse in logSumExps)
            sum += Math.Exp(*(float*)lse - max);
        for (int p = 0; p < outputs.Length; p++)
            if (!float.IsNegativeInfinity(*(float*)logSumExps[p]))
                AddScaled<T>((float*)outputs[p], (float)(Math.Exp(*(float*)logSumExps[p] - max) / sum), headDim,
                    output);
        return ExactAttention.Saturate(max + Math.Log(sum));
    }

    private static void AddScaled<T>(float* row, float weight, int headDim, float* output)
        where T : unmanaged, ISimd<T>
    {
        int d = 0;
        for (; d + T.Count <= headDim; d += T.Count)
            T.Store(T.FusedMultiplyAdd(T.Create(weight), T.Load(row + d), T.Load(output + d)), output + d);
        for (; d < headDim; d++)
            output[d] += weight * row[d];
    }
}
