using S2ILGPU.Cpu.Simd;
using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Cpu.Attention;

/// <summary>Finite inputs never give NaN, however far the scores leave the range of a float.</summary>
public sealed class OverflowTests
{
    [Theory]
    [InlineData(1e25, 1f, 1, 1)]
    [InlineData(1e25, -1f, 1, 1)]
    [InlineData(3e37, 1e-30f, 1, 1)]
    [InlineData(1e19, 1f, 1, 1)]
    [InlineData(1, 3e38f, 1, 1)]
    [InlineData(1, 1, 3e37, 1)]
    [InlineData(1e25, 1f, 1e30, 1)]
    [InlineData(1e25, 1f, 1, 70)]
    [InlineData(1, 3e38f, 3e37, 70)]
    public void Results_are_those_of_double_precision(double scoreMagnitude, float scale, double valueMagnitude,
        int queries)
    {
        const int keys = 90, headDim = 16;
        foreach (var simd in SimdWidths.Available)
        {
            using var engine = CpuEngines.Create(simd, 1);
            using var reference = new ReferenceEngine();
            var random = Seeds.NewRandom();
            double[] q = random.Normal(queries * headDim, scoreMagnitude),
                k = random.Normal(keys * headDim, scoreMagnitude),
                v = random.Normal(keys * headDim, valueMagnitude);
            var layout =
                BlockLayout.Create(new LocalStridePattern(1, 1, blockTokens: 16, localBlocks: 2, verticalStride: 2),
                keys, queries);
            var (expected, expectedLse) = Forward(reference, ElementType.Float64);
            var (actual, actualLse) = Forward(engine, ElementType.Float32);
            for (int i = 0; i < expected.Length; i++)
                Assert.True(Math.Abs(actual[i] - expected[i]) <= 1e-5 * valueMagnitude * 10,
                    $"{simd}: output {i} is {actual[i]}, expected {expected[i]}; {Seeds.Text}");
            for (int i = 0; i < expectedLse.Length; i++)
                Assert.True(Math.Abs(actualLse[i] - expectedLse[i]) <= 1e-5 * Math.Max(1, Math.Abs(expectedLse[i])),
                    $"{simd}: lse {i} is {actualLse[i]}, expected {expectedLse[i]}; {Seeds.Text}");

            (float[] Output, float[] LogSumExp) Forward(IEngine engine, ElementType type)
            {
                using Tensor query = Upload(q, queries), key = Upload(k, keys), value = Upload(v, keys);
                using Tensor output = engine.Allocate(query.Shape, type),
                    lse = engine.Allocate(new Shape(1, 1, queries), type);
                engine.AttentionForward(new(query, key, value, output, lse, layout,
                    SequenceBatch.Uniform(1, queries, keys), scale));
                return (Download(output), Download(lse));

                Tensor Upload(double[] values, int rows)
                {
                    var tensor = engine.Allocate(new Shape(1, rows, 1, headDim), type);
                    engine.Upload(values.Select(x => (float)x).ToArray(), tensor);
                    return tensor;
                }

                // The reference holds doubles beyond the largest float, which is where the engine saturates.
                float[] Download(Tensor tensor)
                {
                    var values = new float[tensor.Count];
                    engine.Download(tensor, values);
                    return [.. values.Select(x => Math.Clamp(x, -float.MaxValue, float.MaxValue))];
                }
            }
        }
    }
}
