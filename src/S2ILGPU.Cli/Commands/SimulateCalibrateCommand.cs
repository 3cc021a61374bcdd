using System.CommandLine;
using System.Globalization;
using S2ILGPU.Cli.Json;
using S2ILGPU.Cli.Simulation.Calibration;
using S2ILGPU.Cli.Training;

namespace S2ILGPU.Cli.Commands;

/// <summary><c>s2 simulate calibrate</c>: the costs of this machine, and how well they predict its own runs.</summary>
internal static class SimulateCalibrateCommand
{
    public static Command Create()
    {
        var preset = Options.Choice("--preset", [.. TrainingPreset.All.Select(p => p.Name)],
            "Size of model and micro-batch", "default");
        var attention = AttentionOption.CreateOfPreset();
        var ranks = Options.Number("--ranks", 4, "The most ranks of a predicted run", least: 2, most: 64);
        var rounds = Options.Number("--rounds", 5, "How often everything is measured, in turn", least: 1, most: 1000);
        var file = Options.Text("--out", "FILE", "File for the costs, as s2 simulate training takes it");
        var json = Options.Json();
        var command = new Command("calibrate",
            "Measure this machine on single ranks, predict runs of 2, 4, ... ranks, and run those too.")
        {
            preset, attention, ranks, rounds, file, json,
        };
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            string? path = parsed.GetValue(file);
            TargetFile.Check(file.Name, path);
            var output = parsed.InvocationConfiguration.Output;
            bool isJson = parsed.GetValue(json);
            var report = new Calibrator(TrainingPreset.Find(parsed.GetValue(preset)!), parsed.GetValue(attention)!,
                parsed.GetValue(ranks), parsed.GetValue(rounds))
                .Run(isJson ? _ => { } : output.WriteLine, cancellation);
            if (path is not null)
                report.Costs.Write(path);
            if (isJson)
                JsonText.WriteLine(output, writer =>
                {
                    writer.WriteStartArray();
                    foreach (var prediction in report.Predictions)
                    {
                        writer.WriteStartObject();
                        writer.WriteNumber("dataParallel", prediction.Grid.Groups);
                        writer.WriteNumber("contextParallel", prediction.Grid.Context);
                        writer.WriteNumber("tensorParallel", prediction.Grid.Tensor);
                        writer.WriteNumber("measuredSeconds", prediction.Measured.Seconds);
                        writer.WriteNumber("predictedSeconds", prediction.Predicted.Seconds);
                        writer.WriteNumber("measuredProcessorSeconds", prediction.Measured.ProcessorSeconds);
                        writer.WriteNumber("predictedProcessorSeconds", prediction.Predicted.ProcessorSeconds);
                        writer.WriteEndObject();
                    }
                    writer.WriteEndArray();
                });
            else
                output.WriteLine(Text(report));
            return 0;
        }, CancellationToken.None));
        return command;
    }

    private static string Text(CalibrationReport report) => string.Join('\n', [
        $"{report.Costs.Name}; contention of 1, 2, ... ranks: "
            + string.Join(", ", report.Costs.Contention.Select(factor =>
                factor.ToString("0.00", CultureInfo.InvariantCulture))),
        $"{"",-28}{"step",12}{"",12}{"",10}{"processors",12}",
        $"{"data x context x tensor",-28}{"measured",12}{"predicted",12}{"error",10}{"measured",12}{"predicted",12}"
            + $"{"error",10}",
        .. report.Predictions.Select(p => string.Create(CultureInfo.InvariantCulture,
            $"{$"{p.Grid.Groups} x {p.Grid.Context} x {p.Grid.Tensor}",-28}"
            + $"{p.Measured.Seconds * 1e3,9:0.0} ms{p.Predicted.Seconds * 1e3,9:0.0} ms{p.Error,10:+0.0 %;-0.0 %}"
            + $"{p.Measured.ProcessorSeconds * 1e3,9:0.0} ms{p.Predicted.ProcessorSeconds * 1e3,9:0.0} ms"
            + $"{p.ProcessorError,10:+0.0 %;-0.0 %}")),
        .. report.Share >= CalibrationReport.LeastShare ? Array.Empty<string>() : [string.Create(
            CultureInfo.InvariantCulture, $"other programs used the machine: a rank got {report.Share:0 %} of a "
            + $"processor; steps on the clock are stretched as ranks side by side were, a rough guess")],
    ]);
}
