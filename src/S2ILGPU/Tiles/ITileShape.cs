using System.Runtime.CompilerServices;

namespace S2ILGPU.Tiles;

/// <summary>The extents that a kernel is compiled for.</summary>
internal interface ITileShape
{
    /// <summary>D, width of a head: a multiple of 16.</summary>
    static abstract int HeadDim { get; }

    /// <summary>Row tiles of 16 rows that each warp holds.</summary>
    static abstract int RowTiles { get; }

    /// <summary>Columns of S that are handled at a time: 16, 32 or 64; it bounds the registers of S.</summary>
    static abstract int StepColumns { get; }

    /// <summary>Columns of a block, the unit of the lists: 16, 32 or 64.</summary>
    static abstract int BlockColumns { get; }

    /// <summary>Whether entries of the lists are looked up in a page table.</summary>
    static abstract bool Paged { get; }

    /// <summary>Rows of a shared tile of columns: 64, or 16 where every warp has its own.</summary>
    static abstract int TileRows { get; }

    /// <summary>Threads that fill a shared tile together: those of the group, or of one warp.</summary>
    static abstract int CopyThreads { get; }
}

/// <summary>The columns of S that a kernel handles at a time.</summary>
internal readonly struct Step<TShape> : INumber where TShape : struct, ITileShape
{
    /// <inheritdoc/>
    public static int Value
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TShape.StepColumns;
    }
}

/// <summary>The columns of O and of its like: D.</summary>
internal readonly struct Width<TShape> : INumber where TShape : struct, ITileShape
{
    /// <inheritdoc/>
    public static int Value
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TShape.HeadDim;
    }
}
