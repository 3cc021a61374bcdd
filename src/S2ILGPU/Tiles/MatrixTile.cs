using System.Runtime.CompilerServices;

namespace S2ILGPU.Tiles;

/// <summary>A tile of an operand of a matrix product, as its matrix lies in memory: rows, columns (64 or a multiple),
/// threads that copy it, and 16-row tiles of the result that a warp makes of it.</summary>
internal readonly struct MatrixTile<TRows, TColumns, TThreads, TRowTiles> : ITileShape where TRows : struct, INumber
    where TColumns : struct, INumber where TThreads : struct, INumber where TRowTiles : struct, INumber
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <inheritdoc/>
    public static int HeadDim { [MethodImpl(Inline)] get => TColumns.Value; }

    /// <inheritdoc/>
    public static int RowTiles { [MethodImpl(Inline)] get => TRowTiles.Value; }

    /// <inheritdoc/>
    public static int StepColumns { [MethodImpl(Inline)] get => 64; }

    /// <inheritdoc/>
    public static int BlockColumns { [MethodImpl(Inline)] get => TRows.Value; }

    /// <inheritdoc/>
    public static bool Paged { [MethodImpl(Inline)] get => false; }

    /// <inheritdoc/>
    public static int TileRows { [MethodImpl(Inline)] get => TRows.Value; }

    /// <inheritdoc/>
    public static int CopyThreads { [MethodImpl(Inline)] get => TThreads.Value; }
}
