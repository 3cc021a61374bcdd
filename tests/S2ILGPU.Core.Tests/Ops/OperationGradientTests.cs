using S2ILGPU.Autograd;
using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Ops;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Ops;

public sealed class OperationGradientTests
{
    private readonly Random _random = Seeds.NewRandom();

    [Fact]
    public void Add() => Check((t, x) => t.Add(x[0], x[1]), new Shape(2, 3), new Shape(2, 3));

    [Fact]
    public void Add_of_one_input_with_itself() => Check((t, x) => t.Add(x[0], x[0]), new Shape(2, 3));

    [Fact]
    public void Sums_that_share_a_gradient_and_add_to_it() => Check((t, x) =>
    {
        var (a, b) = (t.Add(x[0], x[1]), t.Gelu(x[1]));
        var c = t.Add(a, b);
        return t.Add(t.Add(c, t.Gelu(b)), t.Add(a, t.Gelu(c)));
    }, new Shape(2, 3), new Shape(2, 3));

    [Fact]
    public void Add_into() => Check((t, x) => t.AddInto(t.Add(x[0], x[1]), x[1]), new Shape(3, 2), new Shape(3, 2));

    [Fact]
    public void Linear_of_rows() => Check((t, x) => t.Linear(x[0], x[1]), new Shape(5, 3), new Shape(4, 3));

    [Fact]
    public void Linear_of_a_batch() => Check((t, x) => t.Linear(x[0], x[1]), new Shape(2, 3, 4), new Shape(5, 4));

    [Fact]
    public void Linear_twice_with_one_weight() =>
        Check((t, x) => t.Linear(t.Linear(x[0], x[1]), x[1]), new Shape(2, 3), new Shape(3, 3));

    [Fact]
    public void Linear_with_a_bias_and_a_residual() => Check((t, x) => t.Linear(x[0], x[1], x[2], t.Gelu(x[3])),
        new Shape(5, 3), new Shape(4, 3), new Shape(4), new Shape(5, 4));

    [Fact]
    public void Linear_of_a_batch_with_a_bias_and_a_residual() => Check((t, x) => t.Linear(x[0], x[1], x[2], x[3]),
        new Shape(2, 3, 4), new Shape(5, 4), new Shape(5), new Shape(2, 3, 5));

    // The residual shares a gradient, is read by the branch as well, and the bias is read twice.
    [Fact]
    public void Residual_branches() => Check((t, x) =>
    {
        var first = t.Linear(t.Gelu(x[0]), x[1], x[2], x[0]);
        return t.Linear(t.Gelu(first), x[1], x[2], first);
    }, new Shape(2, 3), new Shape(3, 3), new Shape(3));

    [Fact]
    public void Rms_norm_of_rows() => Check((t, x) => t.RmsNorm(x[0], x[1], 1e-5f), new Shape(4, 6), new Shape(6));

    [Fact]
    public void Rms_norm_of_a_batch() =>
        Check((t, x) => t.RmsNorm(x[0], x[1], 1e-2f), new Shape(2, 3, 6), new Shape(6));

    [Fact]
    public void Gelu() => Check((t, x) => t.Gelu(x[0]), new Shape(3, 5));

    [Fact]
    public void SwiGlu_of_separate_inputs() => Check((t, x) => t.SwiGlu(x[0], x[1]), new Shape(3, 5), new Shape(3, 5));

    [Fact]
    public void Gegelu() => Check((t, x) => t.Gegelu(x[0], x[1], 0.9f), new Shape(3, 5), new Shape(3, 5));

    [Fact]
    public void Bias() => Check((t, x) => t.AddBias(t.Linear(x[0], x[1]), x[2]), new Shape(3, 4), new Shape(5, 4),
        new Shape(5));

    // The bias is read twice, so the second gradient is added.
    [Fact]
    public void Bias_read_twice() => Check((t, x) =>
        t.Add(t.AddBias(t.Linear(x[0], x[1]), x[2]), t.AddBias(t.Gelu(t.Linear(x[0], x[1])), x[2])), new Shape(3, 4),
        new Shape(5, 4), new Shape(5));

    [Fact]
    public void Center_of_an_input_that_is_read_elsewhere() => Check((t, x) =>
    {
        var whole = t.Gelu(x[0]);
        return t.Add(t.Center(whole), t.Gelu(whole));
    }, new Shape(3, 5));

    [Fact]
    public void Layer_norm() => Check((t, x) => t.LayerNorm(x[0], x[1], x[2], 1e-3f), new Shape(4, 6), new Shape(6),
        new Shape(6));

    [Fact]
    public void Scale() => Check((t, x) => t.Scale(t.Scale(x[0], -1.5f), 1), new Shape(3, 5));

    [Fact]
    public void SwiGlu_of_halves() => Check((t, x) =>
    {
        var (gate, up) = t.Halves(x[0]);
        return t.SwiGlu(gate, up);
    }, new Shape(3, 8));

