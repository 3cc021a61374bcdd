using S2ILGPU.Training;

namespace S2ILGPU.Cli.Drawing;

/// <summary>The loss curve of a run, in bits per byte so that runs with different tokenizers compare.</summary>
internal static class LossCurve
{
    /// <summary>Draws training and validation loss beside the unigram entropy of the tokens.</summary>
    /// <param name="title">Title of the plot.</param>
    /// <param name="steps">The steps of the run.</param>
    /// <param name="bytesPerToken">Mean UTF-8 bytes of a training token.</param>
    /// <param name="unigramBitsPerByte">Entropy of the token frequencies.</param>
    public static string Render(string title, IReadOnlyList<TrainingStep> steps, double bytesPerToken,
        double unigramBitsPerByte)
    {
        double factor = 1 / (Math.Log(2) * bytesPerToken);
        (double X, double Y)[] raw = [.. steps.Select(s => ((double)s.Step, s.Loss * factor))];
        (double X, double Y)[] validation = [.. steps.Where(s => s.ValidationLoss is not null)
            .Select(s => ((double)s.Step, s.ValidationLoss!.Value * factor))];
        (double X, double Y)[] unigram = steps.Count == 0 ? []
            : [(1, unigramBitsPerByte), (steps[^1].Step, unigramBitsPerByte)];
        return new SvgPlot(title, "step", "bits per byte",
        [
            new PlotSeries("training", "#3b6fb6", raw, IsFaint: true),
            new PlotSeries("training, smoothed", "#3b6fb6", Smoothed(raw)),
            new PlotSeries("validation", "#c4542d", validation),
            new PlotSeries("unigram entropy", "#777777", unigram, IsDashed: true),
        ]).Render();
    }

    // Exponential moving average with a bias-corrected start, over about the last 2 % of the steps.
    private static (double X, double Y)[] Smoothed((double X, double Y)[] points)
    {
        double keep = 1 - 1 / Math.Max(5, points.Length * 0.02), mean = 0, weight = 0;
        var smoothed = new (double X, double Y)[points.Length];
        for (int i = 0; i < points.Length; i++)
        {
            mean = keep * mean + (1 - keep) * points[i].Y;
            weight = keep * weight + (1 - keep);
            smoothed[i] = (points[i].X, mean / weight);
        }
        return smoothed;
    }
}
