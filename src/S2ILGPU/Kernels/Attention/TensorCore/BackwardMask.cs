using System.Runtime.CompilerServices;
using ILGPU;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.Attention.TensorCore;

/// <summary>
/// Which scores of a column tile are visible to the lane's two rows: those of kept sub-blocks, of existing columns and,
/// in causal attention, of keys at or before the position of their query.
/// </summary>
/// <remarks>
/// <para>Bit and limits are folded into one excess per row and 16 columns, how far the lane's first column lies beyond
/// what the row reaches, so that an element costs one comparison. Rows = keys: columns of queries that do not exist
/// have weight 0 by their log-sum-exp, and need no limit.</para>
/// <para>The lists are read before the product S that the mask is for, which hides the latency, at a point where dP
/// takes no registers yet.</para>
/// </remarks>
internal static class BackwardMask<TShape> where TShape : struct, IBackwardShape
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;
    private const int Beyond = 1 << 29;       // beyond every limit, and far from the end of the integers

    /// <summary>Reads the mask of the columns from <paramref name="firstColumn"/> on of a column tile.</summary>
    /// <param name="excess">Written, [StepColumns / 16, 2].</param>
    /// <param name="lists">The lists.</param>
    /// <param name="columnTile">The column tile.</param>
    /// <param name="firstColumn">First column of the step in the tile.</param>
    /// <param name="causal">Whether positions matter, 1 or 0.</param>
    [MethodImpl(Inline)]
    public static void Load(ArrayView<int> excess, in ColumnLists lists, int columnTile, int firstColumn, int causal)
    {
        int lane = Group.IdxX & 31, warp = Group.IdxX >> 5,
            above = lists.Rows[Grid.IdxX].FirstPosition + warp * 16 + (lane >> 2), below = above + 8;
        int none = TShape.RowsAreKeys ? -Beyond : lists.Rows[Grid.IdxX].ColumnEnd - 1;
        if (!TShape.RowsAreKeys)
        {
            above = IntrinsicMath.Min(above, none);
            below = IntrinsicMath.Min(below, none);
        }
        above = causal != 0 ? above : none;
        below = causal != 0 ? below : none;
        uint bits = lists.Masks[columnTile] >> (warp * 4);
        for (int k = 0; k < TShape.StepColumns / 16; k++)
        {
            int column = firstColumn + k * 16;
            int first = lists.Positions[columnTile * TileLayout<TShape>.Entries + column / TShape.BlockColumns]
                + column % TShape.BlockColumns + (lane & 3) * 2;
            bool kept = (bits & (1u << (column / 16))) != 0;
            int sign = TShape.RowsAreKeys ? 1 : -1, excessAbove = (above - first) * sign,
                excessBelow = (below - first) * sign;
            excess[k * 2] = kept ? excessAbove : Beyond;
            excess[k * 2 + 1] = kept ? excessBelow : Beyond;
        }
    }

    /// <summary>Sets the scores that must not be seen to -inf.</summary>
    [MethodImpl(Inline)]
    public static void Hide(in AccumulatorFragment<TShape, Step<TShape>> scores, ArrayView<int> excess)
    {
        for (int n = 0; n < TShape.StepColumns / 8; n++)
        {
            for (int e = 0; e < 4; e++)
            {
                int sign = TShape.RowsAreKeys ? 1 : -1;
                // a value, so that the choice is a select instruction: array elements become branches
                float score = scores.Values[n * 4 + e];
                scores.Values[n * 4 + e] = excess[n / 2 * 2 + e / 2] <= (n % 2 * 8 + e % 2) * sign ? score
                    : float.NegativeInfinity;
            }
        }
    }
}
