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
            value = Normal("value", keys, type: Type), outputGradient = Normal("dO", queries, type: Type),
            output = Output("output", queries, Type), queryGradient = Output("dQ", queries, Type),
            keyGradient = Output("dK", keys, Type), valueGradient = Output("dV", keys, Type);
        output.Tolerance = Tolerance.Forward(Type);
        Check($"heads of {whole}, {tokens} tokens", Tolerance.BothPasses(Type), e =>
        {
            bool isWhole = !ReferenceEquals(e.Engine, Tested);
            for (int start = 0; start < KeyValueHeads; start += isWhole ? KeyValueHeads : 1)
            {
                int count = isWhole ? KeyValueHeads : 1, first = start * Group, end = first + count * Group;
                var layout = BlockLayout.Create(isWhole ? whole : slice(first..end), tokens);
                Tensor Queries(TestTensor operand) => e[operand].Slice(2, first, count * Group);
                Tensor Keys(TestTensor operand) => e[operand].Slice(2, start, count);
                using Tensor q = Queries(query), k = Keys(key), v = Keys(value), gradient = Queries(outputGradient),
                    o = Queries(output), dQ = Queries(queryGradient), dK = Keys(keyGradient), dV = Keys(valueGradient);
                using var result = SparseAttention.Forward(e.Engine, q, k, v, layout);
                using var gradients = SparseAttention.Backward(e.Engine, q, k, v, result, gradient, layout);
                e.Engine.Copy(result.Output, o);
                e.Engine.Copy(gradients.Query, dQ);
                e.Engine.Copy(gradients.Key, dK);
                e.Engine.Copy(gradients.Value, dV);
            }
        });
        Release();
    }
}
