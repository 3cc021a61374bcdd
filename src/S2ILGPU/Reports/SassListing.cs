using System.Globalization;
using System.Text.RegularExpressions;

namespace S2ILGPU.Reports;

/// <summary>The machine instructions of a kernel as <c>cuobjdump -sass</c> prints them.</summary>
internal sealed partial class SassListing
{
    private SassListing(IReadOnlyList<SassInstruction> instructions) => Instructions = instructions;

    /// <summary>All instructions in their order.</summary>
    public IReadOnlyList<SassInstruction> Instructions { get; }

    /// <summary>Loads and stores of local memory in the whole kernel: registers that did not suffice, or arrays that
    /// are not in registers.</summary>
    public int LocalAccesses => Instructions.Count(instruction => instruction.Root is "LDL" or "STL");

    /// <summary>Reads a listing.</summary>
    public static SassListing Parse(string text) => new([.. Line().Matches(text).Select(match =>
        new SassInstruction(int.Parse(match.Groups["address"].ValueSpan, NumberStyles.HexNumber,
        CultureInfo.InvariantCulture), match.Groups["name"].Value, match.Groups["operands"].Value.Trim(),
        match.Groups["predicate"].Value))]);

    /// <summary>
    /// The main loop of a tensor-core kernel: of the loops (branches back) the one with the largest share of
    /// tensor-core products, since loops for masks and edges have more instructions for the same products. Null when
    /// there is none.
    /// </summary>
    public SassLoop? MainLoop() => Loops().Where(loop => loop.Count("HMMA") > 0).MaxBy(loop => loop.TensorShare);

    /// <summary>What lies between the target of each branch back and the branch.</summary>
    public IEnumerable<SassLoop> Loops()
    {
        foreach (var branch in Instructions)
            if (branch.Root == "BRA" && Target().Match(branch.Operands) is { Success: true } match
                // kernels end with a branch to itself
                && int.Parse(match.Groups[1].ValueSpan, NumberStyles.HexNumber, CultureInfo.InvariantCulture)
                    is var begin && begin < branch.Address)
                yield return new SassLoop(
                    [.. Instructions.Where(instruction => instruction.Address >= begin
                    && instruction.Address <= branch.Address)]);
    }

    [GeneratedRegex(
        @"^\s+/\*(?<address>[0-9a-f]{4,})\*/\s+(?:(?<predicate>@!?U?P\w+)\s+)?"
        + @"(?<name>[A-Z][A-Z0-9_.]*)(?<operands>[^;\n]*);",
        RegexOptions.Multiline)]
    private static partial Regex Line();

    [GeneratedRegex(@"0x([0-9a-f]+)")]
    private static partial Regex Target();
}

/// <summary>The instructions of a loop.</summary>
internal sealed record SassLoop(IReadOnlyList<SassInstruction> Instructions)
{
    /// <summary>How many instructions have a name that begins so: whole parts, as in <c>MUFU.EX2</c>.</summary>
    public int Count(string name) =>
        Instructions.Count(instruction => instruction.Name == name
        || instruction.Name.StartsWith(name + ".", StringComparison.Ordinal));

    /// <summary>Share of the tensor-core products among all instructions, 0 to 1: what a perfect scheduler could keep
    /// the tensor cores busy with.</summary>
    public double TensorShare => (double)Count("HMMA") / Instructions.Count;
}
