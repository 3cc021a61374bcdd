using System.Runtime.CompilerServices;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.Attention.TensorCore;

/// <summary>Where things lie in the shared memory of <see cref="Backward"/>, in bytes.</summary>
/// <remarks>
/// R1 and R2 where rows stay in shared memory; C2 where it has one buffer; then two stages, each with C1, and C2 where
/// it has two buffers; then two lines of queries where columns are queries.
/// </remarks>
internal static class BackwardMemory<TShape> where TShape : struct, IBackwardShape
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <summary>From a stage to the next.</summary>
    public static int StageBytes { [MethodImpl(Inline)] get => TShape.SecondBuffers * ColumnBytes; }

    /// <summary>R1; rows that stay in registers pass through a stage.</summary>
    public const int Rows1 = 0;

    /// <summary>R2.</summary>
    public static int Rows2 { [MethodImpl(Inline)] get => RowBytes; }

    /// <summary>C1 of the first stage.</summary>
    public static int Columns1 { [MethodImpl(Inline)] get =>
        RowTiles * RowBytes + (2 - TShape.SecondBuffers) * ColumnBytes; }

    /// <summary>C2 of the first stage, or of both.</summary>
    public static int Columns2 { [MethodImpl(Inline)] get => TShape.SecondBuffers == 2 ? Columns1 + ColumnBytes
        : Columns1 - ColumnBytes; }

    /// <summary>The line of queries of the first stage.</summary>
    public static int Lines { [MethodImpl(Inline)] get => Columns1 + 2 * StageBytes; }

    /// <summary>All of it.</summary>
    public static int Bytes { [MethodImpl(Inline)] get =>
        Lines + (TShape.RowsAreKeys ? 2 * QueryLines<TShape>.LineBytes : 0); }

    private static int RowBytes { [MethodImpl(Inline)] get => 64 * TileLayout<TShape>.RowBytes; }

    private static int ColumnBytes { [MethodImpl(Inline)] get => TShape.StageColumns * TileLayout<TShape>.RowBytes; }

    private static int RowTiles { [MethodImpl(Inline)] get => TShape.RowsInRegisters ? 0 : TShape.First ? 2 : 1; }
}
