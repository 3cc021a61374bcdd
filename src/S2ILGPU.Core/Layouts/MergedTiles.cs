using System.Numerics;
using S2ILGPU.Patterns;

namespace S2ILGPU.Layouts;

/// <summary>A layout seen through taller tiles: k neighbouring rows (or columns) become one tile that reads the union
/// of their blocks, each with a mask of the lines that keep it.</summary>
/// <remarks>
/// A kernel with 64-row tiles over 16-token blocks loads each block of the union once and leaves out, by the
/// mask, what a line does not keep: exact for every pattern, cache-efficient or not. Tiles are aligned to absolute
/// blocks: tile t has the lines <c>t * k</c> to <c>(t + 1) * k</c>, as far as the layout has them. Immutable, O(kept
/// blocks).
/// </remarks>
public sealed class MergedTiles
{
    /// <summary>The most lines that one tile merges.</summary>
    public const int MaxLines = 8;

    private readonly int[] _fullStarts, _full, _partialStarts, _partial, _slots;
    private readonly byte[] _partialMasks;

    private MergedTiles(BlockLayout layout, int linesPerTile, bool mergesRows)
    {
        if (linesPerTile is < 1 or > MaxLines)
            throw new ArgumentException($"a tile merges 1 to {MaxLines} lines, got {linesPerTile}");
        Layout = layout;
        LinesPerTile = linesPerTile;
        MergesRows = mergesRows;
        FirstTile = FirstLine / linesPerTile;
        Tiles = FirstLine == layout.KeyBlocks ? 0 : (layout.KeyBlocks - 1) / linesPerTile + 1 - FirstTile;
        _slots = new int[layout.Heads]; // heads that keep the same blocks share their tiles
        int slots = 0;
        for (int head = 0; head < layout.Heads; head++)
            _slots[head] = layout.FirstHeadLike(head) is int like && like < head ? _slots[like] : slots++;
        _fullStarts = new int[slots * Tiles + 1];
        _partialStarts = new int[slots * Tiles + 1];

        var full = new BlockRowBuilder();
        var partial = new BlockRowBuilder();
        var masks = new BlockRowBuilder();
        for (int head = 0, t = 0; head < layout.Heads; head++)
            for (int tile = FirstTile; tile < FirstTile + Tiles && layout.FirstHeadLike(head) == head; tile++)
            {
                Merge(head, tile, full, partial, masks);
                _fullStarts[++t] = full.Count;
                _partialStarts[t] = partial.Count;
            }
        _full = full.Blocks.ToArray();
        _partial = partial.Blocks.ToArray();
        _partialMasks = Array.ConvertAll(masks.Blocks.ToArray(), mask => (byte)mask);
    }

    /// <summary>The layout underneath.</summary>
    public BlockLayout Layout { get; }

    /// <summary>k, number of rows (or columns) that a tile merges.</summary>
    public int LinesPerTile { get; }

    /// <summary>True for tiles of query blocks with key blocks as entries, false for tiles of key blocks with query
    /// blocks as entries.</summary>
    public bool MergesRows { get; }

    /// <summary>First absolute tile; 0 unless the layout was made for the last positions only.</summary>
    public int FirstTile { get; }

    /// <summary>Number of tiles per head.</summary>
    public int Tiles { get; }

    private int FirstLine => MergesRows ? Layout.FirstQueryBlock : 0;

    /// <summary>Merges query blocks, for the forward pass and dQ.</summary>
    /// <param name="layout">The layout.</param>
    /// <param name="blocksPerTile">k, query blocks per tile, 1 to <see cref="MaxLines"/>.</param>
    /// <exception cref="ArgumentException">The number of blocks is out of range.</exception>
    public static MergedTiles OfRows(BlockLayout layout, int blocksPerTile)
    {
        ArgumentNullException.ThrowIfNull(layout);
        return new MergedTiles(layout, blocksPerTile, mergesRows: true);
    }

