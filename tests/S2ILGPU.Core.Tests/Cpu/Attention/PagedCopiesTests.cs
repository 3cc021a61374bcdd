using S2ILGPU.Cpu;
using S2ILGPU.Cpu.Attention;
using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Cpu.Attention;

/// <summary>Values in pages that many tiles of queries read: they are packed once for all of them.</summary>
public sealed class PagedCopiesTests
{
    private const int QueryHeads = 4, KeyValueHeads = 2, HeadDim = 32;

    // A prompt between a short sequence and one that continues a cache with a few tokens.
    private static readonly int[] s_queries = [1, 700, 40], s_keys = [90, 900, 700];

    [Theory]
    [InlineData(64, false)]
    [InlineData(64, true)]
    [InlineData(16, true)]
    [InlineData(128, false)]
    public void A_prompt_reads_its_copy_and_gives_the_bits_of_plain_tensors(int blockTokens, bool isSparse)
    {
        var random = Seeds.NewRandom();
        using var engine = new CpuEngine();
        AttentionPattern pattern = isSparse
            ? new LocalStridePattern(QueryHeads, KeyValueHeads, blockTokens, localBlocks: 2, verticalStride: 3)
            : new DensePattern(QueryHeads, KeyValueHeads, blockTokens);
        BlockLayout[] layouts = [.. s_keys.Zip(s_queries, (keys, count) => BlockLayout.Create(pattern, keys, count))];
        var table = PagedCache.Table(random, KeyValueHeads, s_keys, blockTokens, (_, _, _) => true, out int pages);
        using var query = Filled(1, s_queries.Sum(), QueryHeads);
        using var key = Filled(s_keys.Length, s_keys.Max(), KeyValueHeads);
        using var value = Filled(s_keys.Length, s_keys.Max(), KeyValueHeads);
        using var keyPages = Paged(key);
        using var valuePages = Paged(value);
        var batch = PagedCache.PackedQueries(s_queries, s_keys);
        using var output = engine.Zeros(1, s_queries.Sum(), QueryHeads, HeadDim);
        var arguments = new AttentionForwardArguments(query, keyPages, valuePages, output, null, layouts[0], batch,
            0.2f, table, layouts);
        var plan = new ForwardPlan(long.MaxValue);
        plan.Make(arguments);
        Assert.Equal([(1, 900)], plan.PagedCopies);
        engine.AttentionForward(arguments);

        for (int s = 0, row = 0; s < s_keys.Length; row += s_queries[s++])
        {
            using var expected = engine.Zeros(1, s_queries[s], QueryHeads, HeadDim);
            using var ownQuery = query.Slice(1, row, s_queries[s]);
            using var ownKey = key.Slice(0, s, 1).Slice(1, 0, s_keys[s]);
            using var ownValue = value.Slice(0, s, 1).Slice(1, 0, s_keys[s]);
            engine.AttentionForward(new AttentionForwardArguments(ownQuery, ownKey, ownValue, expected, null,
                layouts[s], SequenceBatch.Uniform(1, s_queries[s], s_keys[s]), 0.2f));
            using var actual = output.Slice(1, row, s_queries[s]);
            Assert.True(engine.ToArray(expected).AsSpan().SequenceEqual(engine.ToArray(actual)),
                $"sequence {s}; {Seeds.Text}");
        }

        Tensor Filled(params int[] shape)
        {
            var tensor = engine.Allocate(new Shape([.. shape, HeadDim]), ElementType.Float32);
            engine.Upload(random.Normal(tensor.Count).Select(x => (float)x).ToArray(), tensor);
            return tensor;
        }

        Tensor Paged(Tensor rows)
        {
            var tensor = engine.Allocate(PageTable.PagesShape(pages, blockTokens, HeadDim, ElementType.Float32),
                ElementType.Float32);
            engine.WritePages(rows, tensor, table, SequenceBatch.Padded(s_keys, s_keys));
            return tensor;
        }
    }
}
