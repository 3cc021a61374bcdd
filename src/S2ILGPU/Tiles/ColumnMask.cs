using System.Runtime.CompilerServices;
using ILGPU;

namespace S2ILGPU.Tiles;

/// <summary>Which scores of a column tile are visible: those of kept sub-blocks, of existing columns and, in causal
/// attention, of columns at or before the row's position. Rows are queries; the backward pass has a mask of its
/// own.</summary>
/// <remarks>Bit and limits are folded into one reach per row and 16 columns, so that an element costs one comparison.
/// Lane geometry is computed here instead of being carried through the loop without masks.</remarks>
internal static class ColumnMask<TShape> where TShape : struct, ITileShape
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <summary>Sets the scores that rows of queries must not see to -inf.</summary>
    /// <param name="scores">S of the columns from <paramref name="firstColumn"/> on.</param>
    /// <param name="lists">The lists.</param>
    /// <param name="columnTile">The column tile.</param>
    /// <param name="firstColumn">First column of the step in the tile.</param>
    /// <param name="causal">Whether positions matter, 1 or 0.</param>
    [MethodImpl(Inline)]
    public static void HideFromQueries(in AccumulatorFragment<TShape, Step<TShape>> scores, in ColumnLists lists,
        int columnTile, int firstColumn, int causal)
    {
        int lane = Group.IdxX & 31, warp = Group.IdxX >> 5, row = warp * 16 * TShape.RowTiles + (lane >> 2);
        int lastColumn = lists.Rows[Grid.IdxX].ColumnEnd - 1 - (lane & 3) * 2,
            position = lists.Rows[Grid.IdxX].FirstPosition + row - (lane & 3) * 2;
        uint bits = lists.Masks[columnTile];
        for (int m = 0; m < TShape.RowTiles; m++)
        {
            int above = causal != 0 ? IntrinsicMath.Min(position + m * 16, lastColumn) : lastColumn, below = causal != 0
                ? IntrinsicMath.Min(position + m * 16 + 8, lastColumn) : lastColumn;
            uint rowBits = bits >> ((warp * TShape.RowTiles + m) * 4);
            for (int k = 0; k < TShape.StepColumns / 16; k++)
            {
                int column = firstColumn + k * 16,
                    first = lists.Positions[columnTile * TileLayout<TShape>.Entries + column / TShape.BlockColumns]
                    + column % TShape.BlockColumns;
                bool kept = (rowBits & (1u << (column / 16))) != 0;
                Hide(scores, m, k, kept ? above - first : -1, kept ? below - first : -1);
            }
        }
    }

    /// <summary>Hides the columns 2t + i of a 16x16 tile with i above the reach of their row.</summary>
    /// <param name="scores">S.</param>
    /// <param name="m">Row tile.</param>
    /// <param name="k">Column tile.</param>
    /// <param name="above">Reach of row g.</param>
    /// <param name="below">Reach of row g + 8.</param>
    [MethodImpl(Inline)]
    public static void Hide(in AccumulatorFragment<TShape, Step<TShape>> scores, int m, int k, int above, int below)
    {
        for (int n = 0; n < 2; n++)
        {
            int x = AccumulatorFragment<TShape, Step<TShape>>.At(m, k * 2 + n);
            scores.Values[x] = above >= n * 8 ? scores.Values[x] : float.NegativeInfinity;
            scores.Values[x + 1] = above >= n * 8 + 1 ? scores.Values[x + 1] : float.NegativeInfinity;
            scores.Values[x + 2] = below >= n * 8 ? scores.Values[x + 2] : float.NegativeInfinity;
            scores.Values[x + 3] = below >= n * 8 + 1 ? scores.Values[x + 3] : float.NegativeInfinity;
        }
    }
}
