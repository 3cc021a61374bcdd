namespace S2ILGPU.Reports;

/// <summary>A machine instruction.</summary>
/// <param name="Address">Where it stands, in bytes from the start of the kernel.</param>
/// <param name="Name">As in <c>HMMA.16816.F32.BF16</c>.</param>
/// <param name="Operands">The rest.</param>
/// <param name="Predicate">What it depends on, as in <c>@!P0</c>; empty for nothing.</param>
internal readonly record struct SassInstruction(int Address, string Name, string Operands, string Predicate = "")
{
    /// <summary>First part of the name: <c>HMMA</c>.</summary>
    public string Root => Name.IndexOf('.') is var dot and > 0 ? Name[..dot] : Name;

    /// <summary>As a line of a listing.</summary>
    public override string ToString() => $"{Address:x4} {Predicate,5} {Name} {Operands}";
}
