using System.Runtime.CompilerServices;
using ILGPU;

namespace S2ILGPU.Kernels.Attention.Portable;

/// <summary>Which row tiles a repair computes again.</summary>
internal static class PortableRepair
{
    /// <summary>Thread t says whether one of 4 groups of 16 rows of row tile 64 g + t, of group g of the grid, has a
    /// result that is not finite. A barrier must follow.</summary>
    /// <param name="isWanted">Written, 1 or 0, [64].</param>
    /// <param name="nonFinite">8 words for each row tile, of each part.</param>
    /// <param name="parts">Number of parts.</param>
    /// <param name="rowTiles">Number of row tiles.</param>
    /// <param name="first">First of the words that count.</param>
    /// <param name="count">Number of words that count.</param>
    /// <param name="step">Distance from one to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Find(ArrayView<int> isWanted, ArrayView<int> nonFinite, int parts, int rowTiles, int first,
        int count, int step)
    {
        int tile = Grid.IdxX * PortableTiles.Tile + Group.IdxX, any = 0;
        if (tile < rowTiles)
            for (int part = 0; part < parts; part++)
                for (int n = 0; n < count; n++)
                    any |= nonFinite[((long)part * rowTiles + tile) * 8 + first + n * step];
        isWanted[Group.IdxX] = any;
    }
}
