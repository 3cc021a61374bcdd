using S2ILGPU.Autograd;
using S2ILGPU.Cpu;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Threads;
using S2ILGPU.Engines;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Models;

/// <summary>The same model on the CPU engine and on the reference in double precision.</summary>
public sealed class EngineAgreementTests : IDisposable
{
    private static readonly TransformerConfig Config =
        TinyModels.Config(TinyModels.Sparse, TinyModels.Dense, TinyModels.ByQueryHead)
        with { Dim = 40, HeadDim = 16, FeedForwardDim = 56 };

    private readonly Random _random = Seeds.NewRandom();
    private readonly ReferenceEngine _reference = new();
    private readonly CpuEngine _engine = new();

    public void Dispose() => _engine.Dispose();

    [Fact]
    public void Losses_and_gradients()
    {
        using var pair = Models();
        var (reference, tested) = pair;
        int[] tokens = TinyModels.Tokens(_random, 2 * 70, 11), targets = TinyModels.Tokens(_random, tokens.Length, 11);
        targets[5] = -1;
        foreach (bool recompute in (bool[])[false, true])
        {
            reference.ZeroGradients();
            tested.ZeroGradients();
            double[] expected = Losses(reference, tokens, targets, recompute),
                actual = Losses(tested, tokens, targets, recompute);
            MaximumError.AssertWithin(new Tolerance(1e-4, true), "losses", new Shape(tokens.Length), expected, actual);
            for (int p = 0; p < reference.Parameters.Count; p++)
                MaximumError.AssertWithin(new Tolerance(1e-4, true), reference.Parameters[p].Name!,
                    reference.Parameters[p].Shape,
                    Values(reference.Engine, reference.Parameters[p].Gradient!),
                        Values(tested.Engine, tested.Parameters[p].Gradient!));
        }
    }

    [Fact]
    public void Decoding()
    {
        using var pair = Models();
        var (reference, tested) = pair;
        int[] tokens = TinyModels.Tokens(_random, 100, 11);
        using var tape = new Tape(_reference, recording: false);
        double[] expected = Values(_reference, reference.Forward(tape, tokens, 1).Value);
        using var decoder = new TransformerDecoder(tested);
        var logits = new float[11];
        decoder.Append(tokens.AsSpan(0, 30), logits);
        for (int at = 30; at < tokens.Length; at++)
        {
            MaximumError.AssertWithin(new Tolerance(1e-4, true), $"logits at {at}", new Shape(11),
                expected.AsSpan((at - 1) * 11, 11),
                [.. logits.Select(x => (double)x)]);
            decoder.Append(tokens.AsSpan(at, 1), logits);
        }
    }

    [Fact]
    public void Steady_decoding_allocates_nothing()
    {
        using var model = new TransformerModel(_engine, Config);
        using var decoder = new TransformerDecoder(model);
        var logits = new float[11];
        decoder.Append(new int[65], logits);
        decoder.Append([1], logits);
        decoder.Append([1], logits);
        int[] token = [1];
        long device = _engine.UsedBytes;
        // from position 67 on, within one block
        Assert.Equal(0, Allocations.OfEveryRun(() => decoder.Append(token, logits)));
        Assert.Equal(device, _engine.UsedBytes);
    }

    private static double[] Losses(TransformerModel model, int[] tokens, int[] targets, bool recompute)
    {
        using var tape = new Tape(model.Engine, recording: true, recompute);
        var losses = model.Loss(tape, tokens, targets, 2);
        tape.Backward(losses, 1f / tokens.Length);
        return Values(model.Engine, losses.Value);
    }

    private static double[] Values(IEngine engine, Tensor tensor)
    {
        if (engine is ReferenceEngine)
            return ReferenceEngine.Values(tensor);
        var values = new float[tensor.Count];
        engine.Download(tensor, values);
        return [.. values.Select(x => (double)x)];
    }

    // The reference rounds to nothing, so both start from the same single-precision weights.
    private ModelPair Models()
    {
        var reference = TinyModels.Create(_reference, Config, _random);
        var tested = new TransformerModel(_engine, Config, seed: null);
        foreach (var (from, to) in reference.StoredTensors.Zip(tested.StoredTensors))
            _engine.Upload([.. Values(_reference, from.Tensor).Select(x => (float)x)], to.Tensor);
        return new ModelPair(reference, tested);
    }

    private sealed record ModelPair(TransformerModel Reference, TransformerModel Tested) : IDisposable
    {
        public void Dispose()
        {
            Reference.Dispose();
            Tested.Dispose();
        }
    }
}
