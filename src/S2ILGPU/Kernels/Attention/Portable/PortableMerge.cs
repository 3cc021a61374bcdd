using ILGPU;
using ILGPU.Algorithms;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.Attention.Portable;

/// <summary>Arguments of <see cref="PortableMerge"/>.</summary>
internal struct PortableMergeArguments
{
    /// <summary>The row tiles of parts of lists; otherwise unused.</summary>
    public ArrayView<RowTile> Rows;

    /// <summary>O and LSE of the parts: read. O [B, N, H, D] and LSE [B, H, N]: written.</summary>
    public ArrayView<float> PartOutput, PartLogSumExp, Output, LogSumExp;

    /// <summary>Where the rows of O and LSE lie.</summary>
    public RowStrides OutputRows, LogSumExpRows;

    /// <summary>Distance between parts of the same row, in elements of O and in log-sum-exps.</summary>
    public long OutputStep, LogSumExpStep;

    /// <summary>Number of rows, parts of each, elements of a row; Nq and H of the output.</summary>
    public int Count, Parts, HeadDim, Tokens, Heads;

    /// <summary>Rows of a row tile: 1 where they are decoded queries.</summary>
    public int TileRows;
}

/// <summary><c>M = max LSE_p, LSE = M + ln sum exp(LSE_p - M), O = sum exp(LSE_p - LSE) O_p</c>; a thread owns elements
/// of O.</summary>
/// <remarks>Roofline: memory bandwidth, one read of the parts; the share was not measured.</remarks>
internal static class PortableMerge
{
    private const float Log2E = 1.4426950408889634f, Ln2 = 0.693147180559945f;

    /// <summary>Parts [row tile, row, part] of the lists of row tiles.</summary>
    public static void Splits(PortableMergeArguments a)
    {
        for (int n = Grid.IdxX * Group.DimX + Group.IdxX; n < a.Count * a.HeadDim; n += Grid.DimX * Group.DimX)
        {
            int r = n / a.HeadDim, d = n - r * a.HeadDim;
            int tile = r / a.TileRows, row = r - tile * a.TileRows;
            var rows = a.Rows[tile];
            // A query that sees keys, all with scores of -inf, is 0 / 0.
            float nothing = (rows.SeenRows >> row / 16 & 1) != 0 ? float.NaN : 0;
            row += rows.FirstRow;
            if (row >= rows.BeginRow && row < rows.EndRow)
                Merge(a, (long)r * a.Parts * a.HeadDim + d, (long)r * a.Parts, d, rows.Batch, row, rows.Head,
                    nothing);
        }
    }

    /// <summary>Parts [part, b, n, h], their log-sum-exps [part, b, h, n].</summary>
    public static void Parts(PortableMergeArguments a)
    {
        for (int n = Grid.IdxX * Group.DimX + Group.IdxX; n < a.Count * a.HeadDim; n += Grid.DimX * Group.DimX)
        {
            int r = n / a.HeadDim, d = n - r * a.HeadDim, token = r / a.Heads, head = r - token * a.Heads,
                batch = token / a.Tokens, row = token - batch * a.Tokens;
            Merge(a, n, ((long)batch * a.Heads + head) * a.Tokens + row, d, batch, row, head, 0);
        }
    }

    // nothing: the output of a row of which no part counts.
    private static void Merge(in PortableMergeArguments a, long firstOutput, long firstLogSumExp, int d, int batch,
        int row, int head, float nothing)
    {
        float maximum = float.NegativeInfinity, sum = 0, output = 0;
        for (int p = 0; p < a.Parts; p++)
            maximum = XMath.Max(maximum, a.PartLogSumExp[firstLogSumExp + p * a.LogSumExpStep]);
        for (int p = 0; p < a.Parts; p++)
        {
            float lse = a.PartLogSumExp[firstLogSumExp + p * a.LogSumExpStep];
            if (lse == float.NegativeInfinity) // its output may be anything
                continue;
            float weight = XMath.Exp2((lse - maximum) * Log2E); // NaN where the part is NaN
            sum += weight;
            output += weight * a.PartOutput[firstOutput + p * a.OutputStep];
        }
        a.Output[a.OutputRows.Offset + batch * a.OutputRows.Batch + row * a.OutputRows.Row + head * a.OutputRows.Head
            + d] = sum == 0 ? nothing : output / sum;
        if (d == 0)
            a.LogSumExp[a.LogSumExpRows.Offset + batch * a.LogSumExpRows.Batch + row * a.LogSumExpRows.Row + head
                * a.LogSumExpRows.Head] =
                sum == 0 ? float.NegativeInfinity + nothing : maximum + XMath.Log2(sum) * Ln2;
    }
}
