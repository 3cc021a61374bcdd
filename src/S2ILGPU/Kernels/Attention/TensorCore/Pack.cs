using System.Runtime.CompilerServices;
using ILGPU;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.Attention.TensorCore;

/// <summary>Copies rows of a strided tensor to tiles [tile, 64, D] of 16-bit elements, the column operands of
/// tensor-core kernels: <c>packed[tile, r] = source[FirstRow + r]</c>, 0 outside the sequence.</summary>
/// <remarks>A group owns a tile, a thread every 128th chunk of 8 elements. A tile is also 64 / BlockColumns blocks of
/// BlockColumns rows. Zeros past the end of a sequence: 0 * NaN is NaN. Roofline: memory bandwidth, one read and one
/// write of the operand; the share was not measured.</remarks>
internal static class Pack
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <summary>Threads of a group.</summary>
    public const int Threads = 128;

    /// <summary>Rows of 16-bit elements that begin at multiples of 16 bytes. Grid: one group per tile.</summary>
    public static void Copy(PackArguments a)
    {
        var tile = a.Tiles[Grid.IdxX];
        var source = a.Source.Cast<U4>();
        for (int i = Group.IdxX; i < 64 * a.HeadChunks; i += Threads)
        {
            int row = tile.FirstRow + i / a.HeadChunks;
            U4 chunk = default;
            if (row >= tile.BeginRow && row < tile.EndRow)
                chunk = source[Element(a.SourceRows, tile, row, i % a.HeadChunks) / 8];
            a.Packed[(long)tile.PackedTile * 64 * a.HeadChunks + i] = chunk;
        }
    }

    /// <summary>Rows of 16-bit elements at any place. Grid: one group per tile.</summary>
    public static void CopyElements<TElement, TStored>(PackArguments a) where TElement : struct, IElement
        where TStored : struct, IStoredElement
    {
        var tile = a.Tiles[Grid.IdxX];
        for (int i = Group.IdxX; i < 64 * a.HeadChunks; i += Threads)
        {
            int row = tile.FirstRow + i / a.HeadChunks;
            U4 chunk = default;
            if (row >= tile.BeginRow && row < tile.EndRow)
            {
                long at = Element(a.SourceRows, tile, row, i % a.HeadChunks);
                chunk.X = TElement.Pack(TStored.Load(a.Source, at), TStored.Load(a.Source, at + 1));
                chunk.Y = TElement.Pack(TStored.Load(a.Source, at + 2), TStored.Load(a.Source, at + 3));
                chunk.Z = TElement.Pack(TStored.Load(a.Source, at + 4), TStored.Load(a.Source, at + 5));
                chunk.W = TElement.Pack(TStored.Load(a.Source, at + 6), TStored.Load(a.Source, at + 7));
            }
            a.Packed[(long)tile.PackedTile * 64 * a.HeadChunks + i] = chunk;
        }
    }

    [MethodImpl(Inline)]
    private static long Element(in RowStrides strides, in RowTile tile, int row, int chunk) =>
        strides.Offset + tile.Batch * strides.Batch + row * strides.Row + tile.Head * strides.Head + chunk * 8;
}