    [Fact]
    public void Halves_of_which_one_is_unused_and_the_whole_is_read_elsewhere() => Check((t, x) =>
    {
        var whole = t.Gelu(x[0]);
        var (gate, _) = t.Halves(whole);
        return t.Add(t.SwiGlu(gate, gate), t.SwiGlu(t.Halves(whole).Second, t.Halves(t.Gelu(whole)).First));
    }, new Shape(3, 8));

    [Fact]
    public void Embedding() =>
        Check((t, x) => t.Embedding(x[0], t.Upload([1, 0, 1, 3], new Shape(2, 2))), new Shape(4, 3));

    [Fact]
    public void Softmax_cross_entropy() => Check((t, x) =>
        t.SoftmaxCrossEntropy(t.Linear(x[0], x[1]), t.Upload([2, -1, 0], new Shape(3))), new Shape(3, 4),
        new Shape(5, 4));

    [Fact]
    public void Reshape_and_back() =>
        Check((t, x) => t.Reshape(t.Gelu(t.Reshape(x[0], new Shape(6))), new Shape(3, 2)), new Shape(2, 3));

    [Fact]
    public void Rotary_of_the_first_heads()
    {
        using var engine = new ReferenceEngine(); // the table may live on another instance of the same engine
        using var table = new RotaryTable(engine, 20, 8, 100);
        Check((t, x) => t.RotaryInPlace(t.Add(x[0], x[0]), 2, table, t.Upload([0, 7, 19, 3, 4, 5], new Shape(2, 3))),
            new Shape(2, 3, 3, 8));
        using var part = new RotaryTable(engine, 20, 4, 100, new YarnScaling(4, 10));
        Check((t, x) => t.RotaryInPlace(t.Add(x[0], x[0]), 2, part, t.Upload([0, 7, 19, 3, 4, 5], new Shape(2, 3))),
            new Shape(2, 3, 3, 8));
        Check((t, x) => // a gradient that the rotation shares with an operation that has not read it yet
        {
            var other = t.Gelu(x[1]);
            return t.Add(t.RotaryInPlace(t.Add(x[0], x[0]), 3, table, t.Upload([2], new Shape(1, 1))), other);
        }, new Shape(1, 1, 3, 8), new Shape(1, 1, 3, 8));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Attention_over_a_fused_product(bool slideByQueryHead)
    {
        var pattern = new LocalStridePattern(4, 2, 16, 1, 2, new StripeOptions { SlideByQueryHead = slideByQueryHead });
        var layout = BlockLayout.Create(pattern, 64);
        Check((t, x) =>
        {
            var (q, k, v) = t.SplitHeads(x[0], 4, 2);
            return t.Attention(q, k, v, layout);
        }, new Shape(2, 49, 8, 8));
    }

    [Fact]
    public void Attention_over_padded_and_packed_sequences_with_shared_inputs()
    {
        var layout = BlockLayout.Create(new LocalStridePattern(2, 2, 16, 1, 2), 64);
        var packed = SequenceBatch.Packed([20, 33], [20, 33]);
        Check((t, x) => t.Attention(x[0], x[1], x[1], layout, packed, 0.3f), new Shape(1, 60, 2, 8),
            new Shape(1, 60, 2, 8));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Merge_of_partial_attentions(bool isPacked)
    {
        var layout = BlockLayout.Create(new LocalStridePattern(2, 1, 16, 1, 2), 64);
        var sequences = isPacked ? SequenceBatch.Packed([20, 13], [20, 13]) : SequenceBatch.Padded([20, 7], [20, 7]);
        Shape q = isPacked ? new(1, 35, 2, 8) : new(2, 21, 2, 8), kv = q.With(2, 1), lse = new(q[0], 2, q[1]);
        Check((t, x) =>
        {
            AttentionPart left = t.PartialAttention(x[0], x[1], x[2], layout, sequences),
                right = t.PartialAttention(x[0], x[3], x[4], layout, sequences), tree = t.Merge(t.Merge(left), right);
            return t.Add(tree.Output, t.PartialAttention(x[0], x[1], x[2], layout, sequences).Output);
        }, q, kv, kv, kv, kv);
        AutogradCheck.Run("merge, log-sum-exp", _random, [new(2, 5, 2, 8), new(2, 2, 5), new(2, 5, 2, 8), new(2, 2, 5)],
            (t, x) =>
        {
            var merged = t.Merge(new AttentionPart(x[0], x[1]), new AttentionPart(x[2], x[3]));
            return [merged.Output, merged.LogSumExp];
        });
        var uniform = BlockLayout.Create(new DensePattern(2, 1, 16), 64);
        AutogradCheck.Run("partial attention, log-sum-exp", _random,
            [new(2, 17, 2, 8), new(2, 30, 1, 8), new(2, 30, 1, 8)], (t, x) =>
        {
            var part = t.PartialAttention(x[0], x[1], x[2], uniform);
            return [part.LogSumExp];
        });
    }

    private void Check(Func<Tape, Variable[], Variable> operation, params Shape[] shapes) =>
        OperationCheck.Gradients(TestContext.Current.Test?.TestDisplayName ?? "operation", _random, operation, shapes);
}
