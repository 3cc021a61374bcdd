using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Reference;

/// <summary>Each engine test fails for an engine that is wrong in one element of one result.</summary>
public sealed class EngineTestsCanFailTests
{
    // Not public, so that the runner does not find them.
    private sealed class Memory(Func<IEngine> create) : MemoryTests(create);
    private sealed class Elementwise(Func<IEngine> create) : ElementwiseTests(create);
    private sealed class Rows(Func<IEngine> create) : RowTests(create);
    private sealed class Products(Func<IEngine> create) : MatMulTests(create);
    private sealed class Forward(Func<IEngine> create) : AttentionForwardTests(create);
    private sealed class Backward(Func<IEngine> create) : AttentionBackwardTests(create);
    private sealed class Decoding(Func<IEngine> create) : DecodeTests(create);
    private sealed class Merging(Func<IEngine> create) : MergeTests(create);
    private sealed class Optimizer(Func<IEngine> create) : OptimizerTests(create);
    private sealed class ThreadCounts(params Func<IEngine>[] engines) : ThreadCountTests(engines);

    private static readonly Dictionary<string, Action<Func<IEngine>>> s_tests = new()
    {
        [nameof(IEngine.Fill)] = create => new Memory(create).Fill_sets_every_element_of_a_view(5),
        [nameof(IEngine.Copy)] = create => new Memory(create).Copy_converts_between_strides_and_types(),
        [nameof(IEngine.WritePages)] = create => new Memory(create).Write_pages_puts_new_rows_at_their_positions(),
        [nameof(IEngine.Add)] = create => new Elementwise(create).Add(),
        [nameof(IEngine.AddScaled)] = create => new Elementwise(create).Add_scaled(),
        [nameof(IEngine.Gelu)] = create => new Elementwise(create).Gelu(),
        [nameof(IEngine.GeluBackward)] = create => new Elementwise(create).Gelu_gradient(false),
        [nameof(IEngine.SwiGlu)] = create => new Elementwise(create).SwiGlu_of_halves_of_one_product(),
        [nameof(IEngine.SwiGluBackward)] = create => new Elementwise(create).SwiGlu_gradient(true, true),
        [nameof(IEngine.Gegelu)] = create => new Elementwise(create).Gegelu_of_halves_of_one_product(),
        [nameof(IEngine.GegeluBackward)] = create => new Elementwise(create).Gegelu_gradient(true, true),
        [nameof(IEngine.RmsNorm)] = create => new Rows(create).Rms_norm(1, 1e-5f),
        [nameof(IEngine.RmsNormBackward)] = create => new Rows(create).Rms_norm_gradient(false, true),
        [nameof(IEngine.AddBias)] = create => new Rows(create).Bias_of_rows(),
        [nameof(IEngine.SumRows)] = create => new Rows(create).Sum_of_rows(true),
        [nameof(IEngine.Center)] = create => new Rows(create).Centre_of_rows(true),
        [nameof(IEngine.Rotary)] = create => new Rows(create).Rotary(false, true),
        [nameof(IEngine.Embedding)] = create => new Rows(create).Embedding(),
        [nameof(IEngine.EmbeddingBackward)] = create => new Rows(create).Embedding_gradient_adds_repeated_ids(true),
        [nameof(IEngine.SoftmaxCrossEntropy)] = create => new Rows(create).Softmax_cross_entropy(1),
        [nameof(IEngine.SoftmaxCrossEntropyBackward)] = create =>
            new Rows(create).Softmax_cross_entropy_gradient(1, false),
        [nameof(IEngine.MatMul)] = create => new Products(create).Every_edge_in_every_dimension(false, true, true),
        [nameof(IEngine.AttentionForward)] = create => new Forward(create).Log_sum_exp_and_its_gradient_are_optional(),
        [nameof(IEngine.AttentionBackward)] = create => new Backward(create).Memory_orders(MemoryOrder.HeadMajor),
        [nameof(IEngine.MergePartitions)] = create => new Merging(create).Random_parts(3),
        [nameof(IEngine.MergePartitionBackward)] = create => new Merging(create).Gradients_of_parts(false),
        [nameof(IEngine.SumOfSquares)] = create => new Optimizer(create).Sum_of_squares(),
        [nameof(IEngine.AdamW)] = create => new Optimizer(create).AdamW(2, 0, 1),
        ["decode"] = create => new Decoding(create).One_query_of_every_sequence("L2 s3"),
        ["merge vector"] = create => new Merging(create).The_reference_vector_whole_and_merged(),
    };

