using S2ILGPU.Engines;
using S2ILGPU.Tiles;

namespace S2ILGPU.Lists;

/// <summary>The queries or the keys of a batch cut into tiles of 64 rows at absolute positions, numbered by sequence,
/// head and position: the order of packed operands.</summary>
internal sealed class PackedTiles
{
    private readonly int[] _starts, _firstTiles;
    private readonly bool _areQueries;

    private PackedTiles(ReadOnlySpan<Sequence> sequences, int heads, bool areQueries)
    {
        (Heads, _areQueries) = (heads, areQueries);
        (_starts, _firstTiles) = (new int[sequences.Length + 1], new int[sequences.Length]);
        for (int s = 0; s < sequences.Length; s++)
        {
            var (begin, end) = Positions(sequences[s]);
            _firstTiles[s] = begin / TileGeometry.TileTokens;
            int tiles = begin == end ? 0 : (end - 1) / TileGeometry.TileTokens + 1 - _firstTiles[s];
            long last = _starts[s] + (long)tiles * heads;
            if (last > Array.MaxLength)
                throw new ArgumentException(
                    $"attention over {sequences.Length} sequences, {heads} heads and {sequences[s].KeyCount:N0} keys "
                    + $"in "
                    + $"sequence {s} needs {last:N0} tiles of {TileGeometry.TileTokens} rows, kernels index at most "
                    + $"{Array.MaxLength:N0}");
            _starts[s + 1] = (int)last;
        }
    }

    /// <summary>Number of heads.</summary>
    public int Heads { get; }

    /// <summary>Number of tiles of all sequences and heads.</summary>
    public int Count => _starts[^1];

    /// <summary>Tiles of query rows [B, Nq, H, D].</summary>
    public static PackedTiles OfQueries(ReadOnlySpan<Sequence> sequences, int queryHeads) =>
        new(sequences, queryHeads, areQueries: true);

    /// <summary>Tiles of key rows [B, Nk, Hkv, D].</summary>
    public static PackedTiles OfKeys(ReadOnlySpan<Sequence> sequences, int keyValueHeads) =>
        new(sequences, keyValueHeads, areQueries: false);

    /// <summary>Tiles of each head of a sequence.</summary>
    public int TilesPerHead(int sequence) => (_starts[sequence + 1] - _starts[sequence]) / Heads;

    /// <summary>Absolute number (position / 64) of the first tile of a sequence.</summary>
    public int FirstTile(int sequence) => _firstTiles[sequence];

    /// <summary>Number that an absolute tile of a head of a sequence has; tiles before the first count
    /// backwards.</summary>
    public int Number(int sequence, int head, int absoluteTile) =>
        _starts[sequence] + head * TilesPerHead(sequence) + absoluteTile - _firstTiles[sequence];

    /// <summary>First and end position of the rows of a sequence.</summary>
    public (int Begin, int End) Positions(in Sequence s) =>
        _areQueries ? (s.FirstQueryPosition, s.KeyCount) : (0, s.KeyCount);

    /// <summary>Where the rows of a tile lie, without a list of columns.</summary>
    /// <param name="sequences">The sequences.</param>
    /// <param name="s">Sequence.</param>
    /// <param name="head">Head.</param>
    /// <param name="firstPosition">Absolute position where the tile begins.</param>
    public RowTile Rows(ReadOnlySpan<Sequence> sequences, int s, int head, int firstPosition)
    {
        var sequence = sequences[s];
        var (beginRow, rows) = _areQueries ? (sequence.QueryStart, sequence.QueryCount)
            : (sequence.KeyStart, sequence.KeyCount);
        return new RowTile
        {
            Batch = sequence.Batch,
            Head = head,
            BeginRow = beginRow,
            EndRow = beginRow + rows,
            FirstRow = beginRow + firstPosition - Positions(sequence).Begin,
            FirstPosition = firstPosition,
            PackedTile = Number(s, head, firstPosition / TileGeometry.TileTokens),
            ColumnEnd = sequence.KeyCount,
        };
    }

    /// <summary>All tiles in their order.</summary>
    public RowTile[] ToArray(ReadOnlySpan<Sequence> sequences)
    {
        var tiles = new RowTile[Count];
        for (int s = 0, n = 0; s < sequences.Length; s++)
            for (int head = 0; head < Heads; head++)
                for (int tile = 0; tile < TilesPerHead(s); tile++)
                    tiles[n++] = Rows(sequences, s, head, (_firstTiles[s] + tile) * TileGeometry.TileTokens);
        return tiles;
    }
}
