using S2ILGPU.Cpu;
using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Ops;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;
using static S2ILGPU.Native.Tests.NativeApi;

namespace S2ILGPU.Native.Tests;

/// <summary>What the functions of attention write are the library's results bit by bit, for every element type, dense
/// and strided, and nothing else is written.</summary>
public sealed unsafe class AttentionTests
{
    private const int HeadDim = 24, QueryHeads = 4, KeyValueHeads = 2;

    public static TheoryData<ElementType, bool> Memory => new MatrixTheoryData<ElementType, bool>(
        [ElementType.Float32, ElementType.Float16, ElementType.BFloat16], [false, true]);

    [Theory]
    [MemberData(nameof(Memory))]
    public void Forward_and_backward_are_the_library(ElementType type, bool isStrided)
    {
        var random = Seeds.NewRandom();
        int batch = random.Next(1, 3), keys = random.Next(1, 150), queries = random.Next(1, keys + 1);
        float? scale = random.Pick<float?>(null, 0.5f);
        using var q = Queries(random, type, isStrided, batch, queries);
        using var k = Keys(random, type, isStrided, batch, keys);
        using var v = Keys(random, type, isStrided, batch, keys);
        using var o = Queries(random, type, isStrided, batch, queries);
        using var lse = Statistics(random, isStrided, batch, queries);
        using var dO = Queries(random, type, isStrided, batch, queries);
        using var dLse = Statistics(random, isStrided, batch, queries);
        using var dQ = Queries(random, type, isStrided, batch, queries);
        using var dK = Keys(random, type, isStrided, batch, keys);
        using var dV = Keys(random, type, isStrided, batch, keys);
        float given = scale ?? 0;
        float* scalePointer = scale is null ? null : &given;
        ulong engine = NativeApi.Engine(), layout = NativeApi.Layout(LocalStride(QueryHeads, KeyValueHeads), keys);

        var forward = new NativeForward
        {
            Query = q.Pointer,
            Key = k.Pointer,
            Value = v.Pointer,
            Output = o.Pointer,
            LogSumExp = lse.Pointer,
            Scale = scalePointer,
        };
        Check(Api.AttentionForward(engine, layout, &forward));
        // the output that backward reads is the rounded one
        using var library = new CpuEngine(new CpuOptions { Threads = 2 });
        var blocks = BlockLayout.Create(new LocalStridePattern(QueryHeads, KeyValueHeads, 16, 1, 2), keys);
        using Tensor lq = q.On(library), lk = k.On(library), lv = v.On(library);
        using var expected = SparseAttention.Forward(library, lq, lk, lv, blocks,
            new AttentionOptions { Scale = scale });
        o.CheckEquals("output", library, expected.Output);
        lse.CheckEquals("log-sum-exp", library, expected.LogSumExp);

        var backward = new NativeBackward
        {
            Query = q.Pointer,
            Key = k.Pointer,
            Value = v.Pointer,
            Output = o.Pointer,
            LogSumExp = lse.Pointer,
            OutputGradient = dO.Pointer,
            LogSumExpGradient = dLse.Pointer,
            QueryGradient = dQ.Pointer,
            KeyGradient = dK.Pointer,
            ValueGradient = dV.Pointer,
            Scale = scalePointer,
        };
        Check(Api.AttentionBackward(engine, layout, &backward));
        using var result = new AttentionResult(o.On(library), lse.On(library), expected.Scale);
        using Tensor ldO = dO.On(library), ldLse = dLse.On(library);
        using var gradients = SparseAttention.Backward(library, lq, lk, lv, result, ldO, blocks, ldLse);
        dQ.CheckEquals("dQ", library, gradients.Query);
        dK.CheckEquals("dK", library, gradients.Key);
        dV.CheckEquals("dV", library, gradients.Value);
        Release(engine, layout);
    }

    [Theory]
    [MemberData(nameof(Memory))]
    public void Gradients_that_are_not_wanted_are_left_out(ElementType type, bool isStrided)
    {
        var random = Seeds.NewRandom();
        int keys = random.Next(1, 60);
        using var q = Queries(random, type, isStrided, 1, keys);
        using var k = Keys(random, type, isStrided, 1, keys);
        using var v = Keys(random, type, isStrided, 1, keys);
        using var o = Queries(random, type, isStrided, 1, keys);
        using var lse = Statistics(random, isStrided, 1, keys);
        using var all = Keys(random, type, isStrided, 1, keys);
        using var alone = Keys(random, type, isStrided, 1, keys);
        using var dQ = Queries(random, type, isStrided, 1, keys);
        ulong engine = NativeApi.Engine(), layout = NativeApi.Layout(LocalStride(QueryHeads, KeyValueHeads), keys);
        var call = new NativeBackward
        {
            Query = q.Pointer,
            Key = k.Pointer,
            Value = v.Pointer,
            Output = o.Pointer,
            LogSumExp = lse.Pointer,
            OutputGradient = q.Pointer,
            QueryGradient = dQ.Pointer,
            KeyGradient = all.Pointer,
        };
        Check(Api.AttentionBackward(engine, layout, &call));
        call.QueryGradient = null;
        call.KeyGradient = alone.Pointer;
        Check(Api.AttentionBackward(engine, layout, &call));
        Assert.Equal(all.Values, alone.Values);
        Release(engine, layout);
    }

