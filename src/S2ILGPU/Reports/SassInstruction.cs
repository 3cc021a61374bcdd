namespace S2ILGPU.Reports;

/// <summary>A machine instruction.</summary>
/// <param name="Address">Where it stands, in bytes from the start of the kernel.</param>
/// <param name="Name">As in <c>HMMA.16816.F32.BF16</c>.</param>
/// <param name="Operands">The rest.</param>
internal readonly record struct SassInstruction(int Address, string Name, string Operands)
{
    /// <summary>First part of the name: <c>HMMA</c>.</summary>
    public string Root => Name.IndexOf('.') is var dot and > 0 ? Name[..dot] : Name;
}
