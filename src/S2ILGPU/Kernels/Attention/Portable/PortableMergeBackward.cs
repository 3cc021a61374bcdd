using ILGPU;
using ILGPU.Algorithms;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.Attention.Portable;

/// <summary>Arguments of <see cref="PortableMergeBackward"/>; float32.</summary>
internal struct PortableMergeBackwardArguments
{
    /// <summary>O_i, O and dO [B, N, H, D]; LSE_i, LSE and, if there is one, dLSE [B, H, N]. Read.</summary>
    public ArrayView<float> PartOutput, Output, OutputGradient, PartLogSumExp, LogSumExp, LogSumExpGradient;

    /// <summary>dO_i and dLSE_i. Written.</summary>
    public ArrayView<float> PartOutputGradient, PartLogSumExpGradient;

    /// <summary>Where the rows of each lie.</summary>
    public RowStrides PartOutputRows, OutputRows, OutputGradientRows, PartLogSumExpRows, LogSumExpRows,
        LogSumExpGradientRows, PartOutputGradientRows, PartLogSumExpGradientRows;

    /// <summary>Batch * N * H, N, H, D, and whether there is a gradient of the log-sum-exp.</summary>
    public int Rows, Tokens, Heads, HeadDim, HasLogSumExpGradient;
}

/// <summary><c>w = exp(LSE_i - LSE), dO_i = w dO, dLSE_i = w (rowsum(dO (O_i - O)) + dLSE)</c>; 0 for a part with -inf.
/// A thread owns rows.</summary>
internal static class PortableMergeBackward
{
    private const float Log2E = 1.4426950408889634f;

    public static void Kernel(PortableMergeBackwardArguments a)
    {
        for (int r = Grid.IdxX * Group.DimX + Group.IdxX; r < a.Rows; r += Grid.DimX * Group.DimX)
        {
            int token = r / a.Heads, head = r - token * a.Heads, batch = token / a.Tokens,
                row = token - batch * a.Tokens;
            long part = At(a.PartOutputRows, batch, row, head), output = At(a.OutputRows, batch, row, head),
                gradient = At(a.OutputGradientRows, batch, row, head),
                target = At(a.PartOutputGradientRows, batch, row, head);
            float lse = a.PartLogSumExp[At(a.PartLogSumExpRows, batch, row, head)], sum = a.HasLogSumExpGradient != 0
                ? a.LogSumExpGradient[At(a.LogSumExpGradientRows, batch, row, head)] : 0;
            bool counts = lse != float.NegativeInfinity; // otherwise its output may be anything
            float weight = XMath.Exp2((lse - a.LogSumExp[At(a.LogSumExpRows, batch, row, head)]) * Log2E);
            for (int d = 0; d < a.HeadDim; d++)
            {
                float g = a.OutputGradient[gradient + d];
                sum += g * (a.PartOutput[part + d] - a.Output[output + d]);
                a.PartOutputGradient[target + d] = counts ? weight * g : 0;
            }
            a.PartLogSumExpGradient[At(a.PartLogSumExpGradientRows, batch, row, head)] = counts ? weight * sum : 0;
        }
    }

    private static long At(in RowStrides rows, int batch, int row, int head) =>
        rows.Offset + batch * rows.Batch + row * rows.Row + head * rows.Head;
}
