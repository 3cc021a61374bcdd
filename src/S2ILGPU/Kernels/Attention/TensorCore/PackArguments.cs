using ILGPU;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.Attention.TensorCore;

/// <summary>Argument of <see cref="Pack"/>.</summary>
internal struct PackArguments
{
    /// <summary>Tiles of 64 rows and where they go, <see cref="RowTile.PackedTile"/>.</summary>
    public ArrayView<RowTile> Tiles;

    /// <summary>The memory of a tensor [B, N, H, D] as 32-bit words. Read.</summary>
    public ArrayView<int> Source;

    /// <summary>Where its rows lie.</summary>
    public RowStrides SourceRows;

    /// <summary>16-bit tiles [tile, 64, D]. Written.</summary>
    public ArrayView<U4> Packed;

    /// <summary>D / 8.</summary>
    public int HeadChunks;
}