    public static TheoryData<string> Operations => [.. s_tests.Keys];

    [Theory]
    [MemberData(nameof(Operations))]
    public void One_wrong_element_fails(string operation) => AssertFails(operation, BrokenEngine.Nudge);

    [Theory]
    [MemberData(nameof(Operations))]
    public void One_NaN_fails(string operation) => AssertFails(operation, BrokenEngine.Poison);

    [Fact]
    public void Other_bits_on_the_second_run_fail()
    {
        int calls = 0;
        AssertFails(nameof(IEngine.MatMul), tensor =>
        {
            var values = ReferenceEngine.Values(tensor);
            if (calls++ % 2 == 1)
                values[0] += 1e-6; // within the tolerance
            ReferenceEngine.SetValues(tensor, values);
        });
    }

    [Fact]
    public void Other_bits_with_other_threads_fail()
    {
        static void NudgeOneBit(Tensor tensor)
        {
            var values = ReferenceEngine.Values(tensor);
            values[^1] = MathF.BitIncrement((float)values[^1]);
            ReferenceEngine.SetValues(tensor, values);
        }

        static IEngine Right() => new ReferenceEngine();
        new ThreadCounts(Right, Right).Rows_and_their_sums();
        Assert.ThrowsAny<Exception>(() =>
            new ThreadCounts(Right, () => new BrokenEngine(nameof(IEngine.RmsNormBackward), NudgeOneBit))
            .Rows_and_their_sums());
    }

    [Fact]
    public void Missing_gradient_accumulation_fails() => AssertFails(nameof(IEngine.GeluBackward), tensor =>
        ReferenceEngine.SetValues(tensor, new double[tensor.Count]));

    [Fact]
    public void A_shadow_that_is_not_written_fails()
    {
        static void Test(Func<IEngine> create) => new Optimizer(create).AdamW_writes_a_shadow_of_the_parameter();
        Test(() => new ReferenceEngine());
        Assert.ThrowsAny<Exception>(() => Test(() => new BrokenEngine(nameof(AdamWParameter.Shadow),
            shadow => ReferenceEngine.SetValues(shadow, new double[shadow.Count]))));
    }

    [Fact]
    public void The_same_tests_pass_on_the_reference()
    {
        foreach (var test in s_tests.Values)
            test(() => new ReferenceEngine());
    }

    [Fact]
    public void The_message_has_index_values_and_seed()
    {
        var exception = Assert.ThrowsAny<Exception>(() =>
            MaximumError.AssertWithin(new Tolerance(0.1), "sum", new Shape(2, 3), [1, 2, 3, 4, 5, 6],
            [1, 2, 3, 4, 5.5, 6.2]));
        Assert.Contains("[1, 1]", exception.Message);
        Assert.Contains("expected 5, got 5.5", exception.Message);
        Assert.Contains($"S2_SEED={Seeds.Current}", exception.Message);
    }

    [Fact]
    public void Maximum_error_treats_NaN_and_infinity_as_the_contract_says()
    {
        const double inf = double.PositiveInfinity;
        Assert.Equal(0, MaximumError.Of([-inf, inf, 1], [-inf, inf, 1]).Error);
        Assert.Equal(inf, MaximumError.Of([inf], [-inf]).Error);
        Assert.Equal(inf, MaximumError.Of([0], [double.NaN]).Error);
        Assert.Equal(inf, MaximumError.Of([double.NaN], [double.NaN]).Error);
        Assert.Equal(0.01, MaximumError.Of([100], [101], isRelative: true).Error, 1e-15);
        Assert.Equal(0, MaximumError.Of([], []).Error);
    }

    private static void AssertFails(string operation, Action<Tensor> spoil)
    {
        string broken = operation switch { "decode" => nameof(IEngine.AttentionForward), "merge vector" =>
            nameof(IEngine.MergePartitions), _ => operation };
        Assert.ThrowsAny<Exception>(() => s_tests[operation](() => new BrokenEngine(broken, spoil)));
    }
}
