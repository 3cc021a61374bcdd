using S2ILGPU.Cpu.Attention;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Cpu.Attention;

/// <summary>Results do not depend on the number of threads, and repeated calls allocate nothing.</summary>
public sealed class SteadyStateTests
{
    [Fact]
    public void One_two_and_three_threads_give_the_same_bits()
    {
        TestScale.SkipUnlessDrawn(2);
        CheckThreads(SimdWidth.Auto);
    }

    [LongTheory]
    [InlineData(SimdWidth.Scalar)]
    [InlineData(SimdWidth.Bits128)]
    [InlineData(SimdWidth.Bits256)]
    [InlineData(SimdWidth.Bits512)]
    public void Threads_give_the_same_bits_at_every_width(SimdWidth simd) => CheckThreads(simd);

    private static void CheckThreads(SimdWidth simd)
    {
        var expected = Results(simd, 1);
        foreach (int threads in (int[])[2, 3])
        {
            var actual = Results(simd, threads);
            for (int n = 0; n < expected.Count; n++)
                Assert.True(expected[n].AsSpan().SequenceEqual(actual[n]),
                    $"{simd}: result {n} differs between 1 and {threads} threads; {Seeds.Text}");
        }
    }

    [Fact]
    public void Repeated_calls_allocate_nothing()
    {
        TestScale.SkipUnlessDrawn(2);
        using var engine = CpuEngines.Create(SimdWidth.Auto, 1);
        using var problem = new Problem(engine, queries: 300, keys: 300);
        using var decoding = new Problem(engine, queries: 1, keys: 3000);
        using var shortProblem = new Problem(engine, queries: 70, keys: 90, type: ElementType.BFloat16);
        using var copying = CopyingProblem(engine);
        Assert.True(copying.CopiesKeys());
        Assert.False(problem.CopiesKeys());
        void RunAll()
        {
            problem.RunAll();
            decoding.RunAll();
            shortProblem.RunAll();
            copying.RunAll();
        }

        RunAll();
        RunAll();
        Assert.Equal(0, Allocations.OfEveryRun(RunAll));
    }

    // Rows of keys 4 KB apart, each read by several tiles: forward copies them to head order, and with one worker not
    // all heads at once.
    private static Problem CopyingProblem(IEngine engine) =>
        new(engine, queries: 1300, keys: 1300, keyValueHeads: 4, headDim: 256);

    // Forward, decoding in parts, backward in ranges, and forward from copies of the keys.
    private static List<float[]> Results(SimdWidth simd, int threads)
    {
        using var engine = CpuEngines.Create(simd, threads);
        var results = new List<float[]>();
        foreach (var (queries, keys) in ((int, int)[])[(200, 330), (2, 3000), (2100, 2100)])
        {
            using var problem = new Problem(engine, queries, keys);
            problem.RunAll();
            results.AddRange(problem.Results());
        }
        using var copying = CopyingProblem(engine);
        copying.RunAll();
        results.AddRange(copying.Results());
        return results;
    }

    // Attention of 4 query heads, forward, backward and a merge of the result with itself.
    private sealed class Problem : IDisposable
    {
        private readonly IEngine _engine;
        private readonly Tensor _query, _key, _value, _output, _logSumExp, _gradient, _queryGradient, _keyGradient,
            _valueGradient, _merged, _mergedLogSumExp;
        private readonly Tensor[] _outputs, _logSumExps;
        private readonly BlockLayout _layout;
        private readonly SequenceBatch _sequences;

        public Problem(IEngine engine, int queries, int keys, int keyValueHeads = 1, int headDim = 16,
            ElementType type = ElementType.Float32)
        {
            var random = Seeds.NewRandom();
            Tensor Random(ElementType elementType, params int[] shape)
            {
                var tensor = engine.Allocate(new Shape(shape), elementType);
                engine.Upload(random.Normal(tensor.Count).Select(x => (float)x).ToArray(), tensor);
                return tensor;
            }
            _engine = engine;
            Tensor Queries() => Random(type, 1, queries, 4, headDim);
            (_query, _output, _gradient, _queryGradient, _merged) =
                (Queries(), Queries(), Queries(), Queries(), Queries());
            Tensor Keys() => Random(type, 1, keys, keyValueHeads, headDim);
            (_key, _value, _keyGradient, _valueGradient) = (Keys(), Keys(), Keys(), Keys());
            (_logSumExp, _mergedLogSumExp) = (Random(ElementType.Float32, 1, 4, queries),
                Random(ElementType.Float32, 1, 4, queries));
            (_outputs, _logSumExps) = ([_output, _output], [_logSumExp, _logSumExp]);
            _layout = BlockLayout.Create(new LocalStridePattern(4, keyValueHeads, blockTokens: 16, localBlocks: 4,
                verticalStride: 2), keys, queries);
            _sequences = SequenceBatch.Uniform(1, queries, keys);
        }

        private AttentionForwardArguments ForwardArguments =>
            new(_query, _key, _value, _output, _logSumExp, _layout, _sequences, 0.25f);

        // Whether several tiles read each row of keys, which does not read well in place.
        public bool CopiesKeys()
        {
            var plan = new ForwardPlan(long.MaxValue);
            plan.Make(ForwardArguments);
            return plan.ReadsPerBlock >= 4 && !TokenRows.KeepsCacheSets(_key.Stride(1), _key.Shape[3]);
        }

        public void RunAll()
        {
            _engine.AttentionForward(ForwardArguments);
            _engine.AttentionBackward(new(_query, _key, _value, _output, _logSumExp, _gradient, null, _queryGradient,
                _keyGradient, _valueGradient,
                _layout, _sequences, 0.25f));
            _engine.MergePartitions(_outputs, _logSumExps, _merged, _mergedLogSumExp);
        }

        public IEnumerable<float[]> Results()
        {
            foreach (var tensor in (Tensor[])[_output, _logSumExp, _queryGradient, _keyGradient, _valueGradient,
                _merged, _mergedLogSumExp])
            {
                var values = new float[tensor.Count];
                _engine.Download(tensor, values);
                yield return values;
            }
        }

        public void Dispose()
        {
            foreach (var tensor in (Tensor[])[_query, _key, _value, _output, _logSumExp, _gradient, _queryGradient,
                _keyGradient, _valueGradient,
                _merged, _mergedLogSumExp])
                tensor.Dispose();
        }
    }
}
