using BenchmarkDotNet.Attributes;
using S2ILGPU.Autograd;
using S2ILGPU.Layouts;
using S2ILGPU.Models;
using S2ILGPU.Training;

namespace S2ILGPU.Benchmarks;

/// <summary>One training step of a transformer on one sequence: forward, backward, optimizer.</summary>
public class TrainingBenchmarks : TransformerBenchmarks
{
    private AdamWOptimizer _optimizer = null!;
    private Tape _tape = null!;
    private int[] _inputs = [], _targets = [];
    private int _step;

    [Benchmark]
    public double Step()
    {
        Model.ZeroGradients();
        var losses = Model.Loss(_tape, _inputs, _targets, batch: 1);
        _tape.Backward(losses, 1f / Tokens);
        _tape.Reset();
        return _optimizer.Step(++_step, learningRate: 1e-4f); // reads the norm of the gradient, so it waits
    }

    /// <inheritdoc/>
    public override Work Of(string benchmark)
    {
        var layout = BlockLayout.Create(AttentionCatalog.Find(Attention)
            .CreatePattern(Config.QueryHeads, Config.KeyValueHeads), Tokens);
        return new Work(Flops: 6.0 * Config.ParameterCount * Tokens + Config.Layers
            * Work.OfAttention(layout, Config.HeadDim, products: 7).Flops);
    }

    /// <inheritdoc/>
    protected override void Prepare()
    {
        base.Prepare();
        _optimizer = Own(new AdamWOptimizer(Engine, Model.Parameters, new TrainingOptions()));
        _tape = Own(new Tape(Engine));
        (_inputs, _targets) = (RandomTokens(Tokens, seed: 1), RandomTokens(Tokens, seed: 2));
    }
}
