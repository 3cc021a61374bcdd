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
            SingleColumn<TRow, TStep, TTile>(p, rows, column, tile);
    }

    /// <summary>A whole product, row tile by row tile: each row of A is read once, for all columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void MultiplyByRows<TRow, TStep, TTile>(in Product p, nint rows, nint columns, TTile tile)
        where TRow : struct, IStride where TStep : struct, IStride where TTile : struct, ITile<T>
    {
        nint row = 0;
        for (; row < rows; row += Height)
        {
            nint height = Math.Min(Height, rows - row), column = 0;
            for (; column + PairWidth <= columns; column += PairWidth)
                if (height < Height)
                    LastRows<TRow, TStep, TTile>(p, row, height, column, tile);
                else if (T.HasManyRegisters)
                    Tile8x2<TRow, TStep, TTile>(p, row, column, tile);
                else
                    Tile6x2<TRow, TStep, TTile>(p, row, column, tile);
        }
        nint rest = columns / PairWidth * PairWidth;
        if (rest < columns)
            SingleColumn<TRow, TStep, TTile>(p, rows, rest, tile);
    }

    // One register wide: what is left of the columns.
    private static void SingleColumn<TRow, TStep, TTile>(in Product p, nint rows, nint column, TTile tile)
        where TRow : struct, IStride where TStep : struct, IStride where TTile : struct, ITile<T>
    {
        nint row = 0;
        for (; row + 8 <= rows; row += 8)
            Tile8x1<TRow, TStep, TTile>(p, row, column, tile);
        for (; row + 4 <= rows; row += 4)
            Tile4x1<TRow, TStep, TTile>(p, row, column, tile);
        for (; row < rows; row++)
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
