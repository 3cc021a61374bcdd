using System.Runtime.CompilerServices;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.Attention.TensorCore;

/// <summary>What <see cref="Decode"/> is compiled for.</summary>
internal interface IDecodeShape : ITileShape
{
    /// <summary>G, query heads that share a load of K and V: 1, 2, 4 or 8.</summary>
    static abstract int Heads { get; }

    /// <summary>Tiles in the ring of each warp, 1 to 3.</summary>
    static abstract int Stages { get; }
}

/// <summary>A shape made of numbers: head dim, query heads of a group, ring depth, columns of a block, and where blocks
/// lie.</summary>
internal readonly struct DecodeShape<THeadDim, THeads, TStages, TBlock, TPlacement> : IDecodeShape
    where THeadDim : struct, INumber where THeads : struct, INumber where TStages : struct, INumber
    where TBlock : struct, INumber where TPlacement : struct, IPlacement
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <inheritdoc/>
    public static int HeadDim { [MethodImpl(Inline)] get => THeadDim.Value; }

    /// <inheritdoc/>
    public static int Heads { [MethodImpl(Inline)] get => THeads.Value; }

    /// <inheritdoc/>
    public static int Stages { [MethodImpl(Inline)] get => TStages.Value; }

    /// <inheritdoc/>
    public static int BlockColumns { [MethodImpl(Inline)] get => TBlock.Value; }

    /// <inheritdoc/>
    public static bool Paged { [MethodImpl(Inline)] get => TPlacement.Paged; }

    /// <inheritdoc/>
    public static int RowTiles { [MethodImpl(Inline)] get => 1; }

    /// <inheritdoc/>
    public static int StepColumns { [MethodImpl(Inline)] get => 16; }

    /// <inheritdoc/>
    public static int TileRows { [MethodImpl(Inline)] get => 16; }

    /// <inheritdoc/>
    public static int CopyThreads { [MethodImpl(Inline)] get => 32; }
}