    [Theory]
    [MemberData(nameof(Memory))]
    public void Decoding_is_forward_over_what_the_cache_holds(ElementType type, bool isStrided)
    {
        var random = Seeds.NewRandom();
        int capacity = random.Next(20, 150), queries = random.Next(1, 4);
        int* counts = stackalloc int[] { random.Next(queries, capacity + 1), capacity, queries };
        using var q = Queries(random, type, isStrided, 3, queries);
        using var k = Keys(random, type, isStrided, 3, capacity);
        using var v = Keys(random, type, isStrided, 3, capacity);
        using var o = Queries(random, type, isStrided, 3, queries);
        ulong engine = NativeApi.Engine(), layout = NativeApi.Layout(LocalStride(QueryHeads, KeyValueHeads), capacity);
        var call = new NativeForward { Query = q.Pointer, Key = k.Pointer, Value = v.Pointer, Output = o.Pointer };
        Check(Api.AttentionDecode(engine, layout, &call, counts));

        using var library = new CpuEngine(new CpuOptions { Threads = 1 });
        var blocks = BlockLayout.Create(new LocalStridePattern(QueryHeads, KeyValueHeads, 16, 1, 2), capacity);
        using Tensor lq = q.On(library), lk = k.On(library), lv = v.On(library);
        var sequences = SequenceBatch.Padded([queries, queries, queries], new ReadOnlySpan<int>(counts, 3));
        using var expected = SparseAttention.Forward(library, lq, lk, lv, blocks,
            new AttentionOptions { Sequences = sequences });
        o.CheckEquals("output", library, expected.Output);

        var given = stackalloc NativeSequence[3];
        for (int s = 0; s < 3; s++)
            given[s] = new NativeSequence { Batch = s, QueryCount = queries, KeyCount = counts[s] };
        using var again = Queries(random, type, isStrided, 3, queries);
        call.Output = again.Pointer;
        call.Sequences = given;
        call.SequenceCount = 3;
        Check(Api.AttentionForward(engine, layout, &call));
        again.CheckEquals("output with sequences", library, expected.Output);
        Release(engine, layout);
    }

    [Theory]
    [MemberData(nameof(Memory))]
    public void Merging_is_the_library(ElementType type, bool isStrided)
    {
        var random = Seeds.NewRandom();
        int tokens = random.Next(1, 40);
        using ForeignTensor o0 = Queries(random, type, isStrided, 2, tokens),
            o1 = Queries(random, type, isStrided, 2, tokens), o = Queries(random, type, isStrided, 2, tokens),
            dO = Queries(random, type, isStrided, 2, tokens), dPart = Queries(random, type, isStrided, 2, tokens);
        using ForeignTensor l0 = Statistics(random, isStrided, 2, tokens),
            l1 = Statistics(random, isStrided, 2, tokens), lse = Statistics(random, isStrided, 2, tokens),
            dLse = Statistics(random, isStrided, 2, tokens), dPartLse = Statistics(random, isStrided, 2, tokens);
        ulong engine = NativeApi.Engine();
        var outputs = stackalloc NativeTensor[] { *o0.Pointer, *o1.Pointer };
        var logSumExps = stackalloc NativeTensor[] { *l0.Pointer, *l1.Pointer };
        var merge = new NativeMerge
        {
            Parts = 2,
            Outputs = outputs,
            LogSumExps = logSumExps,
            Output = o.Pointer,
            LogSumExp = lse.Pointer,
        };
        Check(Api.AttentionMerge(engine, &merge));
        using var library = new CpuEngine(new CpuOptions { Threads = 1 });
        using AttentionResult part0 = new(o0.On(library), l0.On(library), 1),
            part1 = new(o1.On(library), l1.On(library), 1);
        using var merged = SparseAttention.Merge(library, part0, part1);
        o.CheckEquals("output", library, merged.Output);
        lse.CheckEquals("log-sum-exp", library, merged.LogSumExp);

        var backward = new NativeMergeBackward
        {
            PartOutput = o1.Pointer,
            PartLogSumExp = l1.Pointer,
            Output = o.Pointer,
            LogSumExp = lse.Pointer,
            OutputGradient = dO.Pointer,
            LogSumExpGradient = dLse.Pointer,
            PartOutputGradient = dPart.Pointer,
            PartLogSumExpGradient = dPartLse.Pointer,
        };
        Check(Api.AttentionMergeBackward(engine, &backward));
        using Tensor ldO = dO.On(library), ldLse = dLse.On(library);
        using var rounded = new AttentionResult(o.On(library), lse.On(library), 1);
        var gradients = SparseAttention.MergeBackward(library, [part0, part1], rounded, ldO, ldLse);
        dPart.CheckEquals("dO_i", library, gradients[1].Output);
        dPartLse.CheckEquals("dLSE_i", library, gradients[1].LogSumExp);
        foreach (var gradient in gradients)
            gradient.Dispose();
        Release(engine);
    }

