namespace S2ILGPU.Cpu.Attention;

/// <summary>The queries of a tile: neighbouring tokens of one sequence, of one head or of all heads that share a KV
/// head. Lane <c>head * Tokens + token</c>.</summary>
/// <param name="Batch">Index of the batch dimension.</param>
/// <param name="FirstRow">Row of the first token in the query tensor.</param>
/// <param name="FirstPosition">Position of the first token in its sequence.</param>
/// <param name="Tokens">Number of tokens.</param>
/// <param name="FirstHead">First query head.</param>
/// <param name="Heads">Number of query heads.</param>
/// <param name="BlockTokens">Tokens per block of the layout.</param>
internal readonly record struct TileQueries(int Batch, int FirstRow, int FirstPosition, int Tokens, int FirstHead,
    int Heads, int BlockTokens)
{
    /// <summary>The most lanes of a tile.</summary>
    public const int MaxLanes = 64;

    /// <summary>The most lanes of a tile that <see cref="DecodeTile{T}"/> takes.</summary>
    public const int MaxDecodeLanes = 16;

    /// <summary>W, tokens that a query reads at most, itself and those before it.</summary>
    public int WindowTokens { get; init; } = int.MaxValue;

    public int Lanes => Heads * Tokens;

    /// <summary>First block that has a token of the tile.</summary>
    public int FirstBlock => FirstPosition / BlockTokens;

    /// <summary>Number of blocks that have a token of the tile.</summary>
    public int Blocks => (FirstPosition + Tokens - 1) / BlockTokens - FirstBlock + 1;

    /// <summary>Head of a lane, counted from the first.</summary>
    public int HeadOf(int lane) => lane / Tokens;

    /// <summary>Token of a lane, counted from the first.</summary>
    public int TokenOf(int lane) => lane % Tokens;

    /// <summary>Lanes from this one on whose rows are equally far apart, up to the next multiple of <paramref
    /// name="panel"/>.</summary>
    public int RunOf(int lane, int panel)
    {
        int rows = Tokens == 1 ? Lanes - lane : Tokens - TokenOf(lane);
        return Math.Min(rows, panel - lane % panel);
    }

    /// <summary>Position of a lane.</summary>
    public int PositionOf(int lane) => FirstPosition + lane % Tokens;

    /// <summary>The first position that the window of a lane reaches; below 0 where it reaches all.</summary>
    public int WindowStartOf(int lane) => PositionOf(lane) - WindowTokens + 1;

    /// <summary>Whether some lane's window begins after a position.</summary>
    public bool HidesBefore(int position) => position <= FirstPosition + Tokens - 1 - WindowTokens;

    /// <summary>Which of the tile's blocks a lane is in.</summary>
    public int BlockOf(int lane) => PositionOf(lane) / BlockTokens - FirstBlock;
}

/// <summary>Where the results of a tile go: row (head, token) of the tile is at <c>head * HeadStride + token *
/// TokenStride</c>.</summary>
/// <param name="Output">Address of the first row of O.</param>
/// <param name="TokenStride">Floats from one token to the next.</param>
/// <param name="HeadStride">Floats from one head to the next.</param>
/// <param name="LogSumExp">Address of the first log-sum-exp, 0 when it is not wanted.</param>
/// <param name="LogSumExpTokenStride">Floats from one token to the next.</param>
/// <param name="LogSumExpHeadStride">Floats from one head to the next.</param>
internal readonly unsafe record struct TileResult(nint Output, nint TokenStride, nint HeadStride, nint LogSumExp,
    nint LogSumExpTokenStride,
    nint LogSumExpHeadStride)
{
    /// <summary>Whether this is what one part of the keys gives, to be merged with others.</summary>
    public bool IsPart { get; init; }

    public float* Row(int head, int token) => (float*)Output + head * HeadStride + token * TokenStride;

    /// <summary>Writes a log-sum-exp where it is wanted.</summary>
    public void SetLogSumExp(int head, int token, float value)
    {
        if (LogSumExp != 0)
            ((float*)LogSumExp)[head * LogSumExpHeadStride + token * LogSumExpTokenStride] = value;
    }
}
