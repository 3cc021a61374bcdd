using S2ILGPU.Cpu;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Cpu.Attention;

public sealed class ScalarSamplerTests() : SamplerTests(() => CpuEngines.Draw(SimdWidth.Scalar, 1));

public sealed class Simd128SamplerTests() : SamplerTests(() => CpuEngines.Draw(SimdWidth.Bits128, 2));

public sealed class Simd256SamplerTests() : SamplerTests(() => CpuEngines.Draw(SimdWidth.Bits256, 1));

public sealed class Simd512SamplerTests() : SamplerTests(() => CpuEngines.Draw(SimdWidth.Bits512, 2));

public sealed class BFloat16SamplerTests()
    : SamplerTests(() => CpuEngines.Create(SimdWidth.Auto, 2), ElementType.BFloat16);

public sealed class SamplerThreadTests
{
    [Fact]
    public void The_number_of_threads_changes_no_bit()
    {
        var results = new float[3][];
        for (int n = 0; n < results.Length; n++)
            results[n] = Sums(1 + 2 * n);
        Assert.Equal(results[0], results[1]);
        Assert.Equal(results[0], results[2]);
    }

    private static float[] Sums(int threads)
    {
        const int tokens = 900, heads = 4, headDim = 16, block = 32;
        using var engine = CpuEngines.Create(SimdWidth.Auto, threads);
        var random = Seeds.NewRandom();
        using var query = Normal(heads);
        using var key = Normal(2);
        using var lse = engine.Zeros(heads, tokens);
        using var columns = engine.Zeros(heads, 29);
        using var slashes = engine.Zeros(heads, 29);
        var sequences = SequenceBatch.Uniform(1, tokens, tokens);
        ((IAttentionSampler)engine).SampleRows(new AttentionSampleArguments(query, key, sequences, 0,
            [.. Enumerable.Range(0, tokens)], block, 0.25f, null, lse, columns, slashes));
        return [.. engine.ToArray(lse), .. engine.ToArray(columns), .. engine.ToArray(slashes)];

        Tensor Normal(int of) => engine.FromArray([.. random.Normal(tokens * of * headDim).Select(x => (float)x)],
            1, tokens, of, headDim);
    }
}
