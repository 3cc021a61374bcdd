using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Tensors;
using Xunit;

namespace S2ILGPU.TestSupport;

/// <summary>Few queries against a paged cache that has pages for the kept blocks only.</summary>
/// <param name="create">Creates the engine.</param>
/// <param name="cacheType">Element type of the cache; null for the engine's own.</param>
/// <param name="queryType">Element type of queries and outputs; null for the engine's own.</param>
public abstract class DecodeTests(Func<IEngine> create, ElementType? cacheType = null, ElementType? queryType = null)
    : EngineTest(create)
{
    private ElementType CacheType => cacheType ?? Tested.FloatType;

    private ElementType QueryType => queryType ?? Tested.FloatType;

    [Theory]
    [MemberData(nameof(PatternCatalog.Data), MemberType = typeof(PatternCatalog))]
    public void One_query_of_every_sequence(string pattern)
    {
        Decode(pattern, 4, 2, headDim: 32, blockTokens: 16, queryCounts: [1, 1, 1, 1, 1],
            keyCounts: [1, 16, 17, 129, 400]);
        Decode(pattern, 4, 2, headDim: 64, blockTokens: 64, queryCounts: [1, 1], keyCounts: [200, 577]);
    }

    [Theory]
    [InlineData("L2 s3")]
    [InlineData("dense")]
    [InlineData("L1 s3 by query head")]
    [InlineData("L2 s4 offset 1")]
    public void Several_queries_of_every_sequence(string pattern) =>
        Decode(pattern, 4, 2, headDim: 32, blockTokens: 16, queryCounts: [2, 5, 16, 1, 33, 0],
        keyCounts: [2, 40, 90, 33, 100, 7]);

    [Theory]
    [InlineData(1, 1, 8)]
    [InlineData(3, 3, 24)]
    [InlineData(4, 1, 40)]
    [InlineData(8, 2, 80)]
    [InlineData(8, 8, 128)]
    [InlineData(16, 2, 64)]
    public void Heads_and_head_dims(int queryHeads, int keyValueHeads, int headDim) =>
        Decode("L2 s4 offset 1", queryHeads, keyValueHeads, headDim, blockTokens: 32, queryCounts: [1, 3],
        keyCounts: [300, 95]);

    [Fact]
    public void Wide_head_dim() =>
        Decode("L2 s4 offset 1", 4, 2, Random.Pick(104, 112, 120, 136, 192, 200, 248), blockTokens: 32,
        queryCounts: [1, 3], keyCounts: [130, 40]);

    [Fact]
    public void One_layout_may_serve_all_sequences() =>
        Decode("L2 s3", 4, 2, headDim: 32, blockTokens: 16, queryCounts: [1, 4], keyCounts: [100, 77],
        isLayoutShared: true);

    [Fact]
    public void Plain_keys_and_values_decode_too()
    {
        const int heads = 4, keyValueHeads = 2, headDim = 64, keys = 500;
        var layout = BlockLayout.Create(PatternCatalog.Create("L2 s3", heads, keyValueHeads, 16), keys, 1);
        var query = Normal("query", new Shape(2, 1, heads, headDim), type: QueryType);
        var (key, value) = (Normal("key", new Shape(2, keys, keyValueHeads, headDim), type: CacheType),
            Normal("value", new Shape(2, keys, keyValueHeads, headDim), type: CacheType));
        var (output, logSumExp) = (Output("output", query.Shape, QueryType),
            Output("log-sum-exp", new Shape(2, heads, 1)));
        Check("decode of plain tensors", Tolerance.Forward(QueryType), e =>
            e.Engine.AttentionForward(new AttentionForwardArguments(
            e[query], e[key], e[value], e[output], e[logSumExp], layout, SequenceBatch.Uniform(2, 1, keys),
                1 / MathF.Sqrt(headDim))));
    }

    private void Decode(string pattern, int queryHeads, int keyValueHeads, int headDim, int blockTokens,
        int[] queryCounts, int[] keyCounts,
        bool isLayoutShared = false)
    {
        BlockLayout LayoutOf(int keys, int? queries) =>
            BlockLayout.Create(PatternCatalog.Create(pattern, queryHeads, keyValueHeads, blockTokens), keys, queries);
        BlockLayout[] layouts = [.. keyCounts.Zip(queryCounts, (keys, queries) => LayoutOf(keys, queries))];
        var shared = LayoutOf(keyCounts.Max(), null);
        var table = PagedCache.Table(Random, keyValueHeads, keyCounts, blockTokens, (s, head, block) =>
            IsRead(layouts[s], head, block), out int pageCount);
        var query = Normal("query", new Shape(queryCounts.Length, queryCounts.Max(), queryHeads, headDim),
            type: QueryType);
        var (key, value) = (Pages("key pages"), Pages("value pages"));
        var output = Output("output", query.Shape, QueryType);
        var logSumExp = Output("log-sum-exp", new Shape(queryCounts.Length, queryHeads, queryCounts.Max()));
        string what = $"decode '{pattern}' H{queryHeads}/{keyValueHeads} D{headDim} block {blockTokens}, "
            + $"queries [{string.Join(' ', queryCounts)}], keys [{string.Join(' ', keyCounts)}]";
        Check(what, Tolerance.Forward(QueryType), e => e.Engine.AttentionForward(new AttentionForwardArguments(
            e[query], e[key], e[value], e[output], e[logSumExp], shared, SequenceBatch.Padded(queryCounts, keyCounts),
            1 / MathF.Sqrt(headDim), table, isLayoutShared ? null : layouts)));
        Release();

        // NaN in pages without an owner and past the last key.
        TestTensor Pages(string name)
        {
            var values = new double[(long)pageCount * blockTokens * headDim];
            Array.Fill(values, double.NaN);
            for (int s = 0; s < keyCounts.Length; s++)
                for (int head = 0; head < keyValueHeads; head++)
                    for (int j = 0; j < keyCounts[s]; j++)
                        if (table[s, head, j / blockTokens] is var page and not PageTable.None)
                            Random.Normal(headDim).CopyTo(values, (page * blockTokens + j % blockTokens) * headDim);
            return With(name, new Shape(pageCount, blockTokens, headDim), values, CacheType);
        }
    }

    // Whether any query head of the KV head reads the block.
    private static bool IsRead(BlockLayout layout, int keyValueHead, int keyBlock)
    {
        int group = layout.Heads / layout.Pattern.KeyValueHeads;
        for (int head = keyValueHead * group; head < (keyValueHead + 1) * group; head++)
            if (layout.Column(head, keyBlock).Count > 0)
                return true;
        return false;
    }
}
