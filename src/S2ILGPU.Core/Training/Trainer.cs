using System.Diagnostics;
using System.Globalization;
using S2ILGPU.Collectives;
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
    private readonly DataParallel? _parallel;
    private readonly MicroBatchLearner _learner;
    private readonly ICollective? _replicas; // where layers are shared: the ranks with the same part of them
    private readonly int _group, _groups;

    /// <summary>Creates a trainer at step 0.</summary>
    /// <param name="model">The model; not disposed.</param>
    /// <param name="training">Text to learn from.</param>
    /// <param name="validation">Text to measure with.</param>
    /// <param name="options">How to train.</param>
    /// <param name="ranks">All ranks of the run, each of which makes a trainer with the same arguments: they share the
    /// <see cref="TrainingOptions.AccumulationSteps"/> micro-batches of a step, and each keeps the moments of its part
    /// of the parameters. All begin with the parameters of rank 0. Neighbours share the layers of a model that has <see
    /// cref="TransformerModel.TensorRanks"/>. Null for one. Not disposed. From then on every rank
    /// calls the same methods in the same order.</param>
    /// <param name="shard">Where ranks share each sequence too: neighbouring ranks, or neighbouring groups that share
    /// layers, learn one micro-batch together. Null for whole sequences. Not disposed.</param>
    /// <exception cref="ArgumentException">An option is out of range, the context is longer than the model's, a
    /// dataset does not fit the vocabulary or is shorter than a window, or a step needs a tensor of more elements than
    /// there can be. Or the ranks differ in a field, which the message names, or a step has no equal
    /// shares.</exception>
    public Trainer(TransformerModel model, TokenDataset training, TokenDataset validation, TrainingOptions options,
        ICollective? ranks = null, IContextShard? shard = null)
        : this(model, training, validation, options, ranks, shard, DataParallel.DefaultBucketElements)
    {
    }

    /// <summary>The same with buckets of another size.</summary>
    internal Trainer(TransformerModel model, TokenDataset training, TokenDataset validation, TrainingOptions options,
        ICollective? ranks, IContextShard? shard, int bucketElements)
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
        (_group, _groups) = Groups(model, ranks, shard, options);
        var watch = new GradientWatch(model.Engine, model.Parameters);
        if (ranks is { Size: > 1 })
        {
            RankAgreement.Check(ranks, this, shard);
            _replicas = model.Shard is { } part ? ranks.Split(part.Rank, ranks.Rank) : null;
            _parallel = new DataParallel(model, ranks, _replicas ?? ranks, watch, bucketElements);
        }
        _learner = new MicroBatchLearner(model, training, options, watch, _parallel, shard);
        var buckets = BucketPiece.Cut([.. model.Parameters.Select(p => p.Value.Count)], bucketElements);
        Optimizer = new AdamWOptimizer(model.Engine, _parallel?.Own ?? model.Parameters, options, _parallel is null
            ? () => GradientNorm.Sum(model.Engine, model.Parameters, buckets)
            : _parallel.SumOfSquares);
    }

    /// <summary>The model.</summary>
    public TransformerModel Model { get; }

    /// <summary>The optimizer with its moments; with ranks those of the part that belongs to this rank, by <see
    /// cref="TrainingState"/> gathered.</summary>
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
    /// next call does the same step. With ranks a <see cref="RanksCancelledException"/>, on all of them.</exception>
    public TrainingStep RunStep(CancellationToken cancellation = default)
    {
        if (IsFinished)
            throw new InvalidOperationException($"all {Options.Steps} steps are done");
        long started = Stopwatch.GetTimestamp();
        int step = CompletedSteps + 1;
        double loss = Learn(step, cancellation);
        float learningRate = LearningRateSchedule.At(Options, step);
        if (!double.IsFinite(loss))
            throw new InvalidOperationException(
                $"the loss of step {step} is {Number(loss)}; lower the learning rate (now {Number(learningRate)})");
        if (_parallel is null)
            cancellation.ThrowIfCancellationRequested();
        double norm = Optimizer.Step(step, learningRate);
        _parallel?.ShareParameters();
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
        double loss = Evaluation.MeanLoss(Model, ValidationData, Options.ContextTokens, Options.ValidationSequences,
            _parallel?.Ranks);
        return double.IsFinite(loss) ? loss
            : throw new InvalidOperationException(
                $"the validation loss after step {CompletedSteps} is {Number(loss)}; lower the learning rate");
    }

    /// <summary>Frees the optimizer's moments and the activations.</summary>
    public void Dispose()
    {
        _learner.Dispose();
        Optimizer.Dispose();
        _parallel?.Dispose();
        _replicas?.Dispose();
    }

    /// <summary>What the ranks share; null for one rank.</summary>
    internal DataParallel? Parallel => _parallel;

    /// <summary>Continues after a given step; the caller has restored parameters and moments.</summary>
    internal void ContinueAfter(int step) => CompletedSteps = step;

    // Ranks stop together: each goes through with its share before all of them hear that one was cancelled.
    private double Learn(int step, CancellationToken cancellation)
    {
        int each = Options.AccumulationSteps / _groups;
        long first = ((long)(step - 1) * _groups + _group) * each;
        if (_parallel is null)
            return _learner.Learn(first, each, cancellation);
        double own = _learner.Learn(first, each, CancellationToken.None);
        _parallel.Finish();
        var (loss, isCancelled) = _parallel.Agree(own, cancellation.IsCancellationRequested);
        return isCancelled ? throw new RanksCancelledException(cancellation) : loss;
    }

    // Which group of ranks this one is in, and how many learn micro-batches of their own.
    private static (int Group, int Groups) Groups(TransformerModel model, ICollective? ranks, IContextShard? shard,
        TrainingOptions options)
    {
        int size = ranks?.Size ?? 1, rank = ranks?.Rank ?? 0, together = (shard?.Ranks ?? 1) * model.TensorRanks;
        if (size % together != 0)
            throw new ArgumentException($"{size} ranks are no multiple of the {together} that share a "
                + "sequence and its layers");
        if (model.Shard is { } part && rank % part.Ranks != part.Rank)
            throw new ArgumentException($"the {part.Ranks} ranks that share layers must be neighbours: rank {rank} "
                + $"has part {part.Rank}");
        int groups = size / together;
        return options.AccumulationSteps % groups == 0 ? (rank / together, groups)
            : throw new ArgumentException(
                $"{nameof(TrainingOptions.AccumulationSteps)} {options.AccumulationSteps} is not a multiple of the "
                + $"{groups} {(together == 1 ? "ranks" : "groups of ranks")} that share a step");
    }

    // The largest tensor of a step is [tokens, widest row]: refused here rather than by an overflow in the middle of
    // the first step.
    private static void CheckSizes(TransformerConfig config, TrainingOptions options)
    {
        long tokens = (long)options.BatchSequences * options.ContextTokens;
        long widest = Math.Max(Math.Max(config.Dim, 2L * config.FeedForwardDim),
            (config.QueryHeads + 2L * config.KeyValueHeads) * config.HeadDim);
        if (tokens > Array.MaxLength / widest)
            throw new ArgumentException(
                $"a step of {options.BatchSequences} sequences of {options.ContextTokens} tokens is too large: "
                + $"{tokens} rows of {widest} elements, a tensor holds at most {Array.MaxLength} elements");
    }

    private static string Number(double value) => value.ToString("G4", CultureInfo.InvariantCulture);
}
