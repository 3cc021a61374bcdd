using S2ILGPU.Autograd;
using S2ILGPU.Cpu;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Threads;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Models;

/// <summary>A model with BFloat16 activations and Float32 master weights, against the same model in Float32.</summary>
public sealed class MixedPrecisionTests : IDisposable
{
    private static readonly TransformerConfig Config =
        TinyModels.Config(TinyModels.Sparse, TinyModels.Dense, TinyModels.ByQueryHead)
        with { Dim = 40, HeadDim = 16, FeedForwardDim = 56 };

    private readonly Random _random = Seeds.NewRandom();
    private readonly CpuEngine _engine = new();
    private readonly TransformerModel _single, _mixed;

    public MixedPrecisionTests()
    {
        _engine.PoisonsMemory = true;
        _single = TinyModels.Create(_engine, Config, _random);
        // Scores of a few units: with larger ones, probabilities would multiply the rounding errors of queries and
        // keys.
        foreach (var stored in _single.StoredTensors.Where(s => s.Tensor.Shape.Rank > 1))
            _engine.Upload([.. Values(stored.Tensor).Select(x => 0.35f * x)], stored.Tensor);
        _mixed = new TransformerModel(_engine, Config, seed: null, activationType: ElementType.BFloat16);
        foreach (var (from, to) in _single.StoredTensors.Zip(_mixed.StoredTensors))
            _engine.Copy(from.Tensor, to.Tensor);
        _mixed.RefreshShadows();
    }

    public void Dispose()
    {
        _single.Dispose();
        _mixed.Dispose();
        _engine.Dispose();
    }

    /// <summary>Every operation rounds to 8 significant bits, about 10 of them in a row per layer: the worst element of
    /// a gradient is off by at most a twentieth of the largest.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Losses_and_gradients_are_close_to_those_of_Float32(bool recompute)
    {
        int[] tokens = TinyModels.Tokens(_random, 2 * 70, 11), targets = TinyModels.Tokens(_random, tokens.Length, 11);
        targets[5] = -1;
        float[] expected = Losses(_single, tokens, targets, recompute),
            actual = Losses(_mixed, tokens, targets, recompute);
        double worst = expected.Zip(actual, (a, b) => Math.Abs(a - b)).Max();
        Assert.True(worst < 0.15, $"a loss is off by {worst}; {Seeds.Text}");
        foreach (var (single, mixed) in _single.Parameters.Zip(_mixed.Parameters))
        {
            Assert.Equal(ElementType.Float32, mixed.Gradient!.ElementType);
            Assert.Equal(ElementType.Float32, mixed.Value.ElementType);
            float[] wanted = Values(single.Gradient!), got = Values(mixed.Gradient!);
            double largest = wanted.Max(Math.Abs), error = wanted.Zip(got, (a, b) => Math.Abs(a - b)).Max();
            Assert.True(error <= 0.05 * largest,
                $"gradient of {mixed.Name}: error {error}, largest {largest}, ratio {error / largest}; {Seeds.Text}");
        }
    }

    [Fact]
    public void Activations_and_their_gradients_take_half_the_memory()
    {
        int[] tokens = TinyModels.Tokens(_random, 2 * 150, 11);
        long single = Held(_single), mixed = Held(_mixed);
        Assert.InRange((double)mixed / single, 0.5, 0.62); // statistics, logits and losses are Float32

        long Held(TransformerModel model)
        {
            using var tape = new Tape(_engine, activationType: model.ActivationType);
            long before = _engine.UsedBytes;
            model.Forward(tape, tokens, 2);
            return _engine.UsedBytes - before;
        }
    }

    [Fact]
    public void Decoding_gives_the_logits_of_one_forward_pass()
    {
        int[] tokens = TinyModels.Tokens(_random, 100, 11);
        using var tape = new Tape(_engine, recording: false, activationType: ElementType.BFloat16);
        float[] expected = Values(_mixed.Forward(tape, tokens, 1).Value);
        using var decoder = new TransformerDecoder(_mixed);
        var logits = new float[11];
        decoder.Append(tokens.AsSpan(0, 30), logits);
        for (int at = 30; at < tokens.Length; at++)
        {
            double largest = expected.Max(Math.Abs);
            for (int v = 0; v < 11; v++)
                Assert.True(Math.Abs(expected[(at - 1) * 11 + v] - logits[v]) <= 0.05 * largest,
                    $"logit {v} at {at}: {expected[(at - 1) * 11 + v]} and {logits[v]}; {Seeds.Text}");
            decoder.Append(tokens.AsSpan(at, 1), logits);
        }
    }

    [Fact]
    public void Steady_decoding_allocates_nothing()
    {
        using var model = new TransformerModel(_engine, Config, matrixType: ElementType.BFloat16,
            activationType: ElementType.BFloat16);
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

    [Fact]
    public void A_tape_with_other_activations_is_refused()
    {
        using var tape = new Tape(_engine);
        var error = Assert.Throws<ArgumentException>(() => _mixed.Forward(tape, [1, 2], 1));
        Assert.Contains("the model's activations are BFloat16, those of the tape Float32", error.Message);
        Assert.Contains("Float32 activations, not Float16", Assert.Throws<ArgumentException>(() =>
            new TransformerModel(_engine, Config, activationType: ElementType.Float16)).Message);
    }

    private float[] Losses(TransformerModel model, int[] tokens, int[] targets, bool recompute)
    {
        using var tape = new Tape(_engine, recording: true, recompute, model.ActivationType);
        var losses = model.Loss(tape, tokens, targets, 2);
        tape.Backward(losses, 1f / tokens.Length);
        return Values(losses.Value);
    }

    private float[] Values(Tensor tensor)
    {
        var values = new float[tensor.Count];
        _engine.Download(tensor, values);
        return values;
    }
}
