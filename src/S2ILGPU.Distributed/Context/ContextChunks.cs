namespace S2ILGPU.Distributed.Context;

/// <summary>The zig-zag cut of a sequence: 2 P chunks of whole blocks, of which rank r has r and 2 P - 1 - r, so that
/// every rank has early and late queries and causal work is equal.</summary>
/// <param name="Tokens">N.</param>
/// <param name="Ranks">P.</param>
/// <param name="BlockTokens">Tokens of a block: chunks begin at multiples.</param>
internal readonly record struct ContextChunks(int Tokens, int Ranks, int BlockTokens)
{
    /// <summary>Number of chunks.</summary>
    public int Count => 2 * Ranks;

    /// <summary>First token of a chunk; N for the one past the last.</summary>
    public int Start(int chunk) => chunk == Count ? Tokens : (int)((long)chunk * Blocks / Count) * BlockTokens;

    /// <summary>Tokens of a chunk.</summary>
    public int Length(int chunk) => Start(chunk + 1) - Start(chunk);

    /// <summary>The two chunks of a rank, the earlier one first.</summary>
    public (int First, int Second) Of(int rank) => (rank, Count - 1 - rank);

    /// <summary>The rank that has a chunk.</summary>
    public int Owner(int chunk) => Math.Min(chunk, Count - 1 - chunk);

    /// <summary>The chunk of a token.</summary>
    public int ChunkOf(int token)
    {
        int chunk = (int)((long)(token / BlockTokens) * Count / Blocks);
        while (chunk + 1 < Count && Start(chunk + 1) <= token)
            chunk++;
        return chunk;
    }

    /// <summary>Where a token lies among the rows of its rank.</summary>
    public int RowOf(int token)
    {
        int chunk = ChunkOf(token);
        var (first, _) = Of(Owner(chunk));
        return token - Start(chunk) + (chunk == first ? 0 : Length(first));
    }

    /// <summary>The tokens of a rank, in the order of its rows.</summary>
    public int[] Positions(int rank)
    {
        var (first, second) = Of(rank);
        return [.. Enumerable.Range(Start(first), Length(first)), .. Enumerable.Range(Start(second), Length(second))];
    }

    /// <summary>Refuses sequences in which a chunk would be empty.</summary>
    /// <exception cref="ArgumentException">There are fewer blocks than chunks.</exception>
    public ContextChunks Validate() => Blocks >= Count ? this
        : throw new ArgumentException($"a context of {Tokens} tokens has {Blocks} blocks of {BlockTokens}, too few for "
            + $"{Ranks} ranks with 2 chunks each");

    private int Blocks => (Tokens + BlockTokens - 1) / BlockTokens;
}
