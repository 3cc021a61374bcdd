using System.CommandLine;
using System.Globalization;
using S2ILGPU.Cli.Json;
using S2ILGPU.Cli.Simulation.Calibration;
using S2ILGPU.Cli.Training;

namespace S2ILGPU.Cli.Commands;

/// <summary><c>s2 simulate calibrate-serving</c>: the costs of a server on this machine, and how well they predict
/// it.</summary>
internal static class SimulateServingCalibrateCommand
{
    public static Command Create()
    {
        var preset = Options.Choice("--preset", [.. TrainingPreset.All.Select(p => p.Name)], "Size of the model",
            "default");
        var attention = AttentionOption.CreateOfPreset();
        var rounds = Options.Number("--rounds", 5, "How often everything is measured, in turn", least: 1, most: 1000);
        var file = Options.Text("--out", "FILE", "File for the costs, as s2 simulate serving takes it");
        var json = Options.Json();
        var command = new Command("calibrate-serving",
            "Measure a server of one thread on this machine, predict it under other traffic, and run that too.")
        {
            preset, attention, rounds, file, json,
        };
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            string? path = parsed.GetValue(file);
            TargetFile.Check(file.Name, path);
            var output = parsed.InvocationConfiguration.Output;
            bool isJson = parsed.GetValue(json);
            var report = new ServingCalibrator(TrainingPreset.Find(parsed.GetValue(preset)!),
                parsed.GetValue(attention)!, parsed.GetValue(rounds))
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
                        writer.WriteString("attention", prediction.Attention);
                        writer.WriteString("load", prediction.Load);
                        foreach (var (kind, figures) in new[]
                            { ("measured", prediction.Measured), ("predicted", prediction.Predicted) })
                        {
                            writer.WriteStartObject(kind);
                            foreach (var (name, value) in figures.All)
                                writer.WriteNumber(name, value);
                            writer.WriteEndObject();
                        }
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

    private static string Text(ServingReport report) => string.Join('\n', [
        $"{"attention",-12}{"texts come at",-24}{"",-26}{"measured",12}{"predicted",12}{"error",10}",
        .. report.Predictions.SelectMany(p => Rows(p.Measured, p.Predicted).Select(row =>
            string.Create(CultureInfo.InvariantCulture, $"{p.Attention,-12}{p.Load,-24}{row.Name,-26}"
                + $"{row.Measured,12:#,0.0}{row.Predicted,12:#,0.0}"
                + $"{row.Predicted / row.Measured - 1,10:+0.0 %;-0.0 %}"))),
    ]);

    private static (string Name, double Measured, double Predicted)[] Rows(ServingFigures measured,
        ServingFigures predicted) =>
    [
        ("tokens/s", measured.TokensPerSecond, predicted.TokensPerSecond),
        ("first token, median, ms", measured.FirstSeconds * 1e3, predicted.FirstSeconds * 1e3),
        ("first token, 90 %, ms", measured.LateFirstSeconds * 1e3, predicted.LateFirstSeconds * 1e3),
        ("between tokens, median, ms", measured.GapSeconds * 1e3, predicted.GapSeconds * 1e3),
        ("between tokens, 99 %, ms", measured.LongGapSeconds * 1e3, predicted.LongGapSeconds * 1e3),
    ];
}
