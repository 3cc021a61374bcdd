namespace S2ILGPU.Layouts;

/// <summary>Whether the heads together read the whole context.</summary>
/// <param name="IsComplete">For every query block, each key block that it may see is read by some head, and no residue
/// is missing.</param>
/// <param name="Stride">s of a strided pattern; 0 for the others.</param>
/// <param name="MissingResidues">
/// Of a strided pattern, the residues modulo the stride of the key blocks that no head keeps beyond its window,
/// whatever the number of tokens. When not causal, stripes move with the query block: the residues of the distance to
/// the window.
/// </param>
/// <param name="MissingKeyBlocks">The key blocks that no head reads for the last query block, ascending.</param>
public sealed record PatternCoverage(bool IsComplete, int Stride, IReadOnlyList<int> MissingResidues,
    IReadOnlyList<int> MissingKeyBlocks)
{
    /// <summary>In words, as in <c>incomplete, no head keeps far blocks of residues 1 2 3 4 modulo 8</c>.</summary>
    public override string ToString() => this switch
    {
        { IsComplete: true } => "complete",
        { MissingResidues.Count: > 0 } =>
            $"incomplete, no head keeps far blocks of residues {List(MissingResidues)} modulo {Stride}",
        { MissingKeyBlocks.Count: > 0 } =>
            $"incomplete, the last query block misses key blocks {List(MissingKeyBlocks)}",
        _ => "incomplete, an earlier query block misses key blocks",
    };

    private static string List(IReadOnlyList<int> values) =>
        string.Join(' ', values.Take(16)) + (values.Count > 16 ? $" ... ({values.Count})" : "");
}
