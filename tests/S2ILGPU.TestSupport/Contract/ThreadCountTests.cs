using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Tensors;
using Xunit;

namespace S2ILGPU.TestSupport;

/// <summary>
/// The contract promises the same bits for any number of threads: engines that differ in nothing else give the same
/// results, on work that is large enough to be split.
/// </summary>
/// <param name="engines">The same engine with different numbers of threads.</param>
public abstract class ThreadCountTests(params Func<IEngine>[] engines)
{
    /// <summary>Element type of activations and their gradients; null for the engine's own.</summary>
    protected virtual ElementType? Activations => null;

    [Theory]
    [InlineData(200, 150, 700)]
    [InlineData(1, 1500, 900)]
    [InlineData(3, 16, 5000)]
    [InlineData(900, 20, 33)]
    public void Mat_mul(int m, int n, int k) => AssertSameBits($"product {m}x{n}x{k}", work =>
    {
        foreach (var (transposeA, transposeB) in ((bool, bool)[])[(false, false), (false, true), (true, false)])
            work.Engine.MatMul(new MatMulArguments(work.Normal(transposeA ? [k, m] : [m, k]),
                work.Normal(transposeB ? [n, k] : [k, n]), work.Result(m, n),
                transposeA, transposeB)
            {
                Bias = transposeA ? null : work.Floats(n),
                Residual = transposeB ? work.Normal(m, n) : null,
            });
    });

    [Fact]
    public void Rows_and_their_sums() => AssertSameBits("row operations", work =>
    {
        const int rows = 259, columns = 200;
        var (x, weight, dy) = (work.Normal(rows, columns), work.Floats(columns), work.Normal(rows, columns));
        var inverseRms = work.Sums(rows);
        work.Engine.RmsNorm(x, weight, work.Result(rows, columns), inverseRms, 1e-5f);
        work.Engine.RmsNormBackward(x, weight, inverseRms, dy, GradientTarget.Into(work.Result(rows, columns)),
            GradientTarget.Into(work.Sums(columns)));
        var biased = work.Result(rows, columns);
        work.Engine.Center(x, GradientTarget.Into(biased));
        work.Engine.AddBias(weight, biased);
        work.Engine.SumRows(dy, GradientTarget.Into(work.Sums(columns)));
        work.Engine.EmbeddingBackward(work.Integers(rows, 7), dy, GradientTarget.Into(work.Sums(7, columns)));
        var (logits, targets, logSumExp) = (work.Floats(rows, columns), work.Integers(rows, columns), work.Sums(rows));
        work.Engine.SoftmaxCrossEntropy(logits, targets, work.Sums(rows), logSumExp);
        work.Engine.SoftmaxCrossEntropyBackward(logits, targets, logSumExp, work.Floats(rows),
            GradientTarget.Into(work.Sums(rows, columns)));
        work.Engine.SwiGlu(x, dy, work.Result(rows, columns));
        work.Engine.Gegelu(x, dy, 1, work.Result(rows, columns));
        work.Engine.GegeluBackward(x, dy, 1, work.Normal(rows, columns),
            GradientTarget.Into(work.Result(rows, columns)), GradientTarget.Into(work.Result(rows, columns)));
        work.Engine.SwiGluBackward(x, dy, work.Normal(rows, columns), GradientTarget.Into(work.Result(rows, columns)),
            GradientTarget.Into(work.Result(rows, columns)));
    });

    [Theory]
    [InlineData(1000)]
    [InlineData(70_007)]
    public void Elementwise_and_sums(int count) => AssertSameBits($"elementwise {count}", work =>
    {
        var (x, y) = (work.Normal(count), work.Normal(count));
        work.Engine.Add(x, y, work.Result(count));
        work.Engine.Gelu(x, work.Result(count));
        work.Engine.GeluBackward(x, y, GradientTarget.Into(work.Result(count)));
        var gradient = work.Floats(count);
        work.Engine.SumOfSquares([[gradient, work.Floats(33)]], work.Sums(1));
        var (parameter, first, second) = (work.Sums(count), work.Sums(count), work.Sums(count));
        foreach (var tensor in (Tensor[])[parameter, first, second])
            work.Engine.Fill(tensor, 0.5f);
        work.Engine.AdamW(new AdamWArguments([new(parameter, gradient, first, second, 0.1f)], 0.01f, 0.9f, 0.99f,
            1e-8f, 3, 0.5f));
    });

