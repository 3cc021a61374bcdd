using System.Diagnostics;
using System.Globalization;
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
    /// <exception cref="ArgumentException">An option is out of range, the context is longer than the model's, a
    /// dataset does not fit the vocabulary or is shorter than a window, or a step needs a tensor of more elements than
    /// there can be.</exception>
    public Trainer(TransformerModel model, TokenDataset training, TokenDataset validation, TrainingOptions options)
    {
        ArgumentNullException.ThrowIfNull(model);
        Options = options.Validate();
        if (model.MatrixType != model.Engine.FloatType)
            throw new ArgumentException(
                $"a model with {model.MatrixType} matrices cannot be trained, it needs {model.Engine.FloatType}");
        if ((options.ActivationType ?? model.Engine.FloatType) != model.ActivationType)
            throw new ArgumentException($"the model's activations are {model.ActivationType}, those of the run "
                + $"{options.ActivationType ?? model.Engine.FloatType}");
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
        CheckSizes(model.Config, options);
        (Model, Data, ValidationData) = (model, training, validation);
        Optimizer = new AdamWOptimizer(model.Engine, model.Parameters, options);
        _tape = new Tape(model.Engine, recording: true, recompute: options.Recompute,
            activationType: model.ActivationType);
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
    /// <param name="cancellation">Ends the step before the parameters change.</param>
    /// <returns>What the step did.</returns>
    /// <exception cref="InvalidOperationException">All steps are done, or the loss or the gradient is not finite; the
    /// parameters are as they were. Or the validation loss after the step is not finite.</exception>
    /// <exception cref="OperationCanceledException">The step was cancelled; the parameters are as they were, and the
    /// next call does the same step.</exception>
    public TrainingStep RunStep(CancellationToken cancellation = default)
    {
        if (IsFinished)
            throw new InvalidOperationException($"all {Options.Steps} steps are done");
        long started = Stopwatch.GetTimestamp();
        int step = CompletedSteps + 1;
        Model.ZeroGradients();
        double loss = 0;
        for (int micro = 0; micro < Options.AccumulationSteps; micro++)
        {
            cancellation.ThrowIfCancellationRequested();
            loss += Learn((long)(step - 1) * Options.AccumulationSteps + micro) / Options.TokensPerStep;
        }
        float learningRate = LearningRateSchedule.At(Options, step);
        if (!double.IsFinite(loss))
            throw new InvalidOperationException(
                $"the loss of step {step} is {Number(loss)}; lower the learning rate (now {Number(learningRate)})");
        cancellation.ThrowIfCancellationRequested();
        double norm = Optimizer.Step(step, learningRate);
        CompletedSteps = step;
        double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        bool validates = IsFinished || (Options.ValidationInterval > 0 && step % Options.ValidationInterval == 0);
        return new TrainingStep(step, loss, SeenTokens, learningRate, norm, seconds, validates ? Validate() : null);
    }

    /// <summary>Does all steps that are left.</summary>
    /// <param name="progress">Told of every step, on the thread of the caller unless it says otherwise, as <see
    /// cref="Progress{T}"/> does.</param>
    /// <param name="cancellation">Ends the run between two changes of the parameters.</param>
    /// <exception cref="InvalidOperationException">A loss or a gradient is not finite.</exception>
    /// <exception cref="OperationCanceledException">The run was cancelled; another call continues it.</exception>
    public void Run(IProgress<TrainingStep>? progress = null, CancellationToken cancellation = default)
    {
        while (!IsFinished)
        {
            var step = RunStep(cancellation);
            progress?.Report(step);
        }
    }

    /// <summary>Mean loss over validation windows spread evenly over the validation text, in nats per token.</summary>
    /// <exception cref="InvalidOperationException">The loss is not finite.</exception>
    public double Validate()
    {
        double loss = Evaluation.MeanLoss(Model, ValidationData, Options.ContextTokens, Options.ValidationSequences);
        return double.IsFinite(loss) ? loss
            : throw new InvalidOperationException(
                $"the validation loss after step {CompletedSteps} is {Number(loss)}; lower the learning rate");
    }

    /// <summary>Frees the optimizer's moments and the activations.</summary>
    public void Dispose()
    {
        _tape.Dispose();
        Optimizer.Dispose();
    }

    /// <summary>Continues after a given step; the caller has restored parameters and moments.</summary>
    internal void ContinueAfter(int step) => CompletedSteps = step;

    // The largest tensor of a step is [tokens, widest row]: refused here rather than by an overflow in the middle of
    // the first step.
    private static void CheckSizes(TransformerConfig config, TrainingOptions options)
    {
        long tokens = (long)options.BatchSequences * options.ContextTokens;
        long widest = Math.Max(Math.Max(config.VocabularySize, 2L * config.FeedForwardDim),
            Math.Max(config.Dim, (config.QueryHeads + 2L * config.KeyValueHeads) * config.HeadDim));
        if (tokens > Array.MaxLength / widest)
            throw new ArgumentException(
                $"a step of {options.BatchSequences} sequences of {options.ContextTokens} tokens is too large: "
                + $"{tokens} rows of {widest} elements, a tensor holds at most {Array.MaxLength} elements");
    }

    private static string Number(double value) => value.ToString("G4", CultureInfo.InvariantCulture);

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
