using System.Diagnostics;
using S2ILGPU.Autograd;
using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.Training;

namespace S2ILGPU.Cli.Bench.Device;

/// <summary>Work of a model whose steps are timed.</summary>
internal interface IModelWork : IDisposable
{
    /// <summary>Does a step and waits for it.</summary>
    /// <returns>Seconds of each of its phases.</returns>
    double[] Step();
}

/// <summary>A model that learns random tokens: what they say does not change the work.</summary>
internal sealed class ModelTraining : IModelWork
{
    private readonly IEngine _engine;
    private readonly TransformerModel _model;
    private readonly AdamWOptimizer _optimizer;
    private readonly Tape _tape;
    private readonly int[] _tokens, _targets;
    private readonly int _batch;
    private int _step;

    public ModelTraining(IEngine engine, ModelSize size, string attention)
    {
        var config = (size.Preset.Model with { Attention = size.Preset.Attention(attention),
            ContextTokens = size.Tokens }).Validate();
        var options = size.Preset.Options with { ContextTokens = size.Tokens, BatchSequences = size.Sequences,
            AccumulationSteps = 1 };
        (_engine, _batch) = (engine, size.Sequences);
        _model = new TransformerModel(engine, config, activationType: size.Activations);
        _optimizer = new AdamWOptimizer(engine, _model.Parameters, options);
        _tape = new Tape(engine, recording: true, options.Recompute, size.Activations);
        var random = new Random(1);
        _tokens = [.. Enumerable.Range(0, size.Sequences * size.Tokens).Select(_ =>
            random.Next(config.VocabularySize))];
        _targets = [.. _tokens.Skip(1), 0];
        Flops = TrainingBench.Flops(_model, options);
    }

    /// <summary>Multiplications and additions of a step, without those of recomputing.</summary>
    public double Flops { get; }

    public double[] Step()
    {
        var losses = default(Variable);
        _engine.Synchronize();
        return
        [
            Seconds(() =>
            {
                _model.ZeroGradients();
                losses = _model.Loss(_tape, _tokens, _targets, _batch);
            }),
            Seconds(() =>
            {
                _tape.Backward(losses!, 1f / _tokens.Length);
                _tape.Reset();
            }),
            Seconds(() => _optimizer.Step(++_step, learningRate: 1e-4f)),
        ];
    }

    public void Dispose()
    {
        _tape.Dispose();
        _optimizer.Dispose();
        _model.Dispose();
    }

    private double Seconds(Action phase)
    {
        long began = Stopwatch.GetTimestamp();
        phase();
        _engine.Synchronize();
        return Stopwatch.GetElapsedTime(began).TotalSeconds;
    }
}
