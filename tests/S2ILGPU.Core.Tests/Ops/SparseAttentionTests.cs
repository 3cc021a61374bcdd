using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Ops;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Ops;

public sealed class SparseAttentionTests : IDisposable
{
    private static readonly LocalStridePattern Pattern = new(4, 2, 16, 1, 2);
    private static readonly BlockLayout Layout = BlockLayout.Create(Pattern, 48);

    private readonly Random _random = Seeds.NewRandom();
    private readonly ReferenceEngine _engine = new();
    private readonly List<Tensor> _tensors = [];

    public void Dispose()
    {
        foreach (var tensor in _tensors)
            tensor.Dispose();
        Assert.Equal(0, _engine.UsedBytes);
    }

    [Fact]
    public void The_reference_vector_merges_from_two_partitions()
    {
        // SEMANTICS section 4, in two of the eight dimensions that a head has at least: the others are zero.
        double[][] keys = [[1, 0], [0, 1], [1, 1], [-1, 2]], values = [[1, 0], [0, 1], [2, 2], [-1, 3]];
        var dense = new DensePattern(1, 1, 16, isCausal: false);
        var layout = BlockLayout.Create(dense, 16);
        var options = new AttentionOptions { Scale = (float)(1 / Math.Sqrt(2)) };
        AttentionResult Part(Range range) =>
            SparseAttention.Forward(_engine, Rows([0.5, -1]), Rows(keys[range]), Rows(values[range]), layout, options);
        using AttentionResult whole = Part(0..4), left = Part(0..2), right = Part(2..4),
            merged = SparseAttention.Merge(_engine, left, right);
        foreach (var result in (AttentionResult[])[whole, merged])
        {
            double[] output = ReferenceEngine.Values(result.Output);
            Assert.Equal(0.952579400142608, output[0], 1e-7); // the scale is single precision
            Assert.Equal(0.8636234067554782, output[1], 1e-7);
            Assert.Equal(1.0260738489341228, ReferenceEngine.Values(result.LogSumExp)[0], 1e-7);
        }
    }

    [Fact]
    public void Gradients_with_a_gradient_of_the_log_sum_exp()
    {
        var sequences = SequenceBatch.Padded([20, 33], [40, 33]);
        Shape q = new(2, 33, 4, 8), kv = new(2, 40, 2, 8), lse = new(2, 4, 33);
        double[][] inputs = [_random.Normal(q.Count), _random.Normal(kv.Count), _random.Normal(kv.Count)];
        double[] dOutput = _random.Normal(q.Count), dLse = _random.Normal(lse.Count);
        for (int b = 0; b < 2; b++) // the log-sum-exp of padding is -infinity: nothing may depend on it
            for (int h = 0; h < 4; h++)
                for (int n = sequences.Sequences[b].QueryCount; n < 33; n++)
                    dLse[(b * 4 + h) * 33 + n] = 0;
        var options = new AttentionOptions { Sequences = sequences, CheckFinite = true };
        double Loss(double[][] x)
        {
            using Tensor query = New(q, x[0]), key = New(kv, x[1]), value = New(kv, x[2]);
            using var result = SparseAttention.Forward(_engine, query, key, value, Layout, options);
            return ReferenceEngine.Values(result.Output).Zip(dOutput, (a, b) => a * b).Sum()
                + ReferenceEngine.Values(result.LogSumExp).Zip(dLse, (a, b) => b == 0 ? 0 : a * b).Sum();
        }
        Tensor Keep(Shape shape, double[] values) => Owned(New(shape, values));
        var (query, key, value) = (Keep(q, inputs[0]), Keep(kv, inputs[1]), Keep(kv, inputs[2]));
        using var forward = SparseAttention.Forward(_engine, query, key, value, Layout, options);
        var (dq, dk, dv) = SparseAttention.Backward(_engine, query, key, value, forward, Keep(q, dOutput), Layout,
            Keep(lse, dLse));
        GradientCheck.Run("sparse attention", Loss, inputs,
            [.. new[] { dq, dk, dv }.Select(t => ReferenceEngine.Values(Owned(t)))], _random);
    }

    [Fact]
    public void Empty_tensors_give_empty_results_and_zero_gradients()
    {
        Tensor query = Zeros(2, 0, 4, 8), key = Zeros(2, 5, 2, 8);
        using var result = SparseAttention.Forward(_engine, query, key, key, Layout);
        using var gradients = SparseAttention.Backward(_engine, query, key, key, result, query, Layout);
        Assert.Equal(new Shape(2, 0, 4, 8), result.Output.Shape);
        Assert.Equal(new Shape(2, 4, 0), result.LogSumExp.Shape);
        Assert.All(ReferenceEngine.Values(gradients.Key), value => Assert.Equal(0, value));
    }