    [Theory]
    [InlineData(2, 0, 20)]
    [InlineData(0, 20, 20)]
    [InlineData(0, 0, 0)]
    [InlineData(2, 0, 0)]
    public void Tensors_without_elements_have_any_strides(int batch, int queries, int keys)
    {
        var random = Seeds.NewRandom();
        ulong engine = NativeApi.Engine(), layout = NativeApi.Layout(LocalStride(QueryHeads, KeyValueHeads), 20);
        var given = stackalloc NativeTensor[6];
        foreach (var type in (ElementType[])[ElementType.Float32, ElementType.Float16])
            foreach (long stride in (long[])[0, 1, -1, long.MaxValue])
            {
                using ForeignTensor q = Queries(random, type, false, batch, queries),
                    k = Keys(random, type, false, batch, keys), o = Queries(random, type, false, batch, queries),
                    lse = Statistics(random, false, batch, queries),
                    dQ = Queries(random, type, false, batch, queries), dK = Keys(random, type, false, batch, keys);
                ForeignTensor[] tensors = [q, k, o, lse, dQ, dK];
                for (int t = 0; t < tensors.Length; t++)
                {
                    given[t] = *tensors[t].Pointer;
                    for (int d = 0; tensors[t].Shape.Count == 0 && d < given[t].Rank; d++)
                        given[t].Strides[d] = stride;
                }
                var forward = new NativeForward
                {
                    Query = &given[0],
                    Key = &given[1],
                    Value = &given[1],
                    Output = &given[2],
                    LogSumExp = &given[3],
                };
                Check(Api.AttentionForward(engine, layout, &forward));
                var backward = new NativeBackward
                {
                    Query = &given[0],
                    Key = &given[1],
                    Value = &given[1],
                    Output = &given[2],
                    LogSumExp = &given[3],
                    OutputGradient = &given[2],
                    QueryGradient = &given[4],
                    KeyGradient = &given[5],
                };
                Check(Api.AttentionBackward(engine, layout, &backward));
                // keys that no query reads
                Assert.All(dK.Values, gradient => Assert.Equal(0, gradient));
            }
        Release(engine, layout);
    }

    [Fact]
    public void Other_devices_get_copies()
    {
        var random = Seeds.NewRandom();
        using var q = Queries(random, ElementType.Float16, true, 1, 20);
        using var k = Keys(random, ElementType.Float16, true, 1, 20);
        using var o = Queries(random, ElementType.Float16, true, 1, 20);
        using var onCpu = Queries(random, ElementType.Float16, true, 1, 20);
        ulong engine, cpu = NativeApi.Engine(), layout = NativeApi.Layout(LocalStride(QueryHeads, KeyValueHeads), 20);
        fixed (byte* name = "ilgpu-cpu\0"u8)
            Check(Api.EngineCreate(name, 0, &engine));
        var call = new NativeForward { Query = q.Pointer, Key = k.Pointer, Value = k.Pointer, Output = o.Pointer };
        Check(Api.AttentionForward(engine, layout, &call));
        call.Output = onCpu.Pointer;
        Check(Api.AttentionForward(cpu, layout, &call));
        MaximumError.AssertWithin(Tolerance.Forward(ElementType.Float16), "output", o.Shape,
            [.. onCpu.Values.Select(value => (double)value)], [.. o.Values.Select(value => (double)value)]);
        Release(engine, cpu, layout);
    }

    private static ForeignTensor Queries(Random random, ElementType type, bool isStrided, int batch, int tokens) =>
        new(random, type, isStrided, batch, tokens, QueryHeads, HeadDim);

    private static ForeignTensor Keys(Random random, ElementType type, bool isStrided, int batch, int tokens) =>
        new(random, type, isStrided, batch, tokens, KeyValueHeads, HeadDim);

    // Log-sum-exps [B, H, N] in single precision.
    private static ForeignTensor Statistics(Random random, bool isStrided, int batch, int tokens) =>
        new(random, ElementType.Float32, isStrided, batch, QueryHeads, tokens);
}
