using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Reference;

/// <summary>The reference attention against vectors computed elsewhere, and against a dense masked softmax written
/// another way.</summary>
public sealed class ReferenceAttentionTests : IDisposable
{
    private readonly ReferenceEngine _engine = new();
    private readonly Random _random = Seeds.NewRandom();

    public void Dispose() => _engine.Dispose();

    // One query against four keys, the merge vector of the specification.
    private static readonly double[] s_query = [0.5, -1];
    private static readonly double[] s_keys = [1, 0, 0, 1, 1, 1, -1, 2], s_values = [1, 0, 0, 1, 2, 2, -1, 3];
    private static readonly double[] s_output = [0.952579400142608, 0.8636234067554782];
    private const double LogSumExp = 1.0260738489341228;

    [Fact]
    public void The_reference_vector_whole()
    {
        var (output, lse) = Attend(s_keys, s_values);
        AssertVector(output, lse);
    }

    [Fact]
    public void The_reference_vector_merged_from_two_parts()
    {
        var (first, firstLse) = Attend(s_keys[..4], s_values[..4]);
        var (second, secondLse) = Attend(s_keys[4..], s_values[4..]);
        var (output, lse) = (_engine.Allocate(first.Shape, ElementType.Float64),
            _engine.Allocate(firstLse.Shape, ElementType.Float64));
        _engine.MergePartitions([first, second], [firstLse, secondLse], output, lse);
        AssertVector(output, lse);
    }

    // Four causal heads with L2 s4 over eight blocks, from the golden tables of the pattern, as a mask over tokens.
    [Fact]
    public void Golden_masked_softmax()
    {
        string[] golden =
        [
            "10000000/11000000/11100000/10110000/10011000/10001100/10001110/10001011",
            "10000000/11000000/01100000/00110000/00011000/00011100/00010110/00010011",
        ];
        const int block = 16, tokens = 8 * block - 5, headDim = 4, heads = 4;
        var pattern = new LocalStridePattern(heads, heads, block, localBlocks: 2, verticalStride: 4);
        var (q, k, v) = (Normal(1, tokens, heads, headDim), Normal(1, tokens, heads, headDim),
            Normal(1, tokens, heads, headDim));
        var (output, lse) = (_engine.Allocate(q.Shape, ElementType.Float64),
            _engine.Allocate(new Shape(1, heads, tokens), ElementType.Float64));
        _engine.AttentionForward(new AttentionForwardArguments(q, k, v, output, lse,
            BlockLayout.Create(pattern, tokens),
            SequenceBatch.Uniform(1, tokens, tokens), 0.5f));
        double[] qs = ReferenceEngine.Values(q), ks = ReferenceEngine.Values(k), vs = ReferenceEngine.Values(v);
        double[] outputs = ReferenceEngine.Values(output), lses = ReferenceEngine.Values(lse);
        for (int head = 0; head < golden.Length; head++)
            for (int i = 0; i < tokens; i++)
            {
                string row = golden[head].Split('/')[i / block];
                var weights = new double[tokens];
                for (int j = 0; j <= i; j++)
                    if (row[j / block] == '1')
                        weights[j] = Math.Exp(0.5 * Enumerable.Range(0, headDim).Sum(d =>
                            qs[(i * heads + head) * headDim + d] * ks[(j * heads + head) * headDim + d]));
                Assert.Equal(Math.Log(weights.Sum()), lses[head * tokens + i], 1e-12);
                for (int d = 0; d < headDim; d++)
                    Assert.Equal(Enumerable.Range(0, tokens).Sum(j => weights[j] * vs[(j * heads + head) * headDim + d])
                        / weights.Sum(),
                        outputs[(i * heads + head) * headDim + d], 1e-12);
            }
    }

    // The last queries of a sequence alone give the last rows of the whole: bottom-right alignment.
    [Fact]
    public void The_last_queries_give_the_last_rows()
    {
        const int tokens = 70, last = 9, heads = 2, headDim = 8;
        var layout = BlockLayout.Create(PatternCatalog.Create("L1 s2", heads, 1, 16), tokens);
        var (q, k, v) = (Normal(1, tokens, heads, headDim), Normal(1, tokens, 1, headDim),
            Normal(1, tokens, 1, headDim));
        var (whole, part) = (_engine.Allocate(q.Shape, ElementType.Float64),
            _engine.Allocate(new Shape(1, last, heads, headDim), ElementType.Float64));
        _engine.AttentionForward(new AttentionForwardArguments(q, k, v, whole, null, layout,
            SequenceBatch.Uniform(1, tokens, tokens), 1));
        _engine.AttentionForward(new AttentionForwardArguments(q.Slice(1, tokens - last, last), k, v, part,
            null, layout,
            SequenceBatch.Uniform(1, last, tokens), 1));
        Assert.Equal(ReferenceEngine.Values(whole.Slice(1, tokens - last, last)), ReferenceEngine.Values(part));
    }

