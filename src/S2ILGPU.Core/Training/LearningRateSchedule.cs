namespace S2ILGPU.Training;

/// <summary>Linear warm-up, then half a cosine down: <c>lr(t) = peak * t / W</c> for t &lt;= W, then <c>final + (peak -
/// final) (1 + cos(pi (t - W) / (T - W))) / 2</c>.</summary>
public static class LearningRateSchedule
{
    /// <summary>The learning rate of a step.</summary>
    /// <param name="options">Peak, final fraction, warm-up and total steps.</param>
    /// <param name="step">Step, from 1 to <see cref="TrainingOptions.Steps"/>.</param>
    public static float At(TrainingOptions options, int step)
    {
        int warmup = Math.Min(options.WarmupSteps ?? Math.Max(1, options.Steps / 20), options.Steps);
        if (step <= warmup)
            return options.LearningRate * step / Math.Max(1, warmup);
        double final = options.LearningRate * options.FinalLearningRateFraction;
        double progress = (double)(step - warmup) / Math.Max(1, options.Steps - warmup);
        return (float)(final + (options.LearningRate - final) * 0.5 * (1 + Math.Cos(Math.PI * progress)));
    }
}
