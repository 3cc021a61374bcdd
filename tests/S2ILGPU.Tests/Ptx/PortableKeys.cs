using System.Runtime.InteropServices;
using S2ILGPU.Lists;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using S2ILGPU.Tiles;
using S2ILGPU.Variants;

namespace S2ILGPU.Tests.Ptx;

/// <summary>Keys and values as the portable kernels read them: words of memory, in their tensors or in pages.</summary>
/// <param name="Keys">Words of the keys.</param>
/// <param name="Values">Words of the values.</param>
/// <param name="Rows">Where rows lie; of pages, the distances of pages and of their rows.</param>
/// <param name="Pages">Page table, or empty.</param>
/// <param name="PageBlocks">Entries per KV head in the page table, or null.</param>
/// <param name="PageEntries">Entries of a page, or 0.</param>
internal sealed record PortableKeys(int[] Keys, int[] Values, RowStrides Rows, int[] Pages, int? PageBlocks,
    int PageEntries)
{
    public static PortableKeys Create(AttentionData data, KeyPlacement placement) =>
        data.Type switch
        {
            ElementType.Float32 => Create(data, placement, operand => operand.Singles),
            ElementType.Int8 => Create(data, placement, operand => operand.Singles).AsInt8(data.Problem.HeadDim),
            _ => Create(data, placement, operand => operand.Halves),
        };

    private static PortableKeys Create<T>(AttentionData data, KeyPlacement placement, Func<Operand, T[]> elements)
        where T : unmanaged
    {
        if (placement == KeyPlacement.Packed)
            return new(Words(data.KeyPlace.Scatter(elements(data.Key))),
                Words(data.KeyPlace.Scatter(elements(data.Value))), data.KeyPlace.Rows, [], null, 0);
        var paged = KeyOperands<T>.Create(data, placement, elements);
        int headDim = data.Problem.HeadDim, entries = TileGeometry.Of(data.Problem.BlockTokens).EntriesPerBlock;
        return new(Words(paged.Keys), Words(paged.Values),
            new() { Batch = (long)data.Problem.BlockTokens * headDim, Row = headDim }, paged.Pages,
            paged.PageBlocks, entries);
    }

    // Pages of single precision as pages of Int8: the rows of a page, then their scales.
    private PortableKeys AsInt8(int headDim)
    {
        int rows = (int)Rows.Batch / headDim, pageWords = rows * (headDim / 4 + 1);
        return this with { Keys = InPages(Keys), Values = InPages(Values),
            Rows = new() { Batch = pageWords * sizeof(int), Row = headDim } };

        int[] InPages(int[] singles)
        {
            int all = singles.Length / headDim;                                   // the last page may be half a one
            var words = new int[(all + rows - 1) / rows * pageWords];
            var bytes = MemoryMarshal.Cast<int, sbyte>(words.AsSpan());
            for (int n = 0; n < all; n++)
            {
                var (page, row) = Math.DivRem(n, rows);
                var elements = MemoryMarshal.Cast<int, float>(singles.AsSpan(n * headDim, headDim));
                var (integers, scale) = Int8Rows.Quantize([.. elements.ToArray().Select(x => (double)x)]);
                integers.CopyTo(bytes[(page * pageWords * sizeof(int) + row * headDim)..]);
                words[page * pageWords + rows * headDim / 4 + row] = BitConverter.SingleToInt32Bits(scale);
            }
            return words;
        }
    }

    /// <summary>The elements of an operand of a float type as words of memory.</summary>
    public static int[] Words(Operand operand, ElementType type) =>
        type == ElementType.Float32 ? Words(operand.Singles) : Words(operand.Halves);

    // Elements as 32-bit words, the last one filled up.
    private static int[] Words<T>(T[] elements) where T : unmanaged
    {
        var bytes = MemoryMarshal.AsBytes(elements.AsSpan());
        var words = new int[(bytes.Length + 3) / 4];
        bytes.CopyTo(MemoryMarshal.AsBytes(words.AsSpan()));
        return words;
    }
}
