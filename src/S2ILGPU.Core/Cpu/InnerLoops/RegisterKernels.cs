using System.Runtime.CompilerServices;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Simd;

namespace S2ILGPU.Cpu.InnerLoops;

/// <summary>
/// Products <c>C[rows, columns] (+)= A[rows, steps] B[steps, columns]</c> out of register tiles: some rows high, one or
/// two registers wide, every accumulator in a register of its own.
/// The tiles are generated source (<c>RegisterKernels.g.cs</c>), because accumulators in an array are 3 to 5 times
/// slower.
/// </summary>
internal static unsafe partial class RegisterKernels<T>
    where T : unmanaged, ISimd<T>
{
    /// <summary>Floats in a row of a tile that is two registers wide.</summary>
    public static int PairWidth => 2 * T.Count;

    /// <summary>Rows of the usual tile: 16 accumulators of 32 registers, or 12 of 16.</summary>
    public static int Height => T.HasManyRegisters ? 8 : 6;

    /// <summary>Rows of the highest tile, for packed operands: 24 accumulators of 32 registers, or 12 of 16.</summary>
    public static int PackedHeight => T.HasManyRegisters ? 12 : 6;

    /// <summary>A whole product.</summary>
    /// <param name="p">The operands.</param>
    /// <param name="rows">Any number of rows.</param>
    /// <param name="columns">Columns, a multiple of the register width.</param>
    /// <param name="tile">How tiles begin and end.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply<TRow, TStep, TTile>(in Product p, nint rows, nint columns, TTile tile)
        where TRow : struct, IStride where TStep : struct, IStride where TTile : struct, ITile<T>
    {
        nint column = 0;
        for (; column + PairWidth <= columns; column += PairWidth)
        {
            nint row = 0;
            for (; row + Height <= rows; row += Height)
                if (T.HasManyRegisters)
                    Tile8x2<TRow, TStep, TTile>(p, row, column, tile);
                else
                    Tile6x2<TRow, TStep, TTile>(p, row, column, tile);
            LastRows<TRow, TStep, TTile>(p, row, rows - row, column, tile);
        }
        if (column < columns)
            SingleColumn<TRow, TStep, TTile>(p, 0, rows, column, tile);
    }

    /// <summary>A product of panels: B and C lie in panels of <see cref="PairWidth"/> columns, whose rows follow each
    /// other: a panel takes few places in a cache, each once. A row tile of A is read once for as many columns as
    /// stay in the first-level cache.</summary>
    /// <param name="p">The operands; of B and C the first panel.</param>
    /// <param name="panels">Where tiles of A and panels lie, and how many panels are taken at a time.</param>
    /// <param name="rows">Any number of rows.</param>
    /// <param name="firstColumn">First column, a multiple of the register width.</param>
    /// <param name="endColumn">Exclusive end, a multiple of the register width.</param>
    /// <param name="tile">How tiles begin and end; its columns count from the first panel.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void MultiplyPanels<TRow, TStep, TTile>(in Product p, in PanelStrides panels, nint rows,
        nint firstColumn, nint endColumn, TTile tile)
        where TRow : struct, IStride where TStep : struct, IStride where TTile : struct, ITile<T>
    {
        var now = p;
        nint columnsAtOnce = Math.Max(1, panels.FloatsOfB / Math.Max(1, p.Steps) / PairWidth) * PairWidth;
        for (nint first = firstColumn, end; first < endColumn; first = end)
        {
            end = Math.Min(endColumn, first + columnsAtOnce);
            now.A = p.A;
            for (nint row = 0; row < rows; row += Height, now.A += panels.TileGap)
            {
                nint height = Math.Min(Height, rows - row);
                for (nint column = first, next; column < end; column = next)
                {
                    // A tile adds its column to both addresses, for its own ends.
                    nint panel = column / PairWidth;
                    now.B = p.B + panel * (panels.B - PairWidth);
                    now.C = p.C + panel * (panels.C - PairWidth);
                    next = (panel + 1) * PairWidth;
                    if (next - column < PairWidth || next > end)
                    {
                        next = column + T.Count;
                        SingleColumn<TRow, TStep, TTile>(now, row, row + height, column, tile);
                    }
                    else if (height < Height)
                        LastRows<TRow, TStep, TTile>(now, row, height, column, tile);
                    else if (T.HasManyRegisters)
                        Tile8x2<TRow, TStep, TTile>(now, row, column, tile);
                    else
                        Tile6x2<TRow, TStep, TTile>(now, row, column, tile);
                }
            }
        }
    }

    // One register wide: what is left of the columns.
    private static void SingleColumn<TRow, TStep, TTile>(in Product p, nint row, nint endRow, nint column, TTile tile)
        where TRow : struct, IStride where TStep : struct, IStride where TTile : struct, ITile<T>
    {
        for (; row + 8 <= endRow; row += 8)
            Tile8x1<TRow, TStep, TTile>(p, row, column, tile);
        for (; row + 4 <= endRow; row += 4)
            Tile4x1<TRow, TStep, TTile>(p, row, column, tile);
        for (; row < endRow; row++)
            Tile1x1<TRow, TStep, TTile>(p, row, column, tile);
    }

    private static void LastRows<TRow, TStep, TTile>(in Product p, nint row, nint rows, nint column, TTile tile)
        where TRow : struct, IStride where TStep : struct, IStride where TTile : struct, ITile<T>
    {
        switch (rows)
        {
            case 1: Tile1x2<TRow, TStep, TTile>(p, row, column, tile); break;
            case 2: Tile2x2<TRow, TStep, TTile>(p, row, column, tile); break;
            case 3: Tile3x2<TRow, TStep, TTile>(p, row, column, tile); break;
            case 4: Tile4x2<TRow, TStep, TTile>(p, row, column, tile); break;
            case 5: Tile5x2<TRow, TStep, TTile>(p, row, column, tile); break;
            case 6: Tile6x2<TRow, TStep, TTile>(p, row, column, tile); break;
            case 7: Tile7x2<TRow, TStep, TTile>(p, row, column, tile); break;
        }
    }
}

/// <summary>Distance between steps of a packed tile of the usual height.</summary>
internal readonly struct TileStep<T> : IStride where T : unmanaged, ISimd<T>
{
    public static nint Of(nint operandStride) => RegisterKernels<T>.Height;
}
