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

/// <summary>A model whose matrices are stored in 16 bits computes what a model with the same rounded values in single
/// precision computes.</summary>
public abstract class ShortWeightTests : IDisposable
{
    private static readonly TransformerConfig Config =
        TinyModels.Config(TinyModels.Sparse, TinyModels.Dense) with { Dim = 40, HeadDim = 16, FeedForwardDim = 56 };

    private readonly Random _random = Seeds.NewRandom();
    private readonly CpuEngine _engine = new();
    private readonly TransformerModel _short, _wide;

    protected ShortWeightTests(ElementType type)
    {
        _short = new TransformerModel(_engine, Config, matrixType: type);
        _wide = new TransformerModel(_engine, Config, seed: null);
        foreach (var (from, to) in _short.StoredTensors.Zip(_wide.StoredTensors))
            _engine.Copy(from.Tensor, to.Tensor);
    }

    public void Dispose()
    {
        _short.Dispose();
        _wide.Dispose();
        _engine.Dispose();
    }

    [Fact]
    public void Logits_have_the_same_bits()
    {
        int[] tokens = TinyModels.Tokens(_random, 2 * 45, 11);
        Assert.Equal(Logits(_wide), Logits(_short));

        float[] Logits(TransformerModel model)
        {
            using var tape = new Tape(_engine, recording: false);
            var logits = model.Forward(tape, tokens, 2).Value;
            var values = new float[logits.Count];
            _engine.Download(logits, values);
            return values;
        }
    }

    [Theory]
    [InlineData(null)]
    [InlineData(ElementType.BFloat16)]
    [InlineData(ElementType.Float16)]
    public void Decoding_has_the_same_bits(ElementType? cacheType)
    {
        var options = new KeyValueCacheOptions { ElementType = cacheType };
        using TransformerDecoder expected = new(_wide, options), tested = new(_short, options);
        int[] tokens = TinyModels.Tokens(_random, 60, 11);
        var (wanted, actual) = (new float[11], new float[11]);
        foreach (var (start, end) in ((int, int)[])[(0, 30), (30, 31), (31, 34), (34, 50), (50, 51), (51, 60)])
        {
            expected.Append(tokens.AsSpan(start, end - start), wanted);
            tested.Append(tokens.AsSpan(start, end - start), actual);
            Assert.Equal(wanted, actual);
        }
    }

    [Fact]
    public void Matrices_take_half_the_memory()
    {
        long Bytes(TransformerModel model) =>
            model.Parameters.Where(p => p.Shape.Rank == 2).Sum(p => p.Value.Count * p.Value.ElementType.SizeBytes());
        Assert.Equal(Bytes(_wide), 2 * Bytes(_short));
    }
}

/// <inheritdoc/>
public sealed class BFloat16WeightTests() : ShortWeightTests(ElementType.BFloat16);

/// <inheritdoc/>
public sealed class HalfWeightTests() : ShortWeightTests(ElementType.Float16);