    [Fact]
    public void Rows_with_nothing_kept_and_padding_are_zero_with_minus_infinity()
    {
        const int tokens = 40;
        var layout = BlockLayout.Create(PatternCatalog.Create("nothing", 1, 1, 16), tokens);
        var (q, k, v) = (Normal(1, tokens + 3, 1, 8), Normal(1, tokens + 3, 1, 8), Normal(1, tokens + 3, 1, 8));
        var (output, lse) = (_engine.Allocate(q.Shape, ElementType.Float64),
            _engine.Allocate(new Shape(1, 1, tokens + 3), ElementType.Float64));
        _engine.AttentionForward(new AttentionForwardArguments(q, k, v, output, lse, layout,
            SequenceBatch.Packed([tokens], [tokens]), 1));
        Assert.All(ReferenceEngine.Values(output), x => Assert.Equal(0, x));
        Assert.All(ReferenceEngine.Values(lse), x => Assert.Equal(double.NegativeInfinity, x));
    }

    [Fact]
    public void A_kept_block_without_a_page_is_an_error()
    {
        var table = new PageTable(1, 1, 4) { [0, 0, 0] = 0 };
        var (q, pages) = (Normal(1, 1, 1, 8), _engine.Allocate(new Shape(2, 16, 8), ElementType.Float64));
        _engine.Fill(pages, 1);
        var output = _engine.Allocate(q.Shape, ElementType.Float64);
        var layout = BlockLayout.Create(PatternCatalog.Create("dense", 1, 1, 16), 20);
        var arguments = new AttentionForwardArguments(q, pages, pages, output, null, layout,
            SequenceBatch.Uniform(1, 1, 20), 1, table);
        Assert.Throws<InvalidOperationException>(() => _engine.AttentionForward(arguments));
        table[0, 0, 1] = 1;
        _engine.AttentionForward(arguments);
        Assert.All(ReferenceEngine.Values(output), x => Assert.Equal(1, x, 1e-15));
    }

    [Fact]
    public void Callers_that_break_the_contract_are_told()
    {
        var layout = BlockLayout.Create(PatternCatalog.Create("dense", 1, 1, 16), 20);
        var (x, y) = (Normal(1, 30, 1, 8), Normal(1, 30, 1, 8));
        Assert.Throws<ArgumentException>(() =>
            _engine.AttentionForward(new AttentionForwardArguments(x, x, x, y, null, layout,
            SequenceBatch.Uniform(1, 30, 30), 1)));
        Assert.Throws<ArgumentException>(() =>
            _engine.AttentionForward(new AttentionForwardArguments(x, x, x, y, null, layout,
            new SequenceBatch(new Sequence(0, 0, 10, 0, 10), new Sequence(0, 9, 5, 10, 5)), 1)));
        Assert.Throws<ShapeException>(() => _engine.Add(x, x.Slice(1, 0, 29), y));
        Assert.Throws<ShapeException>(() => _engine.Gelu(x.Permute(0, 3, 2, 1), y.Permute(0, 3, 2, 1)));
    }

    private (Tensor Output, Tensor LogSumExp) Attend(double[] keys, double[] values)
    {
        int count = keys.Length / 2;
        var (q, k, v) = (With(s_query, 1, 1, 1, 2), With(keys, 1, count, 1, 2), With(values, 1, count, 1, 2));
        var (output, lse) = (_engine.Allocate(q.Shape, ElementType.Float64),
            _engine.Allocate(new Shape(1, 1, 1), ElementType.Float64));
        var layout = BlockLayout.Create(PatternCatalog.Create("dense", 1, 1, 16), count);
        // The scale is single precision in the contract: 1/sqrt(2) is put into the query instead.
        ReferenceEngine.SetValues(q, [.. s_query.Select(x => x / Math.Sqrt(2))]);
        _engine.AttentionForward(new AttentionForwardArguments(q, k, v, output, lse, layout,
            SequenceBatch.Uniform(1, 1, count), 1));
        return (output, lse);
    }

    private static void AssertVector(Tensor output, Tensor lse)
    {
        double[] values = ReferenceEngine.Values(output);
        Assert.Equal(s_output[0], values[0], 1e-15);
        Assert.Equal(s_output[1], values[1], 1e-15);
        Assert.Equal(LogSumExp, ReferenceEngine.Values(lse)[0], 1e-15);
    }

    private Tensor Normal(params ReadOnlySpan<int> extents) => With(_random.Normal(new Shape(extents).Count), extents);

    private Tensor With(double[] values, params ReadOnlySpan<int> extents)
    {
        var tensor = _engine.Allocate(new Shape(extents), ElementType.Float64);
        ReferenceEngine.SetValues(tensor, values);
        return tensor;
    }
}
