using System.Runtime.CompilerServices;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.Attention.TensorCore;

/// <summary>What <see cref="SampleTiles"/> is compiled for.</summary>
internal interface ISampleShape : ITileShape
{
    /// <summary>Buffers for K: 2, or 1, which is filled again when all warps have read it.</summary>
    static abstract int Stages { get; }
}

/// <summary>A shape made of numbers: head dim, buffers, columns of a block, and where keys lie: in pages, or in a
/// tensor [B, N, Hkv, D].</summary>
internal readonly struct SampleShape<THeadDim, TStages, TBlock, TPlacement> : ISampleShape
    where THeadDim : struct, INumber where TStages : struct, INumber where TBlock : struct, INumber
    where TPlacement : struct, IPlacement
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <inheritdoc/>
    public static int HeadDim { [MethodImpl(Inline)] get => THeadDim.Value; }

    /// <inheritdoc/>
    public static int Stages { [MethodImpl(Inline)] get => TStages.Value; }

    /// <inheritdoc/>
    public static int BlockColumns { [MethodImpl(Inline)] get => TBlock.Value; }

    /// <inheritdoc/>
    public static bool Paged { [MethodImpl(Inline)] get => TPlacement.Paged; }

    /// <inheritdoc/>
    public static int RowTiles { [MethodImpl(Inline)] get => 2; }

    /// <inheritdoc/>
    public static int StepColumns { [MethodImpl(Inline)] get => 64; }

    /// <inheritdoc/>
    public static int TileRows { [MethodImpl(Inline)] get => 64; }

    /// <inheritdoc/>
    public static int CopyThreads { [MethodImpl(Inline)] get => SampleTiles.Threads; }
}
