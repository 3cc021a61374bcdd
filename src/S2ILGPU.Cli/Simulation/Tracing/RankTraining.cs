using S2ILGPU.Collectives;
using S2ILGPU.Corpora;
using S2ILGPU.Distributed;
using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.Tensors;
using S2ILGPU.Tokenizers;
using S2ILGPU.Training;

namespace S2ILGPU.Cli.Simulation.Tracing;

/// <summary>Model and trainer of one rank, over some text.</summary>
internal sealed class RankTraining : IDisposable
{
    private readonly TransformerModel _model;
    private readonly Trainer _trainer;
    private readonly long _weights;

    /// <summary>Makes model and trainer.</summary>
    /// <param name="run">The run.</param>
    /// <param name="engine">A new engine.</param>
    /// <param name="ranks">All ranks; not disposed.</param>
    /// <param name="context">The ranks that share sequences; null for none.</param>
    /// <param name="tensor">The ranks that share layers; null for none.</param>
    /// <param name="seed">Seed of the weights; null leaves them as they are.</param>
    public RankTraining(TrainingShape run, IEngine engine, ICollective ranks, ICollective? context,
        ICollective? tensor, ulong? seed)
    {
        _model = new TransformerModel(engine, run.Config, seed, activationType: run.Options.ActivationType,
            tensorRanks: tensor);
        _weights = engine.UsedBytes;
        var data = SomeText(run.Options.ContextTokens);
        _trainer = new Trainer(_model, data, data, run.Options, ranks,
            context is null ? null : new ContextParallel(context, _model));
    }

    /// <summary>Trains a step.</summary>
    public void Step() => _trainer.RunStep();

    /// <summary>What the rank holds in the steps after the first.</summary>
    /// <param name="fetched">The keys and values of other ranks among it, in bytes.</param>
    public RankMemory Memory(long fetched)
    {
        var (engine, optimizer) = (_model.Engine, _trainer.Optimizer);
        long moments = optimizer.FirstMoments.Concat(optimizer.SecondMoments)
            .Sum(moment => moment.Count * moment.ElementType.SizeBytes()), between = engine.UsedBytes;
        return new RankMemory(_weights, between - _weights - moments, moments, engine.PeakBytes - between, fetched);
    }

    /// <summary>Frees trainer and model.</summary>
    public void Dispose()
    {
        _trainer.Dispose();
        _model.Dispose();
    }

    // What the tokens say does not change the work.
    private static TokenDataset SomeText(int contextTokens) => TokenDataset.Create(new BytePairTrainer().Build(257),
        Corpus.FromText(string.Concat(Enumerable.Repeat("text ", contextTokens / 4 + 2))));
}
