namespace S2ILGPU.Layouts;

/// <summary>The kept blocks of one row (or column) of a layout, full blocks and partial blocks apart, so that an inner
/// loop masks only where it must.</summary>
/// <param name="full">Blocks that need no mask, ascending.</param>
/// <param name="partial">Blocks that need the token mask <c>key position &lt;= query position</c>: the diagonal block
/// of a causal layout.</param>
public readonly ref struct BlockRow(ReadOnlySpan<int> full, ReadOnlySpan<int> partial)
{
    /// <summary>Blocks that need no mask, ascending.</summary>
    public ReadOnlySpan<int> Full { get; } = full;

    /// <summary>Blocks that need the token mask <c>key position &lt;= query position</c>: at most the diagonal
    /// block.</summary>
    public ReadOnlySpan<int> Partial { get; } = partial;

    /// <summary>Number of kept blocks.</summary>
    public int Count => Full.Length + Partial.Length;
}
