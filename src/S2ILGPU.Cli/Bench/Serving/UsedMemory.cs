using System.Diagnostics;

namespace S2ILGPU.Cli.Bench.Serving;

/// <summary>Memory of this process when nothing runs.</summary>
/// <param name="ResidentBytes">Memory of the machine that the process holds.</param>
/// <param name="ObjectBytes">Managed objects that are in use.</param>
/// <param name="CommittedBytes">The managed heap with its free room.</param>
internal readonly record struct UsedMemory(long ResidentBytes, long ObjectBytes, long CommittedBytes)
{
    /// <summary>Measures it after objects that are not in use are collected.</summary>
    public static UsedMemory Measure()
    {
        long objects = GC.GetTotalMemory(forceFullCollection: true);
        using var process = Process.GetCurrentProcess();
        return new UsedMemory(process.WorkingSet64, objects, GC.GetGCMemoryInfo().TotalCommittedBytes);
    }

    /// <summary>Whether the process holds more memory after a load than before it.</summary>
    public static Figure Compare(UsedMemory before, UsedMemory after) =>
        new("memory of the process before over after", before.ResidentBytes / (double)after.ResidentBytes, 0.9, "x",
            null, $"{before} before, {after} after");

    /// <inheritdoc/>
    public override string ToString() => FormattableString.Invariant(
        $"{ResidentBytes / 1e6:0} MB ({ObjectBytes / 1e6:0.0} MB of objects in a heap of {CommittedBytes / 1e6:0} MB)");
}
