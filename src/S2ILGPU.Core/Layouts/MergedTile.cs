namespace S2ILGPU.Layouts;

/// <summary>The key blocks that one tile of query blocks reads together (or the other way round), those for the whole
/// tile and those for a part of it apart.</summary>
/// <param name="full">Blocks that every line of the tile keeps and that need no token mask, ascending.</param>
/// <param name="partial">The other blocks that some line of the tile keeps, ascending.</param>
/// <param name="partialMasks">For each partial block, bit r is set when line r of the tile keeps it.</param>
public readonly ref struct MergedTile(ReadOnlySpan<int> full, ReadOnlySpan<int> partial,
    ReadOnlySpan<byte> partialMasks)
{
    /// <summary>Blocks that every line of the tile keeps and that need no token mask, ascending.</summary>
    public ReadOnlySpan<int> Full { get; } = full;

    /// <summary>The other blocks that some line of the tile keeps, ascending; a causal layout's diagonal blocks are
    /// among them.</summary>
    public ReadOnlySpan<int> Partial { get; } = partial;

    /// <summary>For each partial block, bit r is set when line r of the tile keeps it.</summary>
    public ReadOnlySpan<byte> PartialMasks { get; } = partialMasks;
}
