using System.CommandLine;
using S2ILGPU.Cli.Bench.Device;
using S2ILGPU.Cli.Devices;
using S2ILGPU.Cli.Json;
using S2ILGPU.Engines;

namespace S2ILGPU.Cli.Commands;

/// <summary>A bench that runs on any device: the options, the lines and the JSON that all of them share.</summary>
internal sealed class DeviceBenchCommand
{
    /// <summary>Measures on an engine.</summary>
    /// <param name="parsed">The options.</param>
    /// <param name="engine">The engine; stays with the caller.</param>
    /// <param name="device">Its device.</param>
    /// <param name="settings">Sizes and patience for the device.</param>
    /// <param name="show">To be called with measurements as soon as they are there.</param>
    /// <param name="cancellation">Ends the run.</param>
    /// <returns>What was left out, and why.</returns>
    public delegate IReadOnlyList<string> Measure(ParseResult parsed, IEngine engine, DeviceInfo device,
        DeviceBenchSettings settings, Action<IReadOnlyList<IDeviceEntry>> show, CancellationToken cancellation);

    private readonly Option<string> _device = DeviceOption.Create();
    private readonly Option<bool> _tf32 = DeviceOption.Tf32();
    private readonly Option<bool> _json = Options.Json();
    private readonly Option<bool> _quick = Options.Switch("--quick", "Few sizes and repetitions");
    private readonly Option<string?> _file = Options.Text("--out", "FILE", "File that also gets the JSON");

    /// <summary>Creates the command.</summary>
    /// <param name="name">Its name below <c>bench</c>.</param>
    /// <param name="description">One line for the help.</param>
    /// <param name="options">Its own options.</param>
    /// <param name="measure">What it does.</param>
    public static Command Create(string name, string description, IReadOnlyList<Option> options, Measure measure) =>
        new DeviceBenchCommand().CreateCommand(name, description, options, measure);

    private Command CreateCommand(string name, string description, IReadOnlyList<Option> options, Measure measure)
    {
        var command = new Command(name, description) { _device };
        foreach (var option in options)
            command.Add(option);
        command.Add(_tf32);
        command.Add(_quick);
        command.Add(_json);
        command.Add(_file);
        command.SetAction((parsed, cancellation) =>
            Task.Run(() => Run(parsed, measure, cancellation), CancellationToken.None));
        return command;
    }

    private int Run(ParseResult parsed, Measure measure, CancellationToken cancellation)
    {
        string? path = parsed.GetValue(_file);
        TargetFile.Check("--out", path);
        var (device, engine) = DeviceChoice.Create(parsed.GetValue(_device)!, parsed.GetValue(_tf32));
        using (engine)
        {
            bool isJson = parsed.GetValue(_json);
            var output = parsed.InvocationConfiguration.Output;
            var lines = isJson ? TextWriter.Null : output;
            lines.WriteLine($"device: {device.Id}, {engine.Name}");
            var entries = new List<IDeviceEntry>();
            var notes = measure(parsed, engine, device,
                DeviceBenchSettings.For(device.Kind, parsed.GetValue(_quick)), Show, cancellation);
            foreach (string note in notes)
                lines.WriteLine(note);
            var report = new DeviceReport(device, engine.Name, DateOnly.FromDateTime(DateTime.UtcNow),
                DeviceReport.CommitOfTool(), entries, notes);
            if (isJson)
                JsonText.WriteLine(output, report.Write);
            JsonFile.Write(path, report.Write);
            return entries.Count > 0 ? 0
                : throw new InvalidOperationException(
                $"nothing could be measured on {device.Id}: {string.Join("; ", notes)}");

            void Show(IReadOnlyList<IDeviceEntry> measured)
            {
                entries.AddRange(measured);
                DeviceReport.WriteLines(measured, lines);
            }
        }
    }
}
