using S2ILGPU.Cpu.Simd;
using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Cpu.Attention;

/// <summary>Gradients of finite inputs are never NaN, however far scores and gradients leave the range of a
/// float.</summary>
public sealed class BackwardOverflowTests
{
    private readonly int _seed = Seeds.NewRandom().Next();

    [Theory]
    [InlineData(1e25, 1f, 1, 1, 70)]
    [InlineData(1e25, -1f, 1, 1, 90)]
    [InlineData(3e37, 1e-30f, 1, 1, 90)]
    [InlineData(3e4, 1f, 1, 1, 90)]
    [InlineData(1, 3e38f, 1, 1, 90)]
    [InlineData(1, 1, 3e37, 1, 90)]
    [InlineData(1, 1, 1, 3e37, 90)]
    [InlineData(1, 1, 1e19, 1e19, 90)]
    public void Gradients_are_those_of_double_precision(double scoreMagnitude, float scale, double valueMagnitude,
        double gradientMagnitude, int tokens) =>
        Check(scoreMagnitude, scale, valueMagnitude, gradientMagnitude, tokens);

    // So many keys that their gradients are summed in ranges.
    [LongFact]
    public void Gradients_of_many_keys_are_those_of_double_precision() => Check(1e25, 1f, 1, 1, 2100);

    private void Check(double scoreMagnitude, float scale, double valueMagnitude, double gradientMagnitude, int tokens)
    {
        using var reference = new ReferenceEngine();
        var expected = Gradients(reference, ElementType.Float64);
        foreach (var simd in SimdWidths.Available)
        {
            using var engine = CpuEngines.Create(simd, 2);
            var actual = Gradients(engine, ElementType.Float32);
            for (int n = 0; n < expected.Length; n++)
            {
                double largest = expected[n].Max(x => Math.Abs((double)x));
                for (int i = 0; i < expected[n].Length; i++)
                    Assert.True(Math.Abs((double)actual[n][i] - expected[n][i]) <= 1e-4 * Math.Max(1, largest),
                        $"{simd}: gradient {n}, element {i} is {actual[n][i]}, expected {expected[n][i]} of at most "
                        + $"{largest}; {Seeds.Text}");
            }
        }

        // dQ, dK and dV, the reference's as floats.
        float[][] Gradients(IEngine engine, ElementType type)
        {
            const int heads = 2, keyValueHeads = 1, headDim = 16;
            var random = new Random(_seed);
            var layout =
                BlockLayout.Create(new LocalStridePattern(heads, keyValueHeads, blockTokens: 16, localBlocks: 2,
                verticalStride: 2), tokens);
            var sequences = SequenceBatch.Uniform(1, tokens, tokens);
            using Tensor q = Normal(heads, scoreMagnitude), k = Normal(keyValueHeads, scoreMagnitude),
                v = Normal(keyValueHeads, valueMagnitude),
                dO = Normal(heads, gradientMagnitude), o = Normal(heads, 1);
            using Tensor dQ = Normal(heads, 1), dK = Normal(keyValueHeads, 1), dV = Normal(keyValueHeads, 1);
            using var lse = engine.Allocate(new Shape(1, heads, tokens), type);
            engine.AttentionForward(new(q, k, v, o, lse, layout, sequences, scale));
            engine.AttentionBackward(new(q, k, v, o, lse, dO, null, dQ, dK, dV, layout, sequences, scale));
            return [Values(dQ), Values(dK), Values(dV)];

            Tensor Normal(int headCount, double magnitude)
            {
                var tensor = engine.Allocate(new Shape(1, tokens, headCount, headDim), type);
                engine.Upload(random.Normal(tensor.Count, magnitude).Select(x => (float)x).ToArray(), tensor);
                return tensor;
            }

            // The reference holds doubles beyond the largest float, which is where the engine saturates.
            float[] Values(Tensor tensor)
            {
                var values = new float[tensor.Count];
                engine.Download(tensor, values);
                return [.. values.Select(x => Math.Clamp(x, -float.MaxValue, float.MaxValue))];
            }
        }
    }
}
