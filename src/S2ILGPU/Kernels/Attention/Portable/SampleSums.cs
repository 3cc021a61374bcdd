using ILGPU;
using ILGPU.Algorithms;

namespace S2ILGPU.Kernels.Attention.Portable;

/// <summary>Arguments of <see cref="SampleSums"/>.</summary>
internal struct SampleSumArguments
{
    /// <summary>As <see cref="SampleScores"/> wrote them, [heads, R, pieces]. Read.</summary>
    public ArrayView<float> Scores;

    /// <summary>The positions of the rows. Read.</summary>
    public ArrayView<int> Rows;

    /// <summary>LSE [H, R]: written, then read.</summary>
    public ArrayView<float> LogSumExp;

    /// <summary>Sums by key block and by distance of blocks, [H, blocks]. Written.</summary>
    public ArrayView<float> Columns, Slashes;

    /// <summary>First query head of the launch, and their number.</summary>
    public int FirstHead, Heads;

    /// <summary>Pieces of a row, keys of a piece, pieces of a block, blocks.</summary>
    public int Pieces, PieceKeys, BlockPieces, Blocks;
}

/// <summary><c>LSE_i = ln sum_b exp(S_ib)</c> over the pieces b that row i sees, then <c>columns_n = sum_i exp(S_in -
/// LSE_i)</c> and <c>slashes_n = sum_i exp(S_i,b(i)-n - LSE_i)</c>, b(i) being the block of row i.</summary>
/// <remarks>A thread owns a row, or one sum, whose terms it adds in their order. Roofline: memory bandwidth, scores are
/// read three times; the share was not measured.</remarks>
internal static class SampleSums
{
    private const float Log2E = 1.4426950408889634f, Ln2 = 0.693147180559945f;

    /// <summary>The log-sum-exps; NaN where one is not finite.</summary>
    public static void Rows(SampleSumArguments a)
    {
        int rows = a.Rows.IntLength;
        for (int n = Grid.IdxX * Group.DimX + Group.IdxX; n < a.Heads * rows; n += Grid.DimX * Group.DimX)
        {
            int pieces = a.Rows[n % rows] / a.PieceKeys + 1;
            long first = (long)n * a.Pieces;
            float maximum = float.NegativeInfinity, sum = 0;
            for (int p = 0; p < pieces; p++)
                maximum = XMath.Max(maximum, a.Scores[first + p]);
            for (int p = 0; p < pieces; p++)
                sum += XMath.Exp2((a.Scores[first + p] - maximum) * Log2E);
            float lse = maximum + XMath.Log2(sum) * Ln2;
            bool isFinite = lse > float.NegativeInfinity && lse < float.PositiveInfinity;
            a.LogSumExp[a.FirstHead * rows + n] = isFinite ? lse : float.NaN;
        }
    }

    /// <summary>The sums.</summary>
    public static void Blocks(SampleSumArguments a)
    {
        int sums = a.Heads * a.Blocks;
        for (int n = Grid.IdxX * Group.DimX + Group.IdxX; n < 2 * sums; n += Grid.DimX * Group.DimX)
        {
            bool isSlash = n >= sums;
            int at = isSlash ? n - sums : n, head = at / a.Blocks, block = at - head * a.Blocks,
                to = a.FirstHead * a.Blocks + at;
            float sum = Sum(a, head, block, isSlash);
            if (isSlash)
                a.Slashes[to] = sum;
            else
                a.Columns[to] = sum;
        }
    }

    private static float Sum(in SampleSumArguments a, int head, int n, bool isSlash)
    {
        int rows = a.Rows.IntLength, blockKeys = a.PieceKeys * a.BlockPieces;
        float sum = 0;
        for (int r = 0; r < rows; r++)
        {
            int position = a.Rows[r], own = position / blockKeys, block = isSlash ? own - n : n;
            if (block < 0 || block > own)
                continue;
            float lse = a.LogSumExp[(a.FirstHead + head) * rows + r];
            long first = ((long)head * rows + r) * a.Pieces;
            int end = IntrinsicMath.Min((block + 1) * a.BlockPieces, position / a.PieceKeys + 1);
            for (int piece = block * a.BlockPieces; piece < end; piece++)
                sum += XMath.Exp2((a.Scores[first + piece] - lse) * Log2E);
        }
        return sum;
    }
}
