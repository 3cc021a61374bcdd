namespace S2ILGPU.Layouts;

/// <summary>The kept blocks of one row (or column) of a layout, full blocks and partial blocks apart, so that an inner loop masks only where it must.</summary>
/// <param name="Full">Blocks that need no mask, ascending.</param>
/// <param name="Partial">Blocks that need the token mask <c>key position &lt;= query position</c>: the diagonal block of a causal layout.</param>
public readonly ref struct BlockRow(ReadOnlySpan<int> Full, ReadOnlySpan<int> Partial)
{
    /// <summary>Blocks that need no mask, ascending.</summary>
    public ReadOnlySpan<int> Full { get; } = Full;

    /// <summary>Blocks that need the token mask.</summary>
    public ReadOnlySpan<int> Partial { get; } = Partial;

    /// <summary>Number of kept blocks.</summary>
    public int Count => Full.Length + Partial.Length;
}