    [Fact]
    public void Shapes_are_checked_with_both_sides()
    {
        Tensor q = Zeros(1, 20, 4, 8), k = Zeros(1, 20, 2, 8);
        Refused(["query", "[batch, tokens, heads, head dimension]", "[20, 4, 8]"], () =>
            Forward(Zeros(20, 4, 8), k, k));
        Refused(["query", "multiple of 8", "[1, 20, 4, 12]"], () =>
            Forward(Zeros(1, 20, 4, 12), Zeros(1, 20, 2, 12), Zeros(1, 20, 2, 12)));
        Refused(["query", "from 8 to 256", "[1, 1, 4, 264]"], () => Forward(Zeros(1, 1, 4, 264), k, k));
        Refused(["query", "[B, Nq, 4, D]", "[1, 20, 2, 8]"], () => Forward(Zeros(1, 20, 2, 8), k, k));
        Refused(["key", "[1, 20, 2, 8]", "[1, 20, 4, 8]"], () => Forward(q, q, q));
        Refused(["key", "[1, 20, 2, 8]", "[2, 20, 2, 8]"], () => Forward(q, Zeros(2, 20, 2, 8), k));
        Refused(["value", "[1, 20, 2, 8]", "[1, 19, 2, 8]"], () => Forward(q, k, Zeros(1, 19, 2, 8)));
        Refused(["query", "at most 19 tokens", "[1, 20, 4, 8]"], () =>
            Forward(q, Zeros(1, 19, 2, 8), Zeros(1, 19, 2, 8)));
        Refused(["value", "Float64 like the query", "Float32"], () =>
            Forward(q, k, Owned(_engine.Allocate(k.Shape, ElementType.Float32))));
        Refused(["element type", "Int32"], () => Forward(Integers(q), Integers(k), Integers(k)));
        Refused(["adjacent", "stride"], () => Forward(q, Owned(Zeros(1, 20, 8, 2).Permute(0, 1, 3, 2)), k));
    }

    [Fact]
    public void Layouts_and_sequences_are_checked()
    {
        Tensor q = Zeros(1, 20, 4, 8), k = Zeros(1, 20, 2, 8), longer = Zeros(1, 49, 2, 8);
        Refused(["covers 48 tokens", "49 keys"], () => Forward(q, longer, longer));
        Refused(["rows start at position 32", "a first query is at 0"], () =>
            SparseAttention.Forward(_engine, q, k, k, BlockLayout.Create(Pattern, 48, 10)));
        Refused(["leaves the query"], () => Forward(q, k, k, SequenceBatch.Packed([10, 11], [10, 10 + 1])));
        Refused(["leaves the query"], () => Forward(q, k, k, SequenceBatch.Uniform(2, 5, 5)));
        Refused(["overlap"], () =>
            Forward(q, k, k, new SequenceBatch(new Sequence(0, 0, 5, 0, 10), new Sequence(0, 5, 5, 9, 10))));
        Refused(["overlap"], () =>
            Forward(q, k, k, new SequenceBatch(new Sequence(0, 4, 5, 10, 10), new Sequence(0, 0, 5, 0, 10))));
        Refused(["scale", "NaN"], () =>
            SparseAttention.Forward(_engine, q, k, k, Layout, new AttentionOptions { Scale = float.NaN }));
    }

    [Fact]
    public void Values_that_are_not_finite_are_counted_on_request()
    {
        Tensor q = Zeros(1, 3, 4, 8), k = Zeros(1, 3, 2, 8), v = Zeros(1, 3, 2, 8);
        double[] bad = new double[48];
        (bad[3], bad[7], bad[40]) = (double.NaN, double.PositiveInfinity, double.NegativeInfinity);
        ReferenceEngine.SetValues(v, bad);
        Refused(["0 elements of the query, 0 of the key, 3 of the value"], () =>
            SparseAttention.Forward(_engine, q, k, v, Layout, new AttentionOptions { CheckFinite = true }));
        Forward(q, k, v);
    }

    [Fact]
    public void Backward_checks_what_it_gets()
    {
        Tensor q = Zeros(1, 20, 4, 8), k = Zeros(1, 20, 2, 8);
        using var result = SparseAttention.Forward(_engine, q, k, k, Layout);
        Refused(["outputGradient", "[1, 20, 4, 8]", "[1, 20, 2, 8]"], () =>
            SparseAttention.Backward(_engine, q, k, k, result, k, Layout));
        Refused(["logSumExpGradient", "[1, 4, 20]", "[1, 20, 4]"], () =>
            SparseAttention.Backward(_engine, q, k, k, result, q, Layout, Zeros(1, 20, 4)));
        Tensor other = Zeros(1, 10, 4, 8), otherKey = Zeros(1, 10, 2, 8);
        Refused(["Output", "[1, 10, 4, 8]", "[1, 20, 4, 8]"], () =>
            SparseAttention.Backward(_engine, other, otherKey, otherKey, result, other, Layout));
    }

