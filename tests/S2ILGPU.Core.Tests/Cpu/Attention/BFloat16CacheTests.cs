using S2ILGPU.Core.Tests.Models;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Engines;
using S2ILGPU.Inference;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Cpu.Attention;

/// <summary>A transformer that decodes on the CPU engine with a cache of 16-bit keys and values.</summary>
public sealed class BFloat16CacheTests
{
    [Fact]
    public void A_model_decodes_like_the_reference_with_the_same_cache()
    {
        foreach (var simd in SimdWidths.Available)
        {
            using var engine = CpuEngines.Create(simd, 2);
            using var reference = new ReferenceEngine();
            int seed = Seeds.NewRandom().Next();
            var actual = Decode(engine, seed);
            var expected = Decode(reference, seed);
            // Where a key or value lies between two 16-bit values, single and double precision may round it
            // differently: one step of 2^-8.
            MaximumError.AssertWithin(new Tolerance(2e-2, true), $"logits, {simd}", new Shape(expected.Length),
                expected, actual);
        }
    }

    [Fact]
    public void The_cache_takes_half_the_bytes()
    {
        using var engine = CpuEngines.Create(SimdWidth.Auto, 1);
        using var model = TinyModels.Create(engine, TinyModels.Config(TinyModels.Sparse), Seeds.NewRandom());
        using TransformerDecoder full = new(model),
            half = new(model, new KeyValueCacheOptions { ElementType = ElementType.BFloat16 });
        foreach (var decoder in (TransformerDecoder[])[full, half])
            decoder.Append(TinyModels.Tokens(Seeds.NewRandom(), 70, 11), new float[11]);
        Assert.Equal(full.Cache.UsedBytes, 2 * half.Cache.UsedBytes);
    }

    // The logits of 20 single steps after a prompt of 50.
    private static double[] Decode(IEngine engine, int seed)
    {
        var random = new Random(seed);
        using var model = TinyModels.Create(engine,
            TinyModels.Config(TinyModels.Dense, TinyModels.Sparse, TinyModels.ByQueryHead), random);
        int[] tokens = TinyModels.Tokens(random, 70, 11);
        using var decoder = new TransformerDecoder(model,
            new KeyValueCacheOptions { ElementType = ElementType.BFloat16 });
        var logits = new float[11];
        decoder.Append(tokens.AsSpan(0, 50), logits);
        var all = new List<double>();
        foreach (int token in tokens.AsSpan(50))
        {
            decoder.Append([token], logits);
            all.AddRange(logits.Select(x => (double)x));
        }
        return [.. all];
    }
}
