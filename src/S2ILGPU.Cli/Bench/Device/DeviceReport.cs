using System.Globalization;
using System.Text.Json;
using S2ILGPU.Engines;

namespace S2ILGPU.Cli.Bench.Device;

/// <summary>What a run on a device measured.</summary>
/// <param name="Device">The device.</param>
/// <param name="Engine">What the engine calls itself.</param>
/// <param name="Date">Day of the run.</param>
/// <param name="Commit">Commit of the working directory; null where unknown.</param>
/// <param name="Entries">The measurements.</param>
/// <param name="Notes">What was left out, and why.</param>
internal sealed record DeviceReport(DeviceInfo Device, string Engine, DateOnly Date, string? Commit,
    IReadOnlyList<DeviceEntry> Entries, IReadOnlyList<string> Notes)
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

    /// <summary>Writes the measurements of one size as lines.</summary>
    public static void WriteLines(IReadOnlyList<DeviceEntry> entries, TextWriter output)
    {
        foreach (var entry in entries)
        {
            string speed = entry.SpeedUp is { } ratio
                ? string.Create(CultureInfo.InvariantCulture,
                $"{ratio,6:0.00}x of at most {entry.Ceiling,6:0.00}x = {entry.Fraction * 100,5:0.0} %")
                : "";
            string rate = entry.KeptBytes > 0
                ? string.Create(CultureInfo.InvariantCulture,
                $"{entry.GigabytesPerSecond,8:0.0} GB/s {entry.TokensPerSecond,10:#,0} tokens/s")
                : string.Create(CultureInfo.InvariantCulture, $"{entry.TeraFlops,8:0.000} TFLOP/s");
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{entry.Shape.Size,-58} {entry.Shape.Pattern,-10} {entry.Milliseconds,10:0.0000} ms "
                + $"+-{entry.Spread / 2,8:0.0000} {rate}  {speed}").TrimEnd());
        }
    }
}