    [Fact]
    public void Merge_checks_what_it_gets()
    {
        Tensor q = Zeros(1, 20, 4, 8), k = Zeros(1, 20, 2, 8), shortQ = Zeros(1, 10, 4, 8);
        using AttentionResult a = SparseAttention.Forward(_engine, q, k, k, Layout),
            b = SparseAttention.Forward(_engine, shortQ, k, k, Layout),
            c = SparseAttention.Forward(_engine, q, k, k, Layout, new AttentionOptions { Scale = 2 });
        Refused(["no parts"], () => SparseAttention.Merge(_engine));
        Refused(["[1, 20, 4, 8]", "[1, 10, 4, 8]"], () => SparseAttention.Merge(_engine, a, b));
        Refused(["scales", "2"], () => SparseAttention.Merge(_engine, a, c));
    }

    [Fact]
    public void A_merge_keeps_the_sequences_of_its_parts()
    {
        Tensor q = Random(1, 48, 4, 8), k = Random(1, 48, 2, 8), v = Random(1, 48, 2, 8), dO = Random(1, 48, 4, 8);
        var options = new AttentionOptions { Sequences = SequenceBatch.Packed([20, 28], [20, 28]) };
        using AttentionResult packed = SparseAttention.Forward(_engine, q, k, v, Layout, options),
            merged = SparseAttention.Merge(_engine, packed);
        using AttentionGradients expected = SparseAttention.Backward(_engine, q, k, v, packed, dO, Layout),
            got = SparseAttention.Backward(_engine, q, k, v, merged, dO, Layout);
        Assert.Same(options.Sequences, merged.Sequences);
        foreach (var (x, y) in ((Tensor, Tensor)[])[(expected.Query, got.Query), (expected.Key, got.Key),
            (expected.Value, got.Value)])
            MaximumError.AssertWithin(new Tolerance(1e-12), "gradient through a merge", x.Shape,
                ReferenceEngine.Values(x), ReferenceEngine.Values(y));
    }

    [Fact]
    public void Parts_with_different_keys_merge_and_say_that_their_sequences_differ()
    {
        Tensor q = Random(1, 10, 4, 8), k = Random(1, 40, 2, 8), other = Random(1, 40, 2, 8);
        AttentionResult Part(Tensor keys, SequenceBatch? sequences) =>
            SparseAttention.Forward(_engine, q, keys, keys, Layout, new AttentionOptions { Sequences = sequences });
        SequenceBatch left = SequenceBatch.Packed([4, 6], [20, 20]), right = SequenceBatch.Packed([4, 6], [10, 30]);
        using AttentionResult first = Part(k, left), second = Part(other, right),
            merged = SparseAttention.Merge(_engine, first, second),
            again = SparseAttention.Merge(_engine, merged, first),
            moved = Part(k, SequenceBatch.Packed([5, 5], [20, 20]));
        Assert.True(merged.HasPartsOfDifferentSequences && again.HasPartsOfDifferentSequences);
        Refused(["different sequences"], () => SparseAttention.Backward(_engine, q, k, k, merged, q, Layout));
        SparseAttention.Backward(_engine, q, other, other, merged, q, Layout, sequences: right).Dispose();
        Refused(["different query rows"], () => SparseAttention.Merge(_engine, first, moved));
    }

