using System.Runtime.CompilerServices;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels;

/// <summary>Shared memory of <see cref="Backward"/>, in bytes.</summary>
/// <remarks>R1 and R2 where rows stay in shared memory; C2 where it has one buffer; then two stages, each with C1, and C2 where it has two buffers; then two lines of queries where columns are queries.</remarks>
internal static class BackwardMemory<TShape> where TShape : struct, IBackwardShape
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <summary>A tile of 64 rows.</summary>
    public static int TileBytes { [MethodImpl(Inline)] get => 4 * TileLayout<TShape>.TileBytes; }

    /// <summary>From C1 of the first stage to C1 of the second.</summary>
    public static int StageBytes { [MethodImpl(Inline)] get => TShape.SecondBuffers * TileBytes; }

    /// <summary>From C1 of a stage to C2: behind it, or before all stages.</summary>
    public static int Second { [MethodImpl(Inline)] get => TShape.SecondBuffers == 2 ? TileBytes : -TileBytes; }

    /// <summary>From the start to C1 of the first stage.</summary>
    public static int Stages { [MethodImpl(Inline)] get => (RowTiles + (TShape.SecondBuffers == 2 ? 0 : 1)) * TileBytes; }

    /// <summary>From C1 of the first stage to its line of queries.</summary>
    public static int Lines { [MethodImpl(Inline)] get => 2 * StageBytes; }

    /// <summary>All of it.</summary>
    public static int Bytes { [MethodImpl(Inline)] get => Stages + Lines + (TShape.RowsAreKeys ? 2 * QueryLines<TShape>.LineBytes : 0); }

    private static int RowTiles { [MethodImpl(Inline)] get => TShape.RowsInRegisters ? 0 : TShape.First ? 2 : 1; }
}
