using System.Globalization;
using S2ILGPU.Training;
using Spectre.Console;

namespace S2ILGPU.Cli.Training;

/// <summary>Shows a running training: a live bar on a terminal, a line now and then where the output is a file or a
/// pipe.</summary>
/// <param name="output">Where to write.</param>
/// <param name="options">The run.</param>
/// <param name="bitsPerByte">Turns nats per token into bits per byte.</param>
internal sealed class TrainingDisplay(TextWriter output, TrainingOptions options, Func<double, double> bitsPerByte)
{
    private static readonly TimeSpan s_lineInterval = TimeSpan.FromSeconds(10);

    private long _lastLine;
    private double _secondsPerStep, _smoothedLoss;
    private int _seen;

    /// <summary>Runs the steps of a training and shows each.</summary>
    /// <param name="run">Calls its argument after every step.</param>
    public void Show(Action<Action<TrainingStep>> run)
    {
        if (Console.IsOutputRedirected || !ReferenceEquals(output, Console.Out))
        {
            run(WriteLine);
            return;
        }
        AnsiConsole.Progress().AutoClear(false)
            .Columns(new ProgressBarColumn { Width = 10 }, new TaskDescriptionColumn { Alignment = Justify.Left })
            .Start(context =>
        {
            var bar = context.AddTask("starting", maxValue: options.Steps);
            run(step =>
            {
                Measure(step);
                bar.Value = step.Step;
                bar.Description = Markup.Escape(Describe(step));
                if (step.ValidationLoss is not null)
                    AnsiConsole.MarkupLine(Markup.Escape(Validation(step)));
            });
        });
    }

    private void WriteLine(TrainingStep step)
    {
        Measure(step);
        if (step.ValidationLoss is not null)
            output.WriteLine(Validation(step));
        if (step.Step != 1 && step.Step != options.Steps
            && TimeProvider.System.GetElapsedTime(_lastLine) < s_lineInterval)
            return;
        _lastLine = TimeProvider.System.GetTimestamp();
        output.WriteLine(Describe(step));
    }

    // The first steps compile the kernels: the mean forgets them.
    private void Measure(TrainingStep step)
    {
        _seen++;
        double keep = Math.Min(0.95, 1 - 1.0 / _seen);
        _secondsPerStep = keep * _secondsPerStep + (1 - keep) * step.Seconds;
        _smoothedLoss = keep * _smoothedLoss + (1 - keep) * step.Loss;
    }

    private string Describe(TrainingStep step)
    {
        var left = TimeSpan.FromSeconds(_secondsPerStep * (options.Steps - step.Step));
        string clock = left.ToString(left.TotalHours >= 1 ? @"d\.hh\:mm\:ss" : @"mm\:ss", CultureInfo.InvariantCulture);
        return string.Create(CultureInfo.InvariantCulture,
            $"{step.Step}/{options.Steps}  loss {_smoothedLoss:0.000} ({bitsPerByte(_smoothedLoss):0.000} bits/byte)  "
            + $"{options.TokensPerStep / _secondsPerStep:#,0} tokens/s  {clock} left");
    }

    private string Validation(TrainingStep step) => string.Create(CultureInfo.InvariantCulture,
        $"{step.Step}/{options.Steps}  validation {step.ValidationLoss:0.000} "
        + $"({bitsPerByte(step.ValidationLoss!.Value):0.000} bits/byte)");
}
