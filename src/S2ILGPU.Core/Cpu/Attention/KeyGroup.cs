namespace S2ILGPU.Cpu.Attention;

/// <summary>Up to 64 keys that are multiplied together: pieces of up to four kept blocks.</summary>
internal sealed class KeyGroup
{
    /// <summary>The most keys of a group.</summary>
    public const int MaxKeys = 64;

    private const int MaxPieces = 4;

    /// <summary>First key position of each piece.</summary>
    public int[] FirstKey { get; } = new int[MaxPieces];

    /// <summary>Keys of each piece.</summary>
    public int[] Count { get; } = new int[MaxPieces];

    /// <summary>Which block rows of the tile keep each piece.</summary>
    public int[] Mask { get; } = new int[MaxPieces];

    /// <summary>Number of pieces.</summary>
    public int Pieces { get; private set; }

    /// <summary>Number of keys.</summary>
    public int Keys { get; private set; }

    /// <summary>Collects the next group of a walk.</summary>
    /// <returns>False at the end.</returns>
    public bool Fill(ref KeyWalk walk)
    {
        (Pieces, Keys) = (0, 0);
        int most = Math.Max(1, MaxKeys / walk.BlockTokens);
        while (Pieces < most && walk.MoveNext())
        {
            (FirstKey[Pieces], Count[Pieces], Mask[Pieces]) = (walk.FirstKey, walk.Count, walk.Mask);
            Keys += Count[Pieces++];
        }
        return Pieces > 0;
    }
}

/// <summary>The keys that the queries of a tile may see, as pieces of at most 64 keys of one block.</summary>
internal ref struct KeyWalk(BlockUnion blocks, int blockTokens, int keyEnd, int maxBlocks)
{
    private BlockUnion _blocks = blocks;
    private int _blocksLeft = maxBlocks;

    /// <summary>Tokens per block.</summary>
    public int BlockTokens { get; } = blockTokens;

    /// <summary>First key position of the present piece.</summary>
    public int FirstKey { get; private set; } = -1;

    /// <summary>Keys of the present piece.</summary>
    public int Count { get; private set; }

    /// <summary>Which block rows keep it.</summary>
    public int Mask { get; private set; }

    public bool MoveNext()
    {
        int next = FirstKey + Count;
        bool isInsideBlock = Count == KeyGroup.MaxKeys && next % BlockTokens != 0;
        if (!isInsideBlock)
        {
            if (_blocksLeft-- <= 0 || !_blocks.MoveNext())
                return false;
            (next, Mask) = (_blocks.Block * BlockTokens, _blocks.Mask);
        }
        (FirstKey, Count) = (next, Math.Min(Math.Min(BlockTokens, KeyGroup.MaxKeys), keyEnd - next));
        if (Count > 0)
            return true;
        // An absent second half of a block of 128 may be followed by nothing else: blocks ascend.
        Count = 0;
        return false;
    }
}
