using S2ILGPU.Autograd;
using S2ILGPU.Models;
using S2ILGPU.Tokenizers;

namespace S2ILGPU.Training;

/// <summary>Forward and backward passes of micro-batches on one device; gradients stay in the model's
/// parameters.</summary>
/// <param name="model">The model; not disposed.</param>
/// <param name="data">Text to learn from.</param>
/// <param name="options">How to train.</param>
/// <param name="watch">Follows the backward walks.</param>
/// <param name="parallel">Exchanges gradients during the last backward walk; null for none.</param>
/// <param name="shard">The part of each sequence that is learned here; null for whole sequences.</param>
internal sealed class MicroBatchLearner(TransformerModel model, TokenDataset data, TrainingOptions options,
    GradientWatch watch, DataParallel? parallel, IContextShard? shard) : IDisposable
{
    private readonly int[] _positions = shard?.Positions(options.ContextTokens)
        ?? [.. Enumerable.Range(0, options.ContextTokens)];
    private readonly Tape _tape = new(model.Engine, recording: true, recompute: options.Recompute,
        activationType: model.ActivationType);
    private readonly int[] _windows = new int[options.BatchSequences * (options.ContextTokens + 1)];
    private int[] _inputs = [], _targets = []; // of the rank's tokens, made with the first draw
    private float[] _losses = [];

    /// <summary>Learns micro-batches that follow each other, from no gradients.</summary>
    /// <param name="firstDraw">Which windows the first one draws.</param>
    /// <param name="count">Number of micro-batches.</param>
    /// <param name="cancellation">Looked at before each.</param>
    /// <returns>The sum of the losses, divided by the tokens of a step.</returns>
    public double Learn(long firstDraw, int count, CancellationToken cancellation)
    {
        model.ZeroGradients();
        double loss = 0;
        for (int micro = 0; micro < count; micro++)
        {
            cancellation.ThrowIfCancellationRequested();
            loss += Learn(firstDraw + micro, isLast: micro == count - 1) / options.TokensPerStep;
        }
        return loss;
    }

    /// <summary>Frees the activations.</summary>
    public void Dispose() => _tape.Dispose();

    // Returns the sum of the losses.
    private double Learn(long draw, bool isLast)
    {
        Draw(draw);
        var losses = shard is null ? model.Loss(_tape, _inputs, _targets, options.BatchSequences)
            : model.ShardLoss(_tape, _inputs, _targets, options.BatchSequences, shard, options.ContextTokens);
        model.Engine.Download(losses.Value, _losses);
        watch.Begin(isLast ? parallel?.Begin() : null);
        _tape.Watch = watch;
        _tape.Backward(losses, 1f / options.TokensPerStep);
        _tape.Watch = null;
        watch.End();
        _tape.Reset();
        double sum = 0;
        foreach (float value in _losses)
            sum += value;
        return sum;
    }

    private void Draw(long draw)
    {
        int context = options.ContextTokens, count = _positions.Length, rows = options.BatchSequences;
        data.Sample(_windows, context, options.Seed, draw);
        if (_inputs.Length == 0)
            (_inputs, _targets, _losses) = (new int[rows * count], new int[rows * count], new float[rows * count]);
        for (int row = 0; row < rows; row++)
            for (int t = 0; t < count; t++)
            {
                int at = row * (context + 1) + _positions[t];
                (_inputs[row * count + t], _targets[row * count + t]) = (_windows[at], _windows[at + 1]);
            }
    }
}
