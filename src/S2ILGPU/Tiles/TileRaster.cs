using System.Runtime.CompilerServices;
using ILGPU;

namespace S2ILGPU.Tiles;

/// <summary>The tile of a result that a group computes. Groups that run at the same time form bands 8 tiles high: they
/// read few different rows and columns of the operands, which the second-level cache then holds.</summary>
internal struct TileRaster
{
    private const int BandTiles = 8;

    /// <summary>Tile row and tile column.</summary>
    public int Row, Column;

    /// <summary>The place of group <paramref name="index"/> among <paramref name="rows"/> x <paramref name="columns"/>
    /// tiles.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TileRaster Of(int index, int rows, int columns)
    {
        int band = index / (BandTiles * columns), rest = index % (BandTiles * columns),
            height = IntrinsicMath.Min(BandTiles, rows - band * BandTiles);
        TileRaster place = default;
        place.Row = band * BandTiles + rest % height;
        place.Column = rest / height;
        return place;
    }
}
