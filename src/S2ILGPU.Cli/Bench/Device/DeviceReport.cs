using System.Reflection;
using System.Text.Json;
using S2ILGPU.Engines;

namespace S2ILGPU.Cli.Bench.Device;

/// <summary>What a run on a device measured.</summary>
/// <param name="Device">The device.</param>
/// <param name="Engine">What the engine calls itself.</param>
/// <param name="Date">Day of the run.</param>
/// <param name="Commit">What the tool was built from; null where unknown.</param>
/// <param name="Entries">The measurements.</param>
/// <param name="Notes">What was left out, and why.</param>
internal sealed record DeviceReport(DeviceInfo Device, string Engine, DateOnly Date, string? Commit,
    IReadOnlyList<IDeviceEntry> Entries, IReadOnlyList<string> Notes)
{
    /// <summary>Writes the report as one JSON object.</summary>
    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("device", Engine);
        json.WriteString("deviceId", Device.Id);
        json.WriteString("architecture", Device.InstructionSet);
        json.WriteString("date", $"{Date:yyyy-MM-dd}");
        json.WriteString("commit", Commit);
        json.WriteStartArray("entries");
        WriteEntries(json);
        json.WriteEndArray();
        json.WriteStartArray("notes");
        foreach (string note in Notes)
            json.WriteStringValue(note);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>Writes the measurements as elements of a JSON array.</summary>
    public void WriteEntries(Utf8JsonWriter json)
    {
        foreach (var entry in Entries)
            entry.Write(json);
    }

    /// <summary>Writes measurements as lines.</summary>
    public static void WriteLines(IReadOnlyList<IDeviceEntry> entries, TextWriter output)
    {
        foreach (var entry in entries)
            output.WriteLine(entry.Line);
    }

    /// <summary>What the tool was built from; a packed tool runs where there is no git.</summary>
    public static string? CommitOfTool()
    {
        string? version = typeof(DeviceReport).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()
            ?.InformationalVersion;
        return version?.Split('+') is [_, { Length: > 0 } revision] ? revision : BenchMachine.Commit();
    }
}
