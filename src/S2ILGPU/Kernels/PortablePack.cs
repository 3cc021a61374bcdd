using ILGPU;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels;

/// <summary>Arguments of <see cref="PortablePack"/>.</summary>
internal struct PackArguments
{
    /// <summary>Tiles of 64 rows; tile n is written to block n.</summary>
    public ArrayView<RowTile> Tiles;

    /// <summary>16-bit elements [B, N, H, D].</summary>
    public ArrayView<int> Source;
    public RowStrides SourceRows;

    /// <summary>Tiles [n, 64, D].</summary>
    public ArrayView<int> Packed;

    public int HeadDim;
}

/// <summary>Copies rows of 16-bit elements into dense tiles of 64 rows, with zeros where a sequence has no row. A group owns a tile.</summary>
internal static class PortablePack
{
    /// <summary>Threads of a group.</summary>
    public const int Threads = 128;

    /// <summary>Rows that begin at multiples of 16 bytes: a thread copies 16 bytes at a time.</summary>
    public static void Aligned(PackArguments a)
    {
        var tile = a.Tiles[Grid.IdxX];
        var source = a.Source.Cast<U4>();
        var packed = a.Packed.Cast<U4>();
        int chunks = a.HeadDim / 8;
        for (int n = Group.IdxX; n < PortableTiles.Tile * chunks; n += Group.DimX)
        {
            int row = n / chunks, chunk = n - row * chunks;
            long start = PortableTiles.Start(tile, a.SourceRows, tile.FirstRow + row);
            U4 value = default;
            if (start != PortableTiles.None)
                value = source[start / 8 + chunk];
            packed[(long)Grid.IdxX * PortableTiles.Tile * chunks + n] = value;
        }
    }

    /// <summary>Rows that begin anywhere: a thread copies one element at a time.</summary>
    public static void Unaligned(PackArguments a)
    {
        var tile = a.Tiles[Grid.IdxX];
        var source = a.Source.Cast<ushort>();
        var packed = a.Packed.Cast<ushort>();
        for (int n = Group.IdxX; n < PortableTiles.Tile * a.HeadDim; n += Group.DimX)
        {
            int row = n / a.HeadDim, d = n - row * a.HeadDim;
            long start = PortableTiles.Start(tile, a.SourceRows, tile.FirstRow + row);
            ushort value = 0;
            if (start != PortableTiles.None)
                value = source[start + d];
            packed[(long)Grid.IdxX * PortableTiles.Tile * a.HeadDim + n] = value;
        }
    }
}