    /// <summary>Merges key blocks, for dK and dV.</summary>
    /// <param name="layout">The layout.</param>
    /// <param name="blocksPerTile">k, key blocks per tile, 1 to <see cref="MaxLines"/>.</param>
    /// <exception cref="ArgumentException">The number of blocks is out of range.</exception>
    public static MergedTiles OfColumns(BlockLayout layout, int blocksPerTile)
    {
        ArgumentNullException.ThrowIfNull(layout);
        return new MergedTiles(layout, blocksPerTile, mergesRows: false);
    }

    /// <summary>The blocks of a tile.</summary>
    /// <param name="head">Pattern head.</param>
    /// <param name="tile">Absolute tile.</param>
    /// <exception cref="ArgumentOutOfRangeException">The layout has no such tile.</exception>
    public MergedTile Tile(int head, int tile)
    {
        if ((uint)head >= (uint)Layout.Heads || (uint)(tile - FirstTile) >= (uint)Tiles)
            throw new ArgumentOutOfRangeException(nameof(tile),
                $"no tile {tile} of head {head} among {Layout.Heads} heads and tiles {FirstTile} to "
                + $"{FirstTile + Tiles}");
        int t = _slots[head] * Tiles + tile - FirstTile;
        var partial = _partialStarts[t].._partialStarts[t + 1];
        return new MergedTile(_full.AsSpan(_fullStarts[t].._fullStarts[t + 1]), _partial.AsSpan(partial),
            _partialMasks.AsSpan(partial));
    }

    /// <summary>The mask of a tile's lines that the layout has: what a full block stands for. All k bits but in the
    /// first and the last tile.</summary>
    /// <param name="tile">Absolute tile.</param>
    public byte LinesOf(int tile)
    {
        int start = tile * LinesPerTile;
        int first = Math.Clamp(FirstLine - start, 0, LinesPerTile),
            end = Math.Clamp(Layout.KeyBlocks - start, first, LinesPerTile);
        return (byte)((1 << end) - (1 << first));
    }

    /// <summary>Tokens of a tile from its start to the end of the last line in a mask: <c>RowsUsed</c> of a tile of
    /// queries. Later lines can be left out.</summary>
    /// <param name="mask">A mask of lines.</param>
    public int RowsUsed(byte mask) => (32 - BitOperations.LeadingZeroCount((uint)mask)) * Layout.BlockTokens;

    // Walks the ascending lines side by side; the smallest block that any of them has reached is the next one of
    // the union.
    private void Merge(int head, int tile, BlockRowBuilder full, BlockRowBuilder partial, BlockRowBuilder masks)
    {
        Span<int> next = stackalloc int[MaxLines], end = stackalloc int[MaxLines];
        int all = LinesOf(tile), firstLine = tile * LinesPerTile;
        var lines = MergesRows ? Layout.RowsOf(head) : Layout.ColumnsOf(head);
        var entries = lines.Entries;
        for (int line = 0; line < LinesPerTile; line++)
            (next[line], end[line]) = (all >> line & 1) == 0 ? (0, 0)
                : lines.At(firstLine + line - FirstLine);
        while (true)
        {
            int block = int.MaxValue, mask = 0;
            for (int line = 0; line < LinesPerTile; line++)
                if (next[line] < end[line] && entries[next[line]] is int candidate && candidate <= block)
                    (block, mask) = candidate == block ? (block, mask | 1 << line) : (candidate, 1 << line);
            if (mask == 0)
                return;
            for (int rest = mask; rest != 0; rest &= rest - 1)
                next[BitOperations.TrailingZeroCount(rest)]++;

            int ownLine = block - firstLine;
            bool onDiagonal = Layout.IsCausal && (uint)ownLine < (uint)LinesPerTile && (mask >> ownLine & 1) != 0;
            if (mask == all && !onDiagonal)
                full.Add(block);
            else
            {
                partial.Add(block);
                masks.Add(mask);
            }
        }
    }
}
