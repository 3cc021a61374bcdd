using System.Runtime.CompilerServices;
using ILGPU;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.Attention.TensorCore;

/// <summary>What <see cref="Backward"/> is compiled for.</summary>
internal interface IBackwardShape : ITileShape
{
    /// <summary>Whether rows are keys (dK, dV) or queries (dQ).</summary>
    static abstract bool RowsAreKeys { get; }

    /// <summary>Whether the gradient of R1 is computed: <c>dS C1</c>, that is dK or dQ.</summary>
    static abstract bool First { get; }

    /// <summary>Whether the gradient of R2 is computed: <c>P C2</c>, that is dV.</summary>
    static abstract bool Second { get; }

    /// <summary>Whether R1 and R2 stay in registers; otherwise they stay in shared memory.</summary>
    static abstract bool RowsInRegisters { get; }

    /// <summary>Columns that a buffer holds: the 64 of a column tile, 16 copied by each warp; or 16, copied by all four
    /// warps together, for a quarter of the memory. With 16, rows stay in shared memory and C2 has two
    /// buffers.</summary>
    static abstract int StageColumns { get; }

    /// <summary>Buffers for C2, 1 or 2. C1 has two. With one buffer all 64 columns are handled at a time.</summary>
    static abstract int SecondBuffers { get; }
}

/// <summary>Which gradients a launch computes.</summary>
internal interface IGradients
{
    /// <inheritdoc cref="IBackwardShape.RowsAreKeys"/>
    static abstract bool RowsAreKeys { get; }

    /// <inheritdoc cref="IBackwardShape.First"/>
    static abstract bool First { get; }

    /// <inheritdoc cref="IBackwardShape.Second"/>
    static abstract bool Second { get; }
}

/// <summary>dK and dV.</summary>
internal readonly struct KeyAndValueGradients : IGradients
{
    /// <inheritdoc/>
    public static bool RowsAreKeys => true;

    /// <inheritdoc/>
    public static bool First => true;

    /// <inheritdoc/>
    public static bool Second => true;
}

/// <summary>dK, where the accumulators of dV would not fit beside it.</summary>
internal readonly struct KeyGradient : IGradients
{
    /// <inheritdoc/>
    public static bool RowsAreKeys => true;

    /// <inheritdoc/>
    public static bool First => true;

    /// <inheritdoc/>
    public static bool Second => false;
}

/// <summary>dV, where the accumulators of dK would not fit beside it.</summary>
internal readonly struct ValueGradient : IGradients
{
    /// <inheritdoc/>
    public static bool RowsAreKeys => true;

    /// <inheritdoc/>
    public static bool First => false;

    /// <inheritdoc/>
    public static bool Second => true;
}

/// <summary>dQ.</summary>
internal readonly struct QueryGradient : IGradients
{
    /// <inheritdoc/>
    public static bool RowsAreKeys => false;

    /// <inheritdoc/>
    public static bool First => true;

    /// <inheritdoc/>
    public static bool Second => false;
}

/// <summary>Where R1 and R2 stay during a launch.</summary>
internal interface IRowPlace
{
    /// <inheritdoc cref="IBackwardShape.RowsInRegisters"/>
    static abstract bool InRegisters { get; }
}

/// <summary>R1 and R2 stay in registers.</summary>
internal readonly struct RowsInRegisters : IRowPlace
{
    /// <inheritdoc/>
    public static bool InRegisters => true;
}

/// <summary>R1 and R2 stay in shared memory.</summary>
internal readonly struct RowsInShared : IRowPlace
{
    /// <inheritdoc/>
    public static bool InRegisters => false;
}

