using S2ILGPU.Cpu.Simd;

namespace S2ILGPU.Cpu.Attention;

/// <summary>The results of one query over disjoint parts of its keys, at even distances.</summary>
/// <param name="Output">Address of the first part's row of O.</param>
/// <param name="OutputStride">Floats from one part to the next.</param>
/// <param name="LogSumExp">Address of the first part's log-sum-exp.</param>
/// <param name="LogSumExpStride">Floats from one part to the next.</param>
/// <param name="Parts">Number of parts.</param>
internal readonly unsafe record struct PartialRows(nint Output, nint OutputStride, nint LogSumExp, nint LogSumExpStride, int Parts)
{
    /// <summary><c>LSE = ln sum_i exp(LSE_i), O = sum_i exp(LSE_i - LSE) O_i</c>; a part with -inf counts nothing.</summary>
    /// <returns>LSE; -inf, with O = 0, when every part is -inf.</returns>
    public static float Merge<T>(PartialRows parts, int headDim, float* output)
        where T : unmanaged, ISimd<T>
    {
        double max = double.NegativeInfinity, sum = 0;
        for (int p = 0; p < parts.Parts; p++)
            max = Math.Max(max, parts.LogSumExpOf(p));
        for (int p = 0; p < parts.Parts && max != double.NegativeInfinity; p++)
            sum += Math.Exp(parts.LogSumExpOf(p) - max);
        new Span<float>(output, headDim).Clear();
        for (int p = 0; p < parts.Parts && sum > 0; p++)
        {
            float weight = (float)(Math.Exp(parts.LogSumExpOf(p) - max) / sum);
            if (weight == 0)
                continue;
            float* row = (float*)parts.Output + p * parts.OutputStride;
            int d = 0;
            for (; d + T.Count <= headDim; d += T.Count)
                T.Store(T.FusedMultiplyAdd(T.Create(weight), T.Load(row + d), T.Load(output + d)), output + d);
            for (; d < headDim; d++)
                output[d] += weight * row[d];
        }
        return sum > 0 ? ExactAttention.Saturate(max + Math.Log(sum)) : float.NegativeInfinity;
    }

    private float LogSumExpOf(int part) => ((float*)LogSumExp)[part * LogSumExpStride];
}