    [Theory]
    [InlineData(1, 1, "dense")]
    [InlineData(4, 1, "L2 s3")]
    [InlineData(6, 3, "L1 s3 by query head")]
    [InlineData(3, 3, "dense non-causal")]
    public void Attention(int heads, int keyValueHeads, string pattern) =>
        AssertSameBits($"attention '{pattern}' H{heads}/{keyValueHeads}", work =>
    {
        const int tokens = 500, headDim = 64;
        var layout = BlockLayout.Create(PatternCatalog.Create(pattern, heads, keyValueHeads, 32), tokens);
        var sequences = SequenceBatch.Packed([tokens - 170, 170], [tokens - 170, 170]);
        var (query, key, value) = (work.Normal(1, tokens, heads, headDim),
            work.Normal(1, tokens, keyValueHeads, headDim),
            work.Normal(1, tokens, keyValueHeads, headDim));
        var (output, logSumExp) = (work.Result(1, tokens, heads, headDim), work.Sums(1, heads, tokens));
        work.Engine.AttentionForward(new AttentionForwardArguments(query, key, value, output, logSumExp, layout,
            sequences, 0.125f));
        work.Engine.AttentionBackward(new AttentionBackwardArguments(query, key, value, output, logSumExp,
            work.Normal(1, tokens, heads, headDim), null,
            work.Result(1, tokens, heads, headDim), work.Result(1, tokens, keyValueHeads, headDim),
                work.Result(1, tokens, keyValueHeads, headDim),
            layout, sequences, 0.125f));
    });

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Decode(int queries) => AssertSameBits($"decode {queries}", work =>
    {
        const int tokens = 5000, headDim = 64;
        var layout = BlockLayout.Create(PatternCatalog.Create("dense", 4, 2, 64), tokens, queries);
        work.Engine.AttentionForward(new AttentionForwardArguments(work.Normal(1, queries, 4, headDim),
            work.Normal(1, tokens, 2, headDim),
            work.Normal(1, tokens, 2, headDim), work.Result(1, queries, 4, headDim), work.Sums(1, 4, queries), layout,
            SequenceBatch.Uniform(1, queries, tokens), 0.125f));
    });

    private void AssertSameBits(string what, Action<Workload> run)
    {
        float[][]? expected = null;
        string first = "";
        foreach (var create in engines)
        {
            using var engine = create();
            using var work = new Workload(engine, Activations ?? engine.FloatType);
            run(work);
            var actual = work.Downloaded();
            expected ??= actual;
            first = first.Length == 0 ? engine.Name : first;
            for (int n = 0; n < actual.Length; n++)
                for (int i = 0; i < actual[n].Length; i++)
                    Assert.True(BitConverter.SingleToInt32Bits(expected[n][i])
                        == BitConverter.SingleToInt32Bits(actual[n][i]),
                        $"{what}: result {n}, element {i} is {expected[n][i]:r} on {first} but {actual[n][i]:r} on "
                            + $"{engine.Name}; {Seeds.Text}");
        }
    }

    /// <summary>The tensors of one run: the same random inputs on every engine, and the results in the order of their
    /// creation.</summary>
    private sealed class Workload(IEngine engine, ElementType activations) : IDisposable
    {
        private readonly Random _random = Seeds.NewRandom();
        private readonly List<Tensor> _inputs = [], _results = [];

        public IEngine Engine { get; } = engine;

        public Tensor Normal(params ReadOnlySpan<int> extents) => Input(activations, extents);

        /// <summary>An input that has the engine's float type whatever the activations have.</summary>
        public Tensor Floats(params ReadOnlySpan<int> extents) => Input(Engine.FloatType, extents);

        private Tensor Input(ElementType type, ReadOnlySpan<int> extents)
        {
            var tensor = Engine.Allocate(new Shape(extents), type);
            _inputs.Add(tensor);
            Engine.Upload((float[])[.. _random.Normal(tensor.Count).Select(x => (float)x)], tensor);
            return tensor;
        }

        public Tensor Integers(int count, int end)
        {
            var tensor = Engine.Allocate(new Shape(count), ElementType.Int32);
            _inputs.Add(tensor);
            Engine.Upload((int[])[.. Enumerable.Range(0, count).Select(_ => _random.Next(end))], tensor);
            return tensor;
        }

        public Tensor Result(params ReadOnlySpan<int> extents) => Output(activations, extents);

        /// <summary>A result that has the engine's float type whatever the activations have.</summary>
        public Tensor Sums(params ReadOnlySpan<int> extents) => Output(Engine.FloatType, extents);

        private Tensor Output(ElementType type, ReadOnlySpan<int> extents)
        {
            var tensor = Engine.Allocate(new Shape(extents), type);
            _results.Add(tensor);
            return tensor;
        }

        public float[][] Downloaded() => [.. _results.Select(tensor =>
        {
            var values = new float[tensor.Count];
            Engine.Download(tensor, values);
            return values;
        })];

        public void Dispose()
        {
            foreach (var tensor in _inputs.Concat(_results))
                tensor.Dispose();
        }
    }
}
