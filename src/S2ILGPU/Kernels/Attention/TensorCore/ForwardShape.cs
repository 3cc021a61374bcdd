using System.Runtime.CompilerServices;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.Attention.TensorCore;

/// <summary>What <see cref="Forward"/> is compiled for.</summary>
internal interface IForwardShape : ITileShape
{
    /// <summary>Warps of a group; its rows are 16 RowTiles Warps.</summary>
    static abstract int Warps { get; }

    /// <summary>Buffers for K and V: 2, or 1, each filled again as soon as it is free.</summary>
    static abstract int Stages { get; }
}

/// <summary>A shape made of numbers: head dim, warps, row tiles per warp, columns of S at a time, buffers, columns of a
/// block, and where blocks lie.</summary>
internal readonly struct ForwardShape<THeadDim, TWarps, TRowTiles, TStep, TStages, TBlock, TPlacement> : IForwardShape
    where THeadDim : struct, INumber where TWarps : struct, INumber where TRowTiles : struct, INumber
    where TStep : struct, INumber where TStages : struct, INumber
    where TBlock : struct, INumber where TPlacement : struct, IPlacement
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <inheritdoc/>
    public static int HeadDim { [MethodImpl(Inline)] get => THeadDim.Value; }

    /// <inheritdoc/>
    public static int Warps { [MethodImpl(Inline)] get => TWarps.Value; }

    /// <inheritdoc/>
    public static int RowTiles { [MethodImpl(Inline)] get => TRowTiles.Value; }

    /// <inheritdoc/>
    public static int StepColumns { [MethodImpl(Inline)] get => TStep.Value; }

    /// <inheritdoc/>
    public static int Stages { [MethodImpl(Inline)] get => TStages.Value; }

    /// <inheritdoc/>
    public static int BlockColumns { [MethodImpl(Inline)] get => TBlock.Value; }

    /// <inheritdoc/>
    public static bool Paged { [MethodImpl(Inline)] get => TPlacement.Paged; }

    /// <inheritdoc/>
    public static int TileRows { [MethodImpl(Inline)] get => 64; }

    /// <inheritdoc/>
    public static int CopyThreads { [MethodImpl(Inline)] get => TWarps.Value * 32; }
}
