using System.Runtime.CompilerServices;
using ILGPU;

namespace S2ILGPU.Tiles;

/// <summary>How a matrix of D 16-bit columns lies in shared memory, and who copies what.</summary>
/// <remarks>
/// <para>Rows follow each other without gaps. A row consists of panels of 128 bytes (64 where D is not a multiple of
/// 64, 32 where it is not a multiple of 32), a panel of chunks of 16 bytes, and the chunks of a panel are permuted by
/// an exclusive or with the row, so that the 8 chunks with equal column of 8 neighbouring rows lie in 8 different
/// groups of banks: loads of matrices are free of conflicts, plain and transposed. The exclusive or needs tiles whose
/// address is a multiple of the panel size.</para>
/// <para>Expressions here have no branches: ILGPU folds branches too late for the bounds of loops and for the indices
/// of register arrays.</para>
/// <para>A pass of the copying threads covers one panel of several rows. A step to the next pass leaves the permutation
/// alone or flips constant bits, so one address per thread serves all passes.</para>
/// </remarks>
internal static class TileLayout<TShape> where TShape : struct, ITileShape
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <summary>Bytes of a row, in shared memory as in device memory.</summary>
    public static int RowBytes { [MethodImpl(Inline)] get => TShape.HeadDim * 2; }

    /// <summary>Bytes of a tile of 64 rows, or of 16 where every warp has its own.</summary>
    public static int TileBytes { [MethodImpl(Inline)] get => TShape.TileRows * TShape.HeadDim * 2; }

    /// <summary>Bytes of a block of columns in device memory.</summary>
    public static int BlockBytes { [MethodImpl(Inline)] get => TShape.BlockColumns * TShape.HeadDim * 2; }

    /// <summary>Bytes of a panel.</summary>
    public static int PanelBytes { [MethodImpl(Inline)] get =>
        IntrinsicMath.Min(128, 2 * (TShape.HeadDim & -TShape.HeadDim)); }

    /// <summary>Panels of a row.</summary>
    public static int Panels { [MethodImpl(Inline)] get => RowBytes / PanelBytes; }

    /// <summary>Rows that one pass of the copying threads covers.</summary>
    public static int PassRows { [MethodImpl(Inline)] get => TShape.CopyThreads / (PanelBytes / 16); }

    /// <summary>Passes to copy a panel of all rows of a tile.</summary>
    public static int Passes { [MethodImpl(Inline)] get => TShape.TileRows / PassRows; }

    /// <summary>Blocks of which one thread copies parts, for a tile.</summary>
    public static int ThreadBlocks { [MethodImpl(Inline)] get => IntrinsicMath.Max(1, TShape.TileRows / BlockPeriod); }

    /// <summary>Rows of the tile after which a thread goes on with another block.</summary>
    public static int BlockPeriod { [MethodImpl(Inline)] get => IntrinsicMath.Max(PassRows, TShape.BlockColumns); }

    /// <summary>Passes to copy a panel of the rows that a thread takes from one block.</summary>
    public static int BlockPasses { [MethodImpl(Inline)] get =>
        IntrinsicMath.Min(TShape.TileRows, BlockPeriod) / PassRows; }

    /// <summary>E, entries of a column tile of 64.</summary>
    public static int Entries { [MethodImpl(Inline)] get => 64 / TShape.BlockColumns; }

    /// <summary>The bits that a row flips in the number of a chunk.</summary>
    [MethodImpl(Inline)]
    public static int Swizzle(int row) => row * PanelBytes / 128 & (PanelBytes / 16 - 1);

    /// <summary>Row of a pass that a thread copies.</summary>
    [MethodImpl(Inline)]
    public static int CopyRow(int thread) => thread / (PanelBytes / 16);

    /// <summary>Chunk of a panel that a thread copies.</summary>
    [MethodImpl(Inline)]
    public static int CopyChunk(int thread) => thread % (PanelBytes / 16);

    /// <summary>Byte offset in a tile of a chunk of the first panel.</summary>
    [MethodImpl(Inline)]
    public static uint Chunk(int row, int chunk) => (uint)(row * RowBytes + ((chunk ^ Swizzle(row)) << 4));

    /// <summary>The bits of an address in the first panel that lead to column 16k.</summary>
    [MethodImpl(Inline)]
    public static uint ColumnFlip(int k) => (uint)(k * 32 % PanelBytes);

    /// <summary>Byte offset of the panel that contains column 16k.</summary>
    [MethodImpl(Inline)]
    public static int ColumnPanel(int k) => k * 32 / PanelBytes * PanelBytes;
}
