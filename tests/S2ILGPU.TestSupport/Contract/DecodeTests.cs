using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Tensors;
using Xunit;

namespace S2ILGPU.TestSupport;

/// <summary>Few queries against a paged cache that has pages for the kept blocks only.</summary>
/// <param name="create">Creates the engine.</param>
/// <param name="cacheType">Element type of the cache; null for the engine's own. Pages of Int8 are written by the
/// engine from rows of its own type, and what the reference reads was rounded alike.</param>
/// <param name="queryType">Element type of queries and outputs; null for the engine's own.</param>
public abstract class DecodeTests(Func<IEngine> create, ElementType? cacheType = null, ElementType? queryType = null)
    : EngineTest(create)
{
    private ElementType CacheType => cacheType ?? Tested.FloatType;

    // Of keys and values outside pages.
    private ElementType RowType => CacheType == ElementType.Int8 ? Tested.FloatType : CacheType;

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

    /// <summary>Many tiles of queries read each row of a prompt: engines may copy what is read so often.</summary>
    [Theory]
    [InlineData("dense")]
    [InlineData("L2 s3")]
    public void A_prompt_beside_other_sequences(string pattern) =>
        Decode(pattern, 4, 2, headDim: 32, Random.Pick(16, 64), queryCounts: [1, 450, 70], keyCounts: [70, 450, 200],
        damages: Random.Next(2));

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

    [Theory]
    [InlineData("L2 s3")]
    [InlineData("dense")]
    [InlineData("L1 s3 by query head")]
    public void NaN_and_infinity_reach_the_rows_that_see_them(string pattern)
    {
        for (int n = 0; n < 3; n++)
        {
            Decode(pattern, 4, 2, headDim: 64, blockTokens: 16, queryCounts: [1, 1, 1], keyCounts: [1, 90, 200],
                damages: 1 + n);
            Decode(pattern, 4, 2, headDim: 32, blockTokens: 32, queryCounts: [2, 17], keyCounts: [2, 90],
                damages: 1 + n);
        }
    }

    /// <summary>A score of -inf has weight 0 in whatever part of the keys it is; a row of nothing else is
    /// NaN.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Scores_of_minus_infinity_have_weight_0(bool areAll)
    {
        const int heads = 2, headDim = 32, keys = 3000;
        var layout = BlockLayout.Create(PatternCatalog.Create("dense", heads, 1, 64), keys, 1);
        var query = Constant("query", new Shape(1, 1, heads, headDim), 0.5, QueryType);
        var (key, value) = (Normal("key", new Shape(1, keys, 1, headDim), type: RowType),
            Normal("value", new Shape(1, keys, 1, headDim), type: RowType));
        var values = key.Values;
        for (int j = 0; j < keys; j++)
            if (areAll || j is < 1100 or > 2900)
                values[j * headDim + j % headDim] = double.NegativeInfinity;
        key.Values = values;
        TestTensor output = Constant("output", query.Shape, -77, QueryType),
            logSumExp = Constant("log-sum-exp", new Shape(1, heads, 1), -77);
        Check("scores of -inf", Tolerance.Forward(QueryType) with { NaNMatches = areAll }, e =>
            e.Engine.AttentionForward(new AttentionForwardArguments(e[query], e[key], e[value], e[output],
            e[logSumExp], layout, SequenceBatch.Uniform(1, 1, keys), 1 / MathF.Sqrt(headDim))));
    }

    [Fact]
    public void Plain_keys_and_values_decode_too()
    {
        const int heads = 4, keyValueHeads = 2, headDim = 64, keys = 500;
        var layout = BlockLayout.Create(PatternCatalog.Create("L2 s3", heads, keyValueHeads, 16), keys, 1);
        var query = Normal("query", new Shape(2, 1, heads, headDim), type: QueryType);
        var (key, value) = (Normal("key", new Shape(2, keys, keyValueHeads, headDim), type: RowType),
            Normal("value", new Shape(2, keys, keyValueHeads, headDim), type: RowType));
        var (output, logSumExp) = (Output("output", query.Shape, QueryType),
            Output("log-sum-exp", new Shape(2, heads, 1)));
        Check("decode of plain tensors", Tolerance.Forward(QueryType), e =>
            e.Engine.AttentionForward(new AttentionForwardArguments(
            e[query], e[key], e[value], e[output], e[logSumExp], layout, SequenceBatch.Uniform(2, 1, keys),
                1 / MathF.Sqrt(headDim))));
    }

    private void Decode(string pattern, int queryHeads, int keyValueHeads, int headDim, int blockTokens,
        int[] queryCounts, int[] keyCounts,
        bool isLayoutShared = false, int damages = 0)
    {
        BlockLayout LayoutOf(int keys, int? queries) =>
            BlockLayout.Create(PatternCatalog.Create(pattern, queryHeads, keyValueHeads, blockTokens), keys, queries);
        BlockLayout[] layouts = [.. keyCounts.Zip(queryCounts, (keys, queries) => LayoutOf(keys, queries))];
        var shared = LayoutOf(keyCounts.Max(), null);
        var table = PagedCache.Table(Random, keyValueHeads, keyCounts, blockTokens, (s, head, block) =>
            IsRead(layouts[s], head, block), out int pageCount);
        // Queries padded, or packed as a step over any mix of sequences has them.
        bool isPacked = Random.Next(2) == 0;
        int batch = isPacked ? 1 : queryCounts.Length, rows = isPacked ? queryCounts.Sum() : queryCounts.Max();
        var sequences = isPacked ? PagedCache.PackedQueries(queryCounts, keyCounts)
            : SequenceBatch.Padded(queryCounts, keyCounts);
        var query = Normal("query", new Shape(batch, rows, queryHeads, headDim), type: QueryType);
        bool isInt8 = CacheType == ElementType.Int8;
        var (key, value) = isInt8 ? (Rows("keys"), Rows("values")) : (Pages("key pages"), Pages("value pages"));
        string damage = Damage(damages, query, key, value);
        double unwritten = damages > 0 ? -77 : double.NaN;
        var output = Constant("output", query.Shape, unwritten, QueryType);
        var logSumExp = Constant("log-sum-exp", new Shape(batch, queryHeads, rows), unwritten);
        string what = $"decode '{pattern}' H{queryHeads}/{keyValueHeads} D{headDim} block {blockTokens}, "
            + $"{(isPacked ? "packed " : "")}queries [{string.Join(' ', queryCounts)}], "
            + $"keys [{string.Join(' ', keyCounts)}]{damage}";
        Check(what, Tolerance.Forward(QueryType) with { NaNMatches = damages > 0 }, e =>
        {
            using var keys = isInt8 ? Written(e.Engine, e[key]) : e[key].Share();
            using var values = isInt8 ? Written(e.Engine, e[value]) : e[value].Share();
            e.Engine.AttentionForward(new AttentionForwardArguments(
                e[query], keys, values, e[output], e[logSumExp], shared, sequences,
                1 / MathF.Sqrt(headDim), table, isLayoutShared ? null : layouts));
        });
        Release();

        TestTensor Rows(string name) =>
            Normal(name, new Shape(keyCounts.Length, keyCounts.Max(), keyValueHeads, headDim), type: RowType);

        // New memory is NaN: pages without an owner, and what lies past the last key.
        Tensor Written(IEngine engine, Tensor rows)
        {
            var pages = engine.Allocate(PageTable.PagesShape(pageCount, blockTokens, headDim, ElementType.Int8),
                ElementType.Int8);
            engine.WritePages(rows, pages, table, SequenceBatch.Padded(keyCounts, keyCounts));
            return pages;
        }

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

    // Makes random elements that are finite NaN or infinite, and says which.
    private string Damage(int count, params TestTensor[] operands)
    {
        var text = new System.Text.StringBuilder();
        for (int n = 0; n < count; n++)
        {
            var operand = operands[Random.Next(operands.Length)];
            var values = operand.Values;
            int[] finite = [.. Enumerable.Range(0, values.Length).Where(i => double.IsFinite(values[i]))];
            int at = finite[Random.Next(finite.Length)];
            values[at] = Random.Pick(double.NaN, double.PositiveInfinity, double.NegativeInfinity);
            operand.Values = values;
            text.Append($", {operand.Name} {MaximumError.IndexText(operand.Shape, at)} = {values[at]}");
        }
        return text.ToString();
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
