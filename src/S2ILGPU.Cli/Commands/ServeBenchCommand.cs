using System.CommandLine;
using S2ILGPU.Cli.Bench;
using S2ILGPU.Cli.Bench.Serving;
using S2ILGPU.Cli.Devices;
using S2ILGPU.Cli.Simulation.Tracing;
using S2ILGPU.Cpu;
using S2ILGPU.Engines;
using S2ILGPU.Models;

namespace S2ILGPU.Cli.Commands;

/// <summary><c>s2 bench serve</c>: what a server does with many clients, and what S2 attention saves it.</summary>
internal static class ServeBenchCommand
{
    private const int ContextTokens = 32768;

    public static Command Create()
    {
        var folder = ModelOption.Create();
        var clients = Options.Number("--clients", 64, "Streaming clients at a time", least: 1, most: 10_000);
        var seconds = Options.Number("--seconds", 60, "How long they keep asking", least: 1);
        var speculate = DeviceOption.Speculate();
        var interval = ServeCommand.StreamInterval();
        var device = DeviceOption.Create();
        var quick = Options.Switch("--quick", "A short context and few repetitions");
        var json = Options.Json();
        var file = Options.Text("--out", "FILE", "File that also gets the JSON");
        var command = new Command("serve",
            "Load a server with streaming clients; compare the cache of a dense model with that of its S2 twin.") {
            folder, clients, seconds, speculate, interval, device, quick, json, file };
        command.SetAction((parsed, cancellation) =>
        {
            string? path = parsed.GetValue(file);
            TargetFile.Check("--out", path);
            int number = parsed.GetValue(clients), time = parsed.GetValue(seconds);
            var request = new Request(ModelOption.Folder(parsed, folder), parsed.GetValue(device)!,
                (parsed.GetValue(quick) ? ServeSettings.Quick(number, time) : new(number, time, ContextTokens)) with
                {
                    Speculate = parsed.GetValue(speculate),
                    StreamInterval = TimeSpan.FromMilliseconds(parsed.GetValue(interval)),
                },
                parsed.GetValue(json), path);
            return Task.Run(() => RunAsync(request, parsed.InvocationConfiguration.Output, cancellation),
                CancellationToken.None);
        });
        return command;
    }

    private static async Task<int> RunAsync(Request request, TextWriter output, CancellationToken cancellation)
    {
        using var engine = Engine.Create(request.Device);
        if (!request.IsJson)
            output.WriteLine(engine is CpuEngine cpu ? $"{MachineFacts.Of(cpu)}\n" : $"{engine.Name}\n");
        var report = new FigureReport(engine.Name, output, request.IsJson);
        using (var model = ModelFolder.Load(request.Folder, engine, cancellation: cancellation))
        {
            report.Add(await new ServeLoad(model, request.Settings, cancellation).MeasureAsync(cancellation));
            report.Add(new RowCosts(model, request.Settings.Rounds).Measure(cancellation));
        }
        var operations = new OperationTimes();
        using var timed = new TracedEngine(engine, operations.Add);
        using (var model = ModelFolder.Load(request.Folder, timed, cancellation: cancellation))
            report.Add(new StepTimes(model, operations, request.Settings).Measure(cancellation));
        report.Add(new TwinModels(engine, request.Settings).Measure(cancellation));
        report.WriteJson(request.File);
        return 0;
    }

    private sealed record Request(string Folder, string Device, ServeSettings Settings, bool IsJson, string? File);
}