    [Fact]
    public void Gradients_of_a_merge_are_those_of_the_whole()
    {
        // the keys of one sequence in two halves, each a sequence of its own
        var dense = BlockLayout.Create(new DensePattern(4, 2, 16, isCausal: false), 48);
        Tensor q = Random(1, 20, 4, 8), k = Random(1, 48, 2, 8), v = Random(1, 48, 2, 8), dO = Random(1, 20, 4, 8),
            dLse = Random(1, 4, 20);
        using var whole = SparseAttention.Forward(_engine, q, k, v, dense);
        using var expected = SparseAttention.Backward(_engine, q, k, v, whole, dO, dense, dLse);
        Tensor[] keys = [Owned(k.Slice(1, 0, 24)), Owned(k.Slice(1, 24, 24))],
            values = [Owned(v.Slice(1, 0, 24)), Owned(v.Slice(1, 24, 24))];
        AttentionResult[] parts =
            [.. keys.Zip(values, (key, value) => SparseAttention.Forward(_engine, q, key, value, dense))];
        using var merged = SparseAttention.Merge(_engine, parts);
        var gradients = SparseAttention.MergeBackward(_engine, parts, merged, dO, dLse);
        var sum = new double[q.Count];
        for (int p = 0; p < 2; p++)
        {
            using var part = SparseAttention.Backward(_engine, q, keys[p], values[p], parts[p], gradients[p].Output,
                dense, gradients[p].LogSumExp);
            using var direct = SparseAttention.Backward(_engine, q, keys[p], values[p], merged, dO, dense, dLse);
            using Tensor key = expected.Key.Slice(1, p * 24, 24), value = expected.Value.Slice(1, p * 24, 24);
            Same(key, part.Key);
            Same(value, part.Value);
            Same(key, direct.Key);
            sum = [.. sum.Zip(ReferenceEngine.Values(part.Query), (x, y) => x + y)];
            gradients[p].Dispose();
            parts[p].Dispose();
        }
        MaximumError.AssertWithin(new Tolerance(1e-10), "dQ", q.Shape, ReferenceEngine.Values(expected.Query), sum);

        static void Same(Tensor x, Tensor y) => MaximumError.AssertWithin(new Tolerance(1e-10), "gradient of a part",
            x.Shape, ReferenceEngine.Values(x), ReferenceEngine.Values(y));
    }

    [Fact]
    public void Results_go_into_tensors_of_the_caller()
    {
        Tensor q = Random(1, 20, 4, 8), k = Random(1, 20, 2, 8), wide = Zeros(1, 20, 8, 8), lse = Zeros(1, 4, 20),
            output = Owned(wide.Slice(2, 4, 4)), dQ = Zeros(1, 20, 4, 8), dK = Zeros(1, 20, 2, 8),
            dV = Zeros(1, 20, 2, 8);
        using var expected = SparseAttention.Forward(_engine, q, k, k, Layout);
        using var result = SparseAttention.Forward(_engine, q, k, k, Layout, output: output, logSumExp: lse);
        Assert.Equal(ReferenceEngine.Values(expected.Output), ReferenceEngine.Values(output));
        Assert.Equal(ReferenceEngine.Values(expected.LogSumExp), ReferenceEngine.Values(lse));
        var into = new AttentionGradients(dQ, dK, dV);
        var (queries, keys, values) = SparseAttention.Backward(_engine, q, k, k, result, q, Layout, into: into);
        using var gradients = SparseAttention.Backward(_engine, q, k, k, expected, q, Layout);
        Assert.Same(dQ, queries);
        Assert.Equal(ReferenceEngine.Values(gradients.Query), ReferenceEngine.Values(dQ));
        Assert.Equal(ReferenceEngine.Values(gradients.Key), ReferenceEngine.Values(keys));
        Assert.Equal(ReferenceEngine.Values(gradients.Value), ReferenceEngine.Values(values));
        Refused(["output", "[1, 20, 4, 8]"], () => SparseAttention.Forward(_engine, q, k, k, Layout, output: k));
        Refused(["logSumExp", "[1, 4, 20]"], () => SparseAttention.Forward(_engine, q, k, k, Layout, logSumExp: q));
        Refused(["into.Key", "[1, 20, 2, 8]"], () =>
            SparseAttention.Backward(_engine, q, k, k, result, q, Layout, into: into with { Key = q }));
    }

    private void Forward(Tensor q, Tensor k, Tensor v, SequenceBatch? sequences = null) =>
        SparseAttention.Forward(_engine, q, k, v, Layout, new AttentionOptions { Sequences = sequences }).Dispose();

    private static void Refused(string[] parts, Action action)
    {
        string message = Assert.ThrowsAny<ArgumentException>(action).Message;
        Assert.All(parts, part => Assert.Contains(part, message));
    }

    private Tensor Rows(params double[][] rows) =>
        Owned(New(new Shape(1, rows.Length, 1, 8), [.. rows.SelectMany(r => (double[])[.. r, 0, 0, 0, 0, 0, 0])]));

    private Tensor Random(params ReadOnlySpan<int> extents)
    {
        var shape = new Shape(extents);
        return Owned(New(shape, _random.Normal(shape.Count)));
    }

    private Tensor Zeros(params ReadOnlySpan<int> extents)
    {
        var shape = new Shape(extents);
        return Owned(New(shape, new double[shape.Count]));
    }

    private Tensor Integers(Tensor like) => Owned(_engine.Allocate(like.Shape, ElementType.Int32));

    private Tensor New(Shape shape, double[] values)
    {
        var tensor = _engine.Allocate(shape, ElementType.Float64);
        ReferenceEngine.SetValues(tensor, values);
        return tensor;
    }

    private Tensor Owned(Tensor tensor)
    {
        _tensors.Add(tensor);
        return tensor;
    }
}
