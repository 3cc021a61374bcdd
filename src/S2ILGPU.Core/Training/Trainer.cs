using System.Diagnostics;
using S2ILGPU.Autograd;
using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.Tokenizers;

namespace S2ILGPU.Training;

/// <summary>Teaches a model a dataset, one optimizer step at a time.</summary>
/// <remarks>
/// <para>What step n does depends on the parameters, the moments, the options and n alone: the data of a step is a
/// function of seed and step. So saving and restoring the state at any step gives the same bits as a run without
/// interruption, on the same device.</para>
/// <para>Not thread-safe. Dispose it before the model.</para>
/// </remarks>
public sealed class Trainer : IDisposable
{
    private readonly Tape _tape;
    private readonly int[] _windows, _inputs, _targets;
    private readonly float[] _losses;

    /// <summary>Creates a trainer at step 0.</summary>
    /// <param name="model">The model; not disposed.</param>
    /// <param name="training">Text to learn from.</param>
    /// <param name="validation">Text to measure with.</param>
    /// <param name="options">How to train.</param>
    /// <exception cref="ArgumentException">An option is out of range, the context is longer than the model's, or a
    /// dataset does not fit the vocabulary or is shorter than a window.</exception>
    public Trainer(TransformerModel model, TokenDataset training, TokenDataset validation, TrainingOptions options)
    {
        ArgumentNullException.ThrowIfNull(model);
        Options = options.Validate();
        if (model.MatrixType != model.Engine.FloatType)
            throw new ArgumentException(
                $"a model with {model.MatrixType} matrices cannot be trained, it needs {model.Engine.FloatType}");
        if (options.ContextTokens > model.Config.ContextTokens)
            throw new ArgumentException(
                $"a training context of {options.ContextTokens} tokens is longer than the model's "
                + $"{model.Config.ContextTokens}");
        if (training.VocabularySize > model.Config.VocabularySize)
            throw new ArgumentException(
                $"the data has {training.VocabularySize} token ids, the model {model.Config.VocabularySize}");
        if (training.TokenCount <= options.ContextTokens)
            throw new ArgumentException(
                $"{training.TokenCount} tokens of training text are not enough for a context of "
                + $"{options.ContextTokens}: give more text or a shorter context");
        if (validation.TokenCount < 2)
            throw new ArgumentException(
                $"{validation.TokenCount} tokens of validation text are not enough: give more text");
        (Model, Data, ValidationData) = (model, training, validation);
        Optimizer = new AdamWOptimizer(model.Engine, model.Parameters, options);
        _tape = new Tape(model.Engine, recording: true, recompute: options.Recompute);
        int tokens = options.BatchSequences * options.ContextTokens;
        _windows = new int[tokens + options.BatchSequences];
        (_inputs, _targets, _losses) = (new int[tokens], new int[tokens], new float[tokens]);
    }

    /// <summary>The model.</summary>
    public TransformerModel Model { get; }

    /// <summary>The optimizer with its moments.</summary>
    public AdamWOptimizer Optimizer { get; }

    /// <summary>How to train.</summary>
    public TrainingOptions Options { get; }

    /// <summary>Text to learn from.</summary>
    public TokenDataset Data { get; }

    /// <summary>Text to measure with.</summary>
    public TokenDataset ValidationData { get; }

    /// <summary>Steps done.</summary>
    public int CompletedSteps { get; private set; }

    /// <summary>Tokens learned from.</summary>
    public long SeenTokens => CompletedSteps * Options.TokensPerStep;

    /// <summary>Whether all steps are done.</summary>
    public bool IsFinished => CompletedSteps >= Options.Steps;

    /// <summary>Does the next step, and validates where the options say so.</summary>
    /// <returns>What the step did.</returns>
    /// <exception cref="InvalidOperationException">All steps are done, or the gradient is not finite.</exception>
    public TrainingStep RunStep()
    {
        if (IsFinished)
            throw new InvalidOperationException($"all {Options.Steps} steps are done");
        long started = Stopwatch.GetTimestamp();
        int step = CompletedSteps + 1;
        Model.ZeroGradients();
        double loss = 0;
        for (int micro = 0; micro < Options.AccumulationSteps; micro++)
            loss += Learn((long)(step - 1) * Options.AccumulationSteps + micro) / Options.TokensPerStep;
        float learningRate = LearningRateSchedule.At(Options, step);
        double norm = Optimizer.Step(step, learningRate);
        CompletedSteps = step;
        double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        bool validates = IsFinished || (Options.ValidationInterval > 0 && step % Options.ValidationInterval == 0);
        return new TrainingStep(step, loss, SeenTokens, learningRate, norm, seconds, validates ? Validate() : null);
    }

    /// <summary>Mean loss over validation windows spread evenly over the validation text, in nats per token.</summary>
    public double Validate() =>
        Evaluation.MeanLoss(Model, ValidationData, Options.ContextTokens, Options.ValidationSequences);

    /// <summary>Frees the optimizer's moments and the activations.</summary>
    public void Dispose()
    {
        _tape.Dispose();
        Optimizer.Dispose();
    }

    /// <summary>Continues after a given step; the caller has restored parameters and moments.</summary>
    internal void ContinueAfter(int step) => CompletedSteps = step;

    // Forward and backward of one micro-batch; returns the sum of its losses.
    private double Learn(long draw)
    {
        int context = Options.ContextTokens;
        Data.Sample(_windows, context, Options.Seed, draw);
        for (int row = 0; row < Options.BatchSequences; row++)
        {
            var window = _windows.AsSpan(row * (context + 1), context + 1);
            window[..^1].CopyTo(_inputs.AsSpan(row * context));
            window[1..].CopyTo(_targets.AsSpan(row * context));
        }
        var losses = Model.Loss(_tape, _inputs, _targets, Options.BatchSequences);
        Model.Engine.Download(losses.Value, _losses);
        _tape.Backward(losses, 1f / Options.TokensPerStep);
        _tape.Reset();
        double sum = 0;
        foreach (float loss in _losses)
            sum += loss;
        return sum;
    }
}
