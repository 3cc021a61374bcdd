using S2ILGPU.Core.Tests.Models;
using S2ILGPU.Cpu;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Inference;

public sealed class PageDemandTests
{
    private readonly Random _random = Seeds.NewRandom();

    [Fact]
    public void Is_never_less_than_a_sequence_takes_and_less_than_dense()
    {
        using var engine = new CpuEngine();
        foreach (var attention in (AttentionConfig[])[TinyModels.Dense, TinyModels.Sparse, TinyModels.ByQueryHead,
            TinyModels.Window])
        {
            using var model = TinyModels.Create(engine, TinyModels.Config(attention, attention), _random);
            using var decoder = new TransformerDecoder(model, new KeyValueCacheOptions { ChunkTokens = 16 });
            var demand = new PageDemand(model, decoder.Cache, 16);
            var logits = new float[11];
            long page = decoder.Cache.PageBytes(0), most = 0;
            for (int tokens = 0; tokens < 160;)
            {
                int count = Math.Min(_random.Pick(1, 3, 16), 160 - tokens);
                decoder.Append(TinyModels.Tokens(_random, count, 11), logits);
                tokens += count;
                most = Math.Max(most, decoder.Cache.PeakPages * page);
                Assert.InRange(demand.Bytes(tokens), most, demand.DenseBytes(tokens));
            }
            Assert.Equal(attention == TinyModels.Dense, demand.Bytes(160) == demand.DenseBytes(160));
        }
    }
}
