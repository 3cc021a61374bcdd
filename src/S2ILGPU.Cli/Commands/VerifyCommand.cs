using System.CommandLine;
using System.Diagnostics;
using S2ILGPU.Cli.Bench.Device;
using S2ILGPU.Cli.Devices;
using S2ILGPU.Cli.Json;
using S2ILGPU.Cli.Verify;
using S2ILGPU.Engines;

namespace S2ILGPU.Cli.Commands;

/// <summary><c>s2 verify</c>: the self-check of a device, correctness before speed.</summary>
internal static class VerifyCommand
{
    public static Command Create()
    {
        var device = DeviceOption.Create();
        var json = Options.Json();
        var seed = Options.OptionalNumber<int>("--seed", "Seed of the random inputs", unset: "another one every time");
        var filter = Options.Text("--only", "TEXT", "Check only implementations whose pass, types and name contain "
            + "this text, as 'backward bf16'; a word as D128 restricts the head dimensions; _ stands for a space");
        var file = Options.Text("--out", "FILE", "File that also gets the JSON");
        var noSpeed = Options.Switch("--no-speed", "Leave out the times at the end");
        var command = new Command("verify",
            "Check every attention kernel of a device against a double-precision reference, then its speed.") { device,
            json, seed, filter, file, noSpeed };
        command.SetAction((parsed, cancellation) =>
        {
            var request = new Request(parsed.GetValue(device)!, parsed.GetValue(seed) ?? Random.Shared.Next(),
                parsed.GetValue(filter), parsed.GetValue(json), parsed.GetValue(file),
                !parsed.GetValue(noSpeed));
            var configuration = parsed.InvocationConfiguration;
            return Task.Run(() => Run(request, configuration.Output, configuration.Error, cancellation),
                CancellationToken.None);
        });
        return command;
    }

    private static int Run(Request request, TextWriter output, TextWriter error, CancellationToken cancellation)
    {
        TargetFile.Check("--out", request.File);
        var (device, engine) = DeviceChoice.Create(request.Device);
        using (engine)
        using (var all = EngineVariants.Of(engine, device.Kind == DeviceKind.Emulated, device.Kind == DeviceKind.Cuda
            ? () => Engine.Create(device.Id) : null))
        {
            var variants = VariantFilter.Choose(all.Variants, request.Only);
            var lines = request.IsJson ? TextWriter.Null : output;
            lines.WriteLine($"device: {device.Id}, {engine.Name}");
            lines.WriteLine($"seed: {request.Seed}");
            if (all.Note.Length > 0)
                lines.WriteLine(all.Note);
            int width = variants.Max(v => v.Name.Length);
            var watch = Stopwatch.StartNew();
            var results = new VerifyRun(request.Seed, device.Kind == DeviceKind.Emulated, all.IsConcurrent)
                .Run(variants, result => lines.WriteLine(result.Line(width)), cancellation);
            var report = new VerifyReport(device, engine.Name, request.Seed, results, WriteSpeed: null,
                watch.Elapsed.TotalSeconds);
            lines.WriteLine(report.Summary);
            if (request.HasSpeed)
                report = report with { WriteSpeed = Speed(engine, device, lines, cancellation).WriteEntries };
            if (request.IsJson)
                JsonText.WriteLine(output, report.Write);
            JsonFile.Write(request.File, report.Write);
            if (report.Failures == 0)
                return 0;
            error.WriteLine(
                $"error: {report.Failures} of {results.Count} variants failed on {device.Id}, seed {request.Seed}");
            return 1;
        }
    }

    private static DeviceReport Speed(IEngine engine, DeviceInfo device, TextWriter output,
        CancellationToken cancellation)
    {
        output.WriteLine();
        var bench = new DeviceBench(engine, device, DeviceBenchSettings.ForVerify(device.Kind));
        var report = bench.Run(entries => DeviceReport.WriteLines(entries, output), cancellation);
        foreach (string note in report.Notes)
            output.WriteLine(note);
        return report;
    }

    private sealed record Request(string Device, int Seed, string? Only, bool IsJson, string? File, bool HasSpeed);
}
