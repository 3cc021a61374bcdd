namespace S2ILGPU.Cpu.Attention;

/// <summary>Up to 64 keys (forward) or queries (backward) that are multiplied together: pieces of up to four kept
/// blocks.</summary>
internal sealed class TokenGroup
{
    /// <summary>The most tokens of a group.</summary>
    public const int MaxTokens = 64;

    private const int MaxPieces = 4;

    /// <summary>First position of each piece.</summary>
    public int[] First { get; } = new int[MaxPieces];

    /// <summary>Tokens of each piece.</summary>
    public int[] Count { get; } = new int[MaxPieces];

    /// <summary>Which of the tile's blocks have each piece.</summary>
    public int[] Mask { get; } = new int[MaxPieces];

    /// <summary>Number of pieces.</summary>
    public int Pieces { get; private set; }

    /// <summary>Number of tokens.</summary>
    public int Tokens { get; private set; }

    /// <summary>Whether the positions follow each other without a gap.</summary>
    public bool IsOneRun
    {
        get
        {
            for (int piece = 1; piece < Pieces; piece++)
                if (First[piece] != First[piece - 1] + Count[piece - 1])
                    return false;
            return true;
        }
    }

    /// <summary>One piece.</summary>
    public void SetRange(int first, int count)
    {
        (First[0], Count[0], Pieces, Tokens) = (first, count, 1, count);
    }

    /// <summary>Collects the next group of a walk.</summary>
    /// <returns>False at the end.</returns>
    public bool Fill(ref TokenWalk walk)
    {
        (Pieces, Tokens) = (0, 0);
        int most = Math.Max(1, MaxTokens / walk.BlockTokens);
        while (Pieces < most && walk.MoveNext())
        {
            (First[Pieces], Count[Pieces], Mask[Pieces]) = (walk.First, walk.Count, walk.Mask);
            Tokens += Count[Pieces++];
            if (walk.First + walk.Count == walk.Cut)
                break;
        }
        return Pieces > 0;
    }
}

/// <summary>The tokens of some blocks inside a range of positions, as pieces of at most 64 tokens of one
/// block.</summary>
/// <param name="blocks">The blocks.</param>
/// <param name="blockTokens">Tokens per block.</param>
/// <param name="start">First position of the range.</param>
/// <param name="end">Exclusive end of the range.</param>
/// <param name="maxBlocks">The most blocks.</param>
/// <param name="cut">No group has positions before the cut and from it on.</param>
internal ref struct TokenWalk(BlockUnion blocks, int blockTokens, int start, int end, int maxBlocks = int.MaxValue,
    int cut = 0)
{
    private readonly int _pieceTokens = Math.Min(blockTokens, TokenGroup.MaxTokens);
    private BlockUnion _blocks = blocks;
    private int _blocksLeft = maxBlocks, _next, _blockEnd;

    /// <summary>Tokens per block.</summary>
    public readonly int BlockTokens => blockTokens;

    /// <summary>Where groups are cut.</summary>
    public readonly int Cut => cut;

    /// <summary>First position of the present piece.</summary>
    public int First { get; private set; }

    /// <summary>Tokens of the present piece.</summary>
    public int Count { get; private set; }

    /// <summary>Which rows of the union have its block.</summary>
    public int Mask { get; private set; }

    public bool MoveNext()
    {
        do
        {
            if (_next == _blockEnd)
            {
                if (_blocksLeft-- <= 0 || !_blocks.MoveNext())
                    return false;
                Mask = _blocks.Mask;
                _next = _blocks.Block * blockTokens;
                _blockEnd = _next + blockTokens;
            }
            First = Math.Max(_next, start);
            _next = NextPiece();
            Count = Math.Min(_next, end) - First;
            if (First >= end)
                return false;
        }
        while (Count <= 0);
        return true;
    }

    // Pieces begin at multiples of their size and at the cut.
    private readonly int NextPiece()
    {
        int next = (_next / _pieceTokens + 1) * _pieceTokens;
        return _next < cut && cut < next ? cut : next;
    }
}
