using System.Runtime.CompilerServices;
using ILGPU;

namespace S2ILGPU.Tiles;

/// <summary>The part of one thread in copying the tiles of a <see cref="Matrix"/> that a group of threads multiplies,
/// one after the other along the steps over which the product sums.</summary>
/// <remarks>
/// Steps are columns (tiles [lanes, 64]) or rows (tiles [64, lanes]) of the matrix; lanes are the rows or columns of
/// the result. Lanes beyond the matrix hold anything finite or not: they reach only results that are not stored. Steps
/// beyond it hold zeros.
/// </remarks>
internal struct MatrixCopy<TTile> where TTile : struct, ITileShape
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <summary>Steps of a tile.</summary>
    public const int Steps = 64;

    private ArrayView<U4> _shared, _matrix;
    private ArrayView<uint> _rows;          // byte offset of the thread's chunk in each of its rows
    private ulong _origin, _distance;       // in bytes: the first tile, and from tile to tile
    private uint _target;
    private int _row, _column, _columnsLeft;

    /// <summary>The part of the calling thread.</summary>
    /// <param name="shared">The group's shared memory.</param>
    /// <param name="address">Address of the tile in the first stage.</param>
    /// <param name="matrix">The operand.</param>
    /// <param name="firstLane">First lane of the group.</param>
    /// <param name="stepsAreRows">Whether steps are rows; a constant.</param>
    [MethodImpl(Inline)]
    public static MatrixCopy<TTile> At(ArrayView<U4> shared, uint address, in Matrix matrix, int firstLane,
        bool stepsAreRows)
    {
        int row = TileLayout<TTile>.CopyRow(Group.IdxX), chunk = TileLayout<TTile>.CopyChunk(Group.IdxX);
        MatrixCopy<TTile> copy = default;
        copy._shared = shared;
        copy._matrix = matrix.Memory;
        copy._origin = (ulong)(matrix.Offset + (stepsAreRows ? firstLane : firstLane * matrix.Stride)) * 2;
        copy._distance = stepsAreRows ? (ulong)matrix.Stride * (Steps * 2) : Steps * 2;
        copy._target = Intrinsics.Pin(address + TileLayout<TTile>.Chunk(row, chunk));
        copy._row = (int)Intrinsics.Pin((uint)row);
        copy._column = (int)Intrinsics.Pin((uint)(chunk * 8));
        copy._columnsLeft = (int)Intrinsics.Pin((uint)(matrix.Columns - firstLane - chunk * 8));
        copy._rows = LocalMemory.Allocate<uint>(TileLayout<TTile>.Passes);
        // lanes that are rows: those beyond the matrix read its last row
        int lastRow = stepsAreRows ? int.MaxValue : matrix.Rows - 1 - firstLane;
        for (int i = 0; i < TileLayout<TTile>.Passes; i++)
            copy._rows[i] = Intrinsics.Pin((uint)IntrinsicMath.Min(row + i * TileLayout<TTile>.PassRows, lastRow)
                * (uint)(matrix.Stride * 2) + (uint)(chunk * 16));
        return copy;
    }

    /// <summary>Starts copying a tile of which all steps exist.</summary>
    /// <param name="tile">The number of a tile along the steps.</param>
    /// <param name="behind">How many tiles behind that one; a constant.</param>
    /// <param name="offset">Distance of its stage from the first one, in bytes; a constant.</param>
    /// <param name="stepsAreRows">As for <see cref="At"/>.</param>
    [MethodImpl(Inline)]
    public readonly void Load(int tile, int behind, int offset, bool stepsAreRows)
    {
        ulong from = stepsAreRows ? From(tile + behind) : From(tile);
        for (int i = 0; i < TileLayout<TTile>.Passes; i++)
        {
            for (int panel = 0; panel < TileLayout<TTile>.Panels; panel++)
            {
                if (stepsAreRows)
                    Intrinsics.CopyAsyncOrZero(To(0, i), (uint)(offset + ToOffset(i, panel)), from + _rows[i],
                        (uint)(panel * 128), _columnsLeft > panel * 64 ? 16u : 0u, ref _shared[0], ref _matrix[0]);
                else
                    Intrinsics.CopyAsync(To(0, i), (uint)(offset + ToOffset(i, panel)), from + _rows[i],
                        (uint)(behind * Steps * 2), ref _shared[0], ref _matrix[0]);
            }
        }
    }

    /// <summary>Starts copying a tile of which the first <paramref name="stepsLeft"/> steps exist, which may be none or
    /// all; the others become zero.</summary>
    [MethodImpl(Inline)]
    public readonly void LoadOrZero(int tile, uint stage, bool stepsAreRows, int stepsLeft)
    {
        ulong from = From(tile);
        for (int i = 0; i < TileLayout<TTile>.Passes; i++)
        {
            int row = _row + i * TileLayout<TTile>.PassRows;
            for (int panel = 0; panel < TileLayout<TTile>.Panels; panel++)
            {
                bool exists = stepsAreRows ? (row < stepsLeft) & (_columnsLeft > panel * 64) : _column < stepsLeft;
                Intrinsics.CopyAsyncOrZero(To(stage, i), (uint)ToOffset(i, panel), from + _rows[i],
                    (uint)(panel * 128), exists ? 16u : 0u, ref _shared[0], ref _matrix[0]);
            }
        }
    }

    // The same for all threads, so that it may lie in a uniform register.
    [MethodImpl(Inline)]
    private readonly ulong From(int tile) =>
        Intrinsics.GlobalAddress(ref _matrix[0]) + (_origin + (ulong)(uint)tile * _distance);

    [MethodImpl(Inline)]
    private readonly uint To(uint stage, int pass) =>
        (_target + stage) ^ (uint)(TileLayout<TTile>.Swizzle(pass * TileLayout<TTile>.PassRows) << 4);

    [MethodImpl(Inline)]
    private static int ToOffset(int pass, int panel) =>
        pass * TileLayout<TTile>.PassRows * TileLayout<TTile>.RowBytes + panel * TileLayout<TTile>.PanelBytes;
}
