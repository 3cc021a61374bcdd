using System.CommandLine;
using System.Diagnostics;
using S2ILGPU.Cli.Bench.Device;
using S2ILGPU.Cli.Devices;
using S2ILGPU.Cli.Json;
using S2ILGPU.Cli.Verify;
using S2ILGPU.Cli.Verify.Operations;
using S2ILGPU.Compiler;
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
        var filter = Options.Text("--only", "TEXT", "Check only what contains this text in pass, types and name, "
            + "as 'backward bf16' or 'operation fp32 MatMul'; a word as D128 restricts the head dimensions; _ stands "
            + "for a space");
        var file = Options.Text("--out", "FILE", "File that also gets the JSON");
        var noSpeed = Options.Switch("--no-speed", "Leave out the times at the end");
        var command = new Command("verify",
            "Check every operation of a device against a double-precision reference, then the speed of attention.")
            { device, json, seed, filter, file, noSpeed };
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
            var operations = new OperationChoice(engine, device, request.Only);
            var variants = VariantFilter.Choose(all.Variants, request.Only, mayBeNone: operations.Any);
            var lines = request.IsJson ? TextWriter.Null : output;
            lines.WriteLine($"device: {device.Id}, {engine.Name}");
            lines.WriteLine($"seed: {request.Seed}");
            if (all.Note.Length > 0)
                lines.WriteLine(all.Note);
            int width = variants.Select(v => v.Name.Length).Append(0).Max();
            var watch = Stopwatch.StartNew();
            var others = operations.Run(request.Seed, result => lines.WriteLine(result.Line(operations.NameWidth)),
                cancellation);
            var results = new VerifyRun(request.Seed, device.Kind == DeviceKind.Emulated, all.IsConcurrent)
                .Run(variants, result => lines.WriteLine(result.Line(width)), cancellation);
            KernelResources[] kernels = [.. all.Owned.Prepend(engine).OfType<IlgpuEngine>()
                .SelectMany(e => e.LoadedKernels()).DistinctBy(k => k.Name).OrderBy(k => k.Name)];
            foreach (var kernel in kernels)
                lines.WriteLine(VerifyReport.Line(kernel));
            var report = new VerifyReport(device, engine.Name, request.Seed, results, others, kernels,
                WriteSpeed: null, watch.Elapsed.TotalSeconds);
            lines.WriteLine(report.Summary);
            if (request.HasSpeed)
                report = report with { WriteSpeed = Speed(engine, device, lines, cancellation).WriteEntries };
            if (request.IsJson)
                JsonText.WriteLine(output, report.Write);
            JsonFile.Write(request.File, report.Write);
            if (report.Failures == 0)
                return 0;
            error.WriteLine(
                $"error: {report.Failures} of {report.Count} checks failed on {device.Id}, seed {request.Seed}");
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
