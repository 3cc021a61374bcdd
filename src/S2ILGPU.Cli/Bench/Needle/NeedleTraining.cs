using System.Diagnostics;
using S2ILGPU.Autograd;
using S2ILGPU.Models;
using S2ILGPU.Training;
using static System.FormattableString;

namespace S2ILGPU.Cli.Bench.Needle;

/// <summary>Teaches a model to answer questions, first in short texts and then in longer ones.</summary>
/// <param name="model">The model; not disposed.</param>
/// <param name="settings">Sizes.</param>
internal sealed class NeedleTraining(TransformerModel model, NeedleSettings settings)
{
    // A guess among 64 values has a loss of 4.2; a model that reaches all needles comes below 0.2 in every context.
    private const float LearningRate = 3e-3f, Learned = 0.02f, NotLearned = 1;
    private const int WarmupSteps = 50, LeastSteps = 20;

    private readonly NeedleTask _task = new(settings.Seed);
    private readonly AdamWOptimizer _optimizer = new(model.Engine, model.Parameters,
        new TrainingOptions { WeightDecay = 0.01f });

    /// <summary>Steps done, of copies and of questions.</summary>
    public int Steps { get; private set; }

    private delegate void Draw(Span<int> tokens, Span<int> targets);

    /// <summary>Trains until the loss of every context is small or its steps are done. A context whose questions the
    /// model did not learn at all is the last one: longer ones hide more from it.</summary>
    /// <param name="progress">Gets a line for each context.</param>
    /// <param name="cancellation">Ends it between two steps.</param>
    public void Run(Action<string> progress, CancellationToken cancellation)
    {
        using (_optimizer)
        {
            if (settings.CopySteps > 0)
                Learn("copies", settings.TrainingTokens[0], settings.CopySteps, _task.Copy);
            foreach (int tokens in settings.TrainingTokens)
                if (Learn("questions", tokens, settings.Steps, _task.Ask) > NotLearned)
                {
                    progress("not learned: longer texts are left out");
                    return;
                }
            if (settings.LastSteps > 0)
                Learn("questions with a falling rate", settings.TrainingTokens[^1], settings.LastSteps, _task.Ask,
                    isLast: true);
        }

        double Learn(string what, int tokens, int steps, Draw draw, bool isLast = false)
        {
            long start = Stopwatch.GetTimestamp();
            var (done, loss) = Train(tokens, steps, draw, isLast, cancellation);
            progress(Invariant($"{what} in {tokens:#,0} tokens: loss {loss:0.000} after {done} steps, ")
                + Invariant($"{Stopwatch.GetElapsedTime(start).TotalSeconds:0} s"));
            return loss;
        }
    }

    // Returns the steps done and the loss over about the last ten of them. A falling learning rate, which reduces the
    // loss to a tenth, takes all of its steps; otherwise a small loss ends the training with this context.
    private (int Steps, double Loss) Train(int context, int steps, Draw draw, bool isLast,
        CancellationToken cancellation)
    {
        int rows = Math.Max(1, settings.StepTokens / context);
        int[] tokens = new int[rows * context], targets = new int[tokens.Length];
        float[] losses = new float[tokens.Length];
        using var tape = new Tape(model.Engine, recording: true);
        double mean = 0, weight = 0;
        for (int done = 1; ; done++)
        {
            cancellation.ThrowIfCancellationRequested();
            for (int row = 0; row < rows; row++)
                draw(tokens.AsSpan(row * context, context), targets.AsSpan(row * context, context));
            int asked = targets.Count(target => target >= 0);
            model.ZeroGradients();
            var loss = model.Loss(tape, tokens, targets, rows);
            model.Engine.Download(loss.Value, losses);
            tape.Backward(loss, 1f / asked);
            tape.Reset();
            Steps++;
            float fall = isLast ? 1 - (done - 1) / (float)steps : 1;
            _optimizer.Step(Steps, LearningRate * Math.Min(1f, Steps / (float)WarmupSteps) * fall);
            (mean, weight) = (0.9 * mean + 0.1 * losses.Sum() / asked, 0.9 * weight + 0.1);
            if (done >= steps || (!isLast && done >= LeastSteps && mean / weight < Learned))
                return (done, mean / weight);
        }
    }
}
