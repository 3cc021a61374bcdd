using S2ILGPU.Lists;
using S2ILGPU.TestSupport;
using S2ILGPU.Variants;

namespace S2ILGPU.Tests.Ptx;

/// <summary>Where keys and values lie.</summary>
internal enum KeyPlacement
{
    /// <summary>Packed into tiles of 64 rows, zero beyond the sequence.</summary>
    Packed,

    /// <summary>In pages in any order, with NaN and infinity beyond the sequence and in unowned pages; blocks that no
    /// head keeps have no page.</summary>
    Pages,
}

/// <summary>Keys and values as the kernels read them: packed into tiles, or in pages.</summary>
/// <param name="Keys">Blocks [block, BlockColumns, D].</param>
/// <param name="Values">Blocks [block, BlockColumns, D].</param>
/// <param name="Pages">Page table, or empty.</param>
/// <param name="PageBlocks">Entries per KV head in the page table, or null.</param>
internal sealed record KeyOperands<T>(T[] Keys, T[] Values, int[] Pages, int? PageBlocks) where T : unmanaged
{
    private const int NoPage = -1000;

    /// <param name="data">The problem.</param>
    /// <param name="placement">Where keys and values lie.</param>
    /// <param name="elements">The elements of an operand.</param>
    public static KeyOperands<T> Create(AttentionData data, KeyPlacement placement, Func<Operand, T[]> elements)
    {
        var tiles = PackedTiles.OfKeys(data.Sequences.Sequences, data.Problem.KeyValueHeads)
            .ToArray(data.Sequences.Sequences);
        T[] keys = data.Pack(elements(data.Key), data.KeyShape, tiles),
            values = data.Pack(elements(data.Value), data.KeyShape, tiles);
        return placement == KeyPlacement.Packed ? new KeyOperands<T>(keys, values, [], null)
            : Paged(data, keys, values, elements);
    }

    private static KeyOperands<T> Paged(AttentionData data, T[] keys, T[] values, Func<Operand, T[]> elements)
    {
        var geometry = TileGeometry.Of(data.Problem.BlockTokens);
        var sequences = data.Sequences.Sequences;
        var tiles = PackedTiles.OfKeys(sequences, data.Problem.KeyValueHeads);
        var random = Seeds.NewRandom();
        int columns = geometry.BlockColumns, blockElements = columns * data.Problem.HeadDim,
            most = (data.Problem.KeyCounts.Max() + 127) / 128 * 128 / columns;
        var pages = new int[sequences.Length * data.Problem.KeyValueHeads * most];
        Array.Fill(pages, NoPage);
        var kept = KeptBlocks(data);
        int[] order = [.. Enumerable.Range(0, pages.Length + 3)];
        random.Shuffle(order);
        T[] pagedKeys = Leftovers(data, random, order.Length * blockElements, elements),
            pagedValues = Leftovers(data, random, order.Length * blockElements, elements);
        for (int s = 0, n = 0; s < sequences.Length; s++)
            for (int head = 0; head < data.Problem.KeyValueHeads; head++)
                for (int entry = 0; entry * columns < sequences[s].KeyCount; entry++, n++)
                {
                    if (!kept.Contains((s, head, entry * columns / data.Problem.BlockTokens)))
                        continue;
                    int page = pages[(s * data.Problem.KeyValueHeads + head) * most + entry] = order[n];
                    int from = tiles.Number(s, head, 0) * TileGeometry.TileTokens * data.Problem.HeadDim + entry
                        * blockElements;
                    int count = Math.Min(columns, sequences[s].KeyCount - entry * columns) * data.Problem.HeadDim;
                    keys.AsSpan(from, count).CopyTo(pagedKeys.AsSpan(page * blockElements));
                    values.AsSpan(from, count).CopyTo(pagedValues.AsSpan(page * blockElements));
                }
        return new KeyOperands<T>(pagedKeys, pagedValues, pages, most);
    }

    // What unwritten memory may hold: NaN, both infinities, numbers; the same over and over, at another
    // place in each row.
    private static T[] Leftovers(AttentionData data, Random random, int count, Func<Operand, T[]> elements)
    {
        double[] kinds = [double.NaN, double.PositiveInfinity, double.NegativeInfinity, 1];
        var some = elements(new Operand([.. random.Normal(1021).Select(x => kinds[random.Next(kinds.Length)] * x)],
            data.Type));
        var memory = new T[count];
        for (int n = 0; n < count; n += some.Length)
            some.AsSpan(0, Math.Min(some.Length, count - n)).CopyTo(memory.AsSpan(n));
        return memory;
    }

    // Blocks that a query of the sequence keeps.
    private static HashSet<(int Sequence, int Head, int Block)> KeptBlocks(AttentionData data)
    {
        var layout = data.Problem.Layout();
        var sequences = data.Sequences.Sequences;
        var kept = new HashSet<(int, int, int)>();
        int group = data.Problem.QueryHeads / data.Problem.KeyValueHeads, block = data.Problem.BlockTokens;
        for (int s = 0; s < sequences.Length; s++)
            for (int head = 0; head < data.Problem.QueryHeads; head++)
                for (int row = sequences[s].FirstQueryPosition / block;
                    row * block < sequences[s].KeyCount && sequences[s].QueryCount > 0; row++)
                {
                    var blocks = layout.Row(layout.Pattern.PatternHeadOf(head), row);
                    foreach (int n in blocks.Full)
                        kept.Add((s, head / group, n));
                    foreach (int n in blocks.Partial)
                        kept.Add((s, head / group, n));
                }
        return kept;
    }
}
