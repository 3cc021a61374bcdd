using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Ops;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;
using Xunit;
using Xunit.Sdk;

namespace S2ILGPU.TestSupport;

/// <summary>Heads shared out to devices: slices by global head, each computed apart, are together the whole, forward
/// and backward.</summary>
public abstract class HeadSliceTests(Func<IEngine> create, ElementType? type = null) : AttentionTest(create, type)
{
    private const int QueryHeads = 4, KeyValueHeads = 2, Group = QueryHeads / KeyValueHeads, HeadDim = 16,
        BlockTokens = 16;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Slices_joined_are_the_whole(bool slideByQueryHead)
    {
        var pattern = Pattern(QueryHeads, KeyValueHeads, slideByQueryHead);
        Run(pattern, pattern.SliceHeads);
    }

    // What a device would compute that takes its own heads for the first ones: the test above must not pass then.
    [Fact]
    public void Slices_by_local_index_are_caught() => Assert.ThrowsAny<XunitException>(() =>
        Run(Pattern(QueryHeads, KeyValueHeads, false),
            range => Pattern(range.GetOffsetAndLength(QueryHeads).Length, KeyValueHeads / 2, false)));

    private static LocalStridePattern Pattern(int queryHeads, int keyValueHeads, bool slideByQueryHead) =>
        new(queryHeads, keyValueHeads, BlockTokens, localBlocks: 1, verticalStride: 4,
            new() { SlideByQueryHead = slideByQueryHead });

    // 5 blocks, so that stripes have dropped some; few tokens, as emulated devices are slow.
    private void Run(AttentionPattern whole, Func<Range, AttentionPattern> slice)
    {
        int tokens = Random.Next(66, 81);
        Shape queries = new(1, tokens, QueryHeads, HeadDim), keys = new(1, tokens, KeyValueHeads, HeadDim);
        TestTensor query = Normal("query", queries, type: Type), key = Normal("key", keys, type: Type),
            value = Normal("value", keys, type: Type), output = Output("output", queries, Type),
            logSumExp = Output("log-sum-exp", new Shape(1, QueryHeads, tokens));
        logSumExp.Tolerance = Tolerance.Forward(Type).Relative;
        Check($"heads of {whole}, {tokens} tokens", Tolerance.Forward(Type), e =>
        {
            foreach (var (first, count, layout) in Slices(e.Engine, whole, slice, tokens))
            {
                using Tensor q = Queries(e[query], first, count), k = e[key].Slice(2, first, count),
                    v = e[value].Slice(2, first, count), o = Queries(e[output], first, count),
                    lse = e[logSumExp].Slice(1, first * Group, count * Group);
                using var result = SparseAttention.Forward(e.Engine, q, k, v, layout);
                e.Engine.Copy(result.Output, o);
                e.Engine.Copy(result.LogSumExp, lse);
            }
        });
        // Both engines read the exact output, rounded to the type.
        TestTensor outputGradient = Normal("dO", queries, type: Type), queryGradient = Output("dQ", queries, Type),
            keyGradient = Output("dK", keys, Type), valueGradient = Output("dV", keys, Type);
        Check($"heads of {whole}, {tokens} tokens, backward", Tolerance.Backward(Type), e =>
        {
            foreach (var (first, count, layout) in Slices(e.Engine, whole, slice, tokens))
            {
                using Tensor q = Queries(e[query], first, count), k = e[key].Slice(2, first, count),
                    v = e[value].Slice(2, first, count), gradient = Queries(e[outputGradient], first, count),
                    dQ = Queries(e[queryGradient], first, count), dK = e[keyGradient].Slice(2, first, count),
                    dV = e[valueGradient].Slice(2, first, count);
                using var result = new AttentionResult(Queries(e[output], first, count),
                    e[logSumExp].Slice(1, first * Group, count * Group), (float)(1 / Math.Sqrt(HeadDim)));
                using var gradients = SparseAttention.Backward(e.Engine, q, k, v, result, gradient, layout);
                e.Engine.Copy(gradients.Query, dQ);
                e.Engine.Copy(gradients.Key, dK);
                e.Engine.Copy(gradients.Value, dV);
            }
        });
        Release();
    }

    // KV heads that are computed apart: all of them on the reference, one by one on the engine under test.
    private IEnumerable<(int First, int Count, BlockLayout Layout)> Slices(IEngine engine, AttentionPattern whole,
        Func<Range, AttentionPattern> slice, int tokens)
    {
        if (!ReferenceEquals(engine, Tested))
            yield return (0, KeyValueHeads, BlockLayout.Create(whole, tokens));
        else
            for (int first = 0; first < KeyValueHeads; first++)
                yield return (first, 1, BlockLayout.Create(slice((first * Group)..((first + 1) * Group)), tokens));
    }

    private static Tensor Queries(Tensor tensor, int first, int count) => tensor.Slice(2, first * Group, count * Group);
}
