using System.CommandLine;
using System.Globalization;
using S2ILGPU.Cli.Json;
using S2ILGPU.Engines;

namespace S2ILGPU.Cli.Commands;

/// <summary><c>s2 devices</c>: what this machine can run on, fastest first.</summary>
internal static class DevicesCommand
{
    public static Command Create()
    {
        var json = Options.Json();
        var command = new Command("devices", "List the devices of this machine, fastest first.") { json };
        command.SetAction(parsed =>
        {
            var output = parsed.InvocationConfiguration.Output;
            var devices = Engine.Devices();
            if (parsed.GetValue(json))
                WriteJson(output, devices);
            else
                foreach (var device in devices)
                {
                    output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                        $"{device.Id,-10} {device.Name}, {device.MemoryBytes / 1e9:0.0} GB"));
                    foreach (string note in IlgpuDevices.Notes(device.Id))
                        output.WriteLine($"{"",-10} note: {note}");
                }
            return 0;
        });
        return command;
    }

    private static void WriteJson(TextWriter output, IReadOnlyList<DeviceInfo> devices) =>
        JsonText.WriteLine(output, writer =>
    {
        writer.WriteStartArray();
        foreach (var device in devices)
        {
            writer.WriteStartObject();
            writer.WriteString("id", device.Id);
            writer.WriteString("name", device.Name);
            writer.WriteString("kind", device.Kind.ToString().ToLowerInvariant());
            writer.WriteNumber("memoryBytes", device.MemoryBytes);
            writer.WriteNumber("parallelism", device.Parallelism);
            writer.WriteString("instructionSet", device.InstructionSet);
            writer.WriteStartArray("notes");
            foreach (string note in IlgpuDevices.Notes(device.Id))
                writer.WriteStringValue(note);
            writer.WriteEndArray();
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    });
}
