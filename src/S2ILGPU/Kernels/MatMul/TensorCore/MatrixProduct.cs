using System.Runtime.CompilerServices;
using ILGPU;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.MatMul.TensorCore;

/// <summary><c>C (+)= A B + bias + residual</c> of 16-bit operands with sums in single precision, either operand
/// transposed or not; of single-precision operands A [M, K] and B [N, K], rounded to TF32.</summary>
/// <remarks>
/// <para>Elements of 32 bits are two neighbouring columns to everything but the product itself: a row of 8 is a row of
/// 16 halves, and the loads of fragments give each lane whole words.</para>
/// <para>A group owns a tile of C, a warp 64 x 64 or 32 x 32 elements of it, which stay in registers (mma). <see
/// cref="PanelPipeline{TShape, TTileA, TTileB}"/> brings panels of 64 steps of A and B as they lie (cp.async); the
/// loads of fragments transpose (ldmatrix, ldmatrix.trans). Results pass through shared memory, so that rows of C are
/// written, and those of a residual read, in runs of 8 or 16 bytes per lane. Groups along the second dimension of the
/// grid take a part of K each, whose sums <see cref="PartSum"/> adds.</para>
/// <para>Sums go from the first step to the last, 16 at a time, whatever the tile: bits depend on the parts
/// alone.</para>
/// <para>Roofline: tensor cores. Of the main loop of the tiles of 64 x 64 per warp 55 to 65 % are products (counted
/// from SASS); no device has measured it.</para>
/// </remarks>
internal static class MatrixProduct
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <summary>Threads of a group.</summary>
    [MethodImpl(Inline)]
    public static int Threads<TShape>() where TShape : struct, IProductShape =>
        TShape.Rows / TShape.WarpRows * (TShape.Columns / TShape.WarpColumns) * 32;

    /// <summary>Dynamic shared memory in bytes: the stages, and in their place the tile of results.</summary>
    public static int SharedBytes<TShape, TTileA, TTileB>() where TShape : struct, IProductShape
        where TTileA : struct, ITileShape where TTileB : struct, ITileShape =>
        Math.Max(PanelPipeline<TShape, TTileA, TTileB>.SharedBytes,
        TShape.Rows * FloatTile<GroupColumns<TShape>>.RowBytes);

    /// <summary>The kernel. Grid: one group per tile of C, and part.</summary>
    public static void Kernel<TElement, TShape, TTileA, TTileB>(MatrixProductArguments a)
        where TElement : struct, IElement where TShape : struct, IProductShape
        where TTileA : struct, ITileShape where TTileB : struct, ITileShape
    {
        var tile = TileRaster.Of(Grid.IdxX, (a.C.Rows + TShape.Rows - 1) / TShape.Rows,
            (a.C.Columns + TShape.Columns - 1) / TShape.Columns);
        int panels = (a.Steps + 63) / 64, panel = panels * Grid.IdxY / a.Parts,
            end = panels * (Grid.IdxY + 1) / a.Parts, ahead = TShape.Stages - 1,
            full = IntrinsicMath.Min(end, a.Steps / 64) - ahead; // from there on, not all that is loaded exists
        int firstRow = tile.Row * TShape.Rows, firstColumn = tile.Column * TShape.Columns;
        var memory = SharedMemory.GetDynamic<U4>();
        uint shared = Intrinsics.SharedAddress(ref memory[0]);
        var operands = PanelPipeline<TShape, TTileA, TTileB>.At(a, memory, shared, firstRow, firstColumn);
        var sums = AccumulatorFragment<TTileA, WarpColumns<TShape>>.Allocate();
        var scratch = RowFragment<TTileA, N16>.Allocate();
        sums.Zero();

        int steps = IntrinsicMath.Min(end * 64, a.Steps);
        operands.Start(panel, steps - panel * 64);
        while (panel + TShape.Stages <= full)           // every stage once, so that their addresses are constants
        {
            for (int s = 0; s < TShape.Stages; s++)
            {
                PanelPipeline<TShape, TTileA, TTileB>.Wait();
                Group.Barrier();                        // the panel is ready; all warps have read the one before
                operands.Load(panel, s);
                Multiply<TElement, TShape, TTileA, TTileB>(sums, operands.Panel(s), scratch);
            }
            panel += TShape.Stages;
        }
        uint stage = 0;
        while (panel < end)
        {
            PanelPipeline<TShape, TTileA, TTileB>.Wait();
            Group.Barrier();
            operands.LoadOrZero(panel + ahead, PanelPipeline<TShape, TTileA, TTileB>.Before(stage),
                steps - (panel + ahead) * 64);
            Multiply<TElement, TShape, TTileA, TTileB>(sums, operands.PanelIn(stage), scratch);
            stage = PanelPipeline<TShape, TTileA, TTileB>.After(stage);
            panel++;
        }
        Intrinsics.CopyWait0();
        Group.Barrier();                                // all warps have read the last panel
        int warp = Group.IdxX >> 5, across = TShape.Columns / TShape.WarpColumns;
        FloatTile<GroupColumns<TShape>>.Store(sums, memory, shared, warp / across * TShape.WarpRows,
            warp % across * TShape.WarpColumns);
        Group.Barrier();
        Store<TElement, TShape>(a, memory, shared, firstRow, firstColumn);
    }

    /// <summary><c>C += A B</c> over the 64 steps of a panel.</summary>
    [MethodImpl(Inline)]
    private static void Multiply<TElement, TShape, TTileA, TTileB>(
        in AccumulatorFragment<TTileA, WarpColumns<TShape>> sums,
        in Panel<TTileA, TTileB> operands, in RowFragment<TTileA, N16> scratch)
        where TElement : struct, IElement where TShape : struct, IProductShape
        where TTileA : struct, ITileShape where TTileB : struct, ITileShape
    {
        for (int k = 0; k < 4; k++)
        {
            for (int m = 0; m < TTileA.RowTiles; m++)
                scratch.SetTile(m, 0, TShape.TransposeA
                    ? operands.A.LoadRowsTransposed(k * 16, m) : operands.A.LoadRows(m * 16, k));
            for (int n = 0; n < TShape.WarpColumns / 16; n++)
            {
                var columns = TShape.TransposeB ? operands.B.LoadColumns(n * 16, k)
                    : operands.B.LoadTransposed(k * 16, n);
                for (int m = 0; m < TTileA.RowTiles; m++)
                    sums.MultiplyAdd<TElement>(m, n, scratch.Tile(m, 0), columns);
            }
        }
    }

    /// <summary>Puts the tile of results, which lies in shared memory, in place.</summary>
    [MethodImpl(Inline)]
    private static void Store<TElement, TShape>(in MatrixProductArguments a, ArrayView<U4> memory, uint address,
        int firstRow, int firstColumn) where TElement : struct, IElement where TShape : struct, IProductShape
    {
        var c = a.C;
        c.Offset += Grid.IdxY * a.PartElements;
        int quads = FloatTile<GroupColumns<TShape>>.Quads, quad = Group.IdxX % quads, row = Group.IdxX / quads,
            rows = IntrinsicMath.Min(TShape.Rows, c.Rows - firstRow), column = firstColumn + quad * 4;
        if (column >= c.Columns)
            return;
        var bias = c.BiasOf(column);
        while (row < rows)
        {
            c.Put<TElement>(firstRow + row, column, FloatTile<GroupColumns<TShape>>.Load(memory, address, row, quad),
                bias);
            row += Threads<TShape>() / quads;
        }
    }
}