/// <summary>A shape made of its parts: gradients, head dim, columns of S at a time, place of the rows, columns of a
/// buffer, buffers for C2, columns of a block.</summary>
/// <remarks>Every warp owns 16 rows, and copies go by 16 rows of a shared tile: they belong to one block, so a thread
/// needs one entry of a list per buffer however narrow blocks are.</remarks>
internal readonly struct BackwardShape<TGradients, THeadDim, TStep, TRows, TStage, TSecondBuffers, TBlock>
    : IBackwardShape
    where TGradients : struct, IGradients where THeadDim : struct, INumber where TStep : struct, INumber
    where TRows : struct, IRowPlace where TStage : struct, INumber where TSecondBuffers : struct, INumber
    where TBlock : struct, INumber
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <inheritdoc/>
    public static int HeadDim { [MethodImpl(Inline)] get => THeadDim.Value; }

    /// <inheritdoc/>
    public static int RowTiles { [MethodImpl(Inline)] get => 1; }

    /// <inheritdoc/>
    public static int StepColumns { [MethodImpl(Inline)] get => TStep.Value; }

    /// <inheritdoc/>
    public static int BlockColumns { [MethodImpl(Inline)] get => TBlock.Value; }

    /// <inheritdoc/>
    public static bool Paged { [MethodImpl(Inline)] get => false; }

    /// <inheritdoc/>
    public static int TileRows { [MethodImpl(Inline)] get => 16; }

    /// <inheritdoc/>
    public static int CopyThreads { [MethodImpl(Inline)] get => 128 * 16 / TStage.Value; }

    /// <inheritdoc/>
    public static bool RowsAreKeys { [MethodImpl(Inline)] get => TGradients.RowsAreKeys; }

    /// <inheritdoc/>
    public static bool First { [MethodImpl(Inline)] get => TGradients.First; }

    /// <inheritdoc/>
    public static bool Second { [MethodImpl(Inline)] get => TGradients.Second; }

    /// <inheritdoc/>
    public static bool RowsInRegisters { [MethodImpl(Inline)] get => TRows.InRegisters; }

    /// <inheritdoc/>
    public static int StageColumns { [MethodImpl(Inline)] get => TStage.Value; }

    /// <inheritdoc/>
    public static int SecondBuffers { [MethodImpl(Inline)] get => TSecondBuffers.Value; }
}

/// <summary>The shape of copies of 16 rows, and the strips that their sources are counted in: 16 rows, or blocks of
/// columns, of which a warp always takes the same part.</summary>
/// <remarks>Blocks where a warp copies its own rows of a tile: the part is in <see cref="TileCopy{TShape}.Source"/>;
/// computed for every tile it takes a register too many (dK of 256 columns, blocks of 32, ptxas 11.8 for sm_90). Strips
/// of 16 for dK with dV, where ptxas 12.4 would spill 8 bytes otherwise (128 columns in 100 KB, sm_90).</remarks>
internal readonly struct Strips<TShape> : ITileShape where TShape : struct, IBackwardShape
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <inheritdoc/>
    public static int HeadDim { [MethodImpl(Inline)] get => TShape.HeadDim; }

    /// <inheritdoc/>
    public static int RowTiles { [MethodImpl(Inline)] get => TShape.RowTiles; }

    /// <inheritdoc/>
    public static int StepColumns { [MethodImpl(Inline)] get => TShape.StepColumns; }

    /// <inheritdoc/>
    public static int BlockColumns { [MethodImpl(Inline)] get =>
        TShape.First && TShape.Second ? 16 : IntrinsicMath.Max(16, TShape.StageColumns / 64 * TShape.BlockColumns); }

    /// <summary>Strips of a block of columns.</summary>
    public static int PerBlock { [MethodImpl(Inline)] get => TShape.BlockColumns / BlockColumns; }

    /// <inheritdoc/>
    public static bool Paged { [MethodImpl(Inline)] get => false; }

    /// <inheritdoc/>
    public static int TileRows { [MethodImpl(Inline)] get => 16; }

    /// <inheritdoc/>
    public static int CopyThreads { [MethodImpl(Inline)] get => TShape.CopyThreads; }
}
