namespace S2ILGPU.Lists;

/// <summary>How the blocks of a pattern fill tiles of 64 columns.</summary>
/// <param name="blockTokens">Tokens of a block of the pattern: 16, 32, 64 or 128.</param>
internal readonly struct TileGeometry(int blockTokens)
{
    /// <summary>Columns of a column tile, and rows of a packed tile.</summary>
    public const int TileTokens = 64;

    /// <summary>Rows and columns that one mask bit stands for.</summary>
    public const int MaskTokens = 16;

    /// <summary>Tokens of a block of the pattern.</summary>
    public int BlockTokens => blockTokens;

    /// <summary>Columns of an entry: a block, or half of a block of 128 tokens.</summary>
    public int BlockColumns => Math.Min(blockTokens, TileTokens);

    /// <summary>E, entries that make up a column tile.</summary>
    public int EntriesPerTile => TileTokens / BlockColumns;

    /// <summary>Entries of a block of the pattern: 2 for 128 tokens, otherwise 1.</summary>
    public int EntriesPerBlock => blockTokens / BlockColumns;

    /// <summary>The geometry of a pattern.</summary>
    /// <exception cref="ArgumentException">No kernel has tiles for such blocks.</exception>
    public static TileGeometry Of(int blockTokens) => blockTokens is 16 or 32 or 64 or 128
        ? new TileGeometry(blockTokens)
        : throw new ArgumentException($"GPU attention has blocks of 16, 32, 64 or 128 tokens, not {blockTokens}");
}
