using System.CommandLine;
using S2ILGPU.Cli.Bench;
using S2ILGPU.Cli.Bench.Needle;
using S2ILGPU.Cli.Devices;
using S2ILGPU.Cli.Drawing;
using S2ILGPU.Cli.Json;
using S2ILGPU.Engines;
using S2ILGPU.Storage;

namespace S2ILGPU.Cli.Commands;

/// <summary><c>s2 bench needle</c>: whether models find what long texts hide.</summary>
internal static class NeedleBenchCommand
{
    public static Command Create()
    {
        var models = Options.Text("--models", "DIR",
            "Folder of the models: those that it has are loaded, the others trained and kept there", unset: "none");
        var device = DeviceOption.Create();
        var quick = Options.Switch("--quick", "Smaller models and short texts");
        var json = Options.Json();
        var file = Options.Text("--out", "FILE", "File that also gets the JSON");
        var map = Options.Text("--svg", "FILE", "File that also gets a heat map");
        var command = new Command("needle",
            "Train small models to find a value in a long text: S2 beside a window, which cannot.") { models,
            device, quick, json, file, map };
        command.SetAction((parsed, cancellation) =>
        {
            var request = new Request(parsed.GetValue(models), parsed.GetValue(device)!,
                parsed.GetValue(quick) ? NeedleSettings.Quick : new NeedleSettings(), parsed.GetValue(json),
                parsed.GetValue(file), parsed.GetValue(map));
            TargetFile.Check("--out", request.File);
            TargetFile.Check("--svg", request.Map);
            if (File.Exists(request.Models))
                throw new InvalidDataException($"--models: {request.Models} is a file, a folder was expected");
            var output = parsed.InvocationConfiguration.Output;
            return Task.Run(() => Run(request, output, cancellation), CancellationToken.None);
        });
        return command;
    }

    private static int Run(Request request, TextWriter output, CancellationToken cancellation)
    {
        using var engine = Engine.Create(request.Device);
        var lines = request.IsJson ? TextWriter.Null : output;
        var grids = new List<(NeedleModel, NeedleGrid)>();
        foreach (var kind in NeedleModel.All(request.Settings))
        {
            lines.WriteLine(kind.Title);
            using var model = kind.Create(engine, request.Settings, request.Models, Tell, cancellation);
            var grid = NeedleGrid.Measure(model, request.Settings, Tell, cancellation);
            grids.Add((kind, grid));
            lines.WriteLine();
        }
        foreach (var (kind, grid) in grids)
            FigureText.WriteLines(NeedleReport.Figures(kind, grid), lines);
        var report = new NeedleReport(engine.Name, DateOnly.FromDateTime(DateTime.UtcNow), BenchMachine.Commit(),
            grids);
        if (request.IsJson)
            JsonText.WriteLine(output, report.Write);
        JsonFile.Write(request.File, report.Write);
        if (request.Map is not null)
            AtomicFile.Write(request.Map, stream =>
            {
                var canvas = new SvgCanvas();
                NeedleMap.Draw(grids, canvas);
                canvas.WriteTo(stream);
            });
        return 0;

        void Tell(string line) => lines.WriteLine($"  {line}");
    }

    private sealed record Request(string? Models, string Device, NeedleSettings Settings, bool IsJson, string? File,
        string? Map);
}
