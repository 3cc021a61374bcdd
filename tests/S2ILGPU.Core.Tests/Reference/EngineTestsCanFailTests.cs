using S2ILGPU.Backends;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Reference;

/// <summary>Each engine test fails for an engine that is wrong in one element of one result.</summary>
public sealed class EngineTestsCanFailTests
{
    // Not public, so that the runner does not find them.
    private sealed class Memory(Func<IBackend> create) : MemoryTests(create);
    private sealed class Elementwise(Func<IBackend> create) : ElementwiseTests(create);
    private sealed class Rows(Func<IBackend> create) : RowTests(create);
    private sealed class Products(Func<IBackend> create) : MatMulTests(create);
    private sealed class Forward(Func<IBackend> create) : AttentionForwardTests(create);
    private sealed class Backward(Func<IBackend> create) : AttentionBackwardTests(create);
    private sealed class Decoding(Func<IBackend> create) : DecodeTests(create);
    private sealed class Merging(Func<IBackend> create) : MergeTests(create);
    private sealed class Optimizer(Func<IBackend> create) : OptimizerTests(create);
    private sealed class ThreadCounts(params Func<IBackend>[] engines) : ThreadCountTests(engines);

    private static readonly Dictionary<string, Action<Func<IBackend>>> s_tests = new()
    {
        [nameof(IBackend.Fill)] = create => new Memory(create).FillSetsEveryElementOfAView(5),
        [nameof(IBackend.Copy)] = create => new Memory(create).CopyConvertsBetweenStridesAndTypes(),
        [nameof(IBackend.WritePages)] = create => new Memory(create).WritePagesPutsNewRowsAtTheirPositions(),
        [nameof(IBackend.Add)] = create => new Elementwise(create).Add(),
        [nameof(IBackend.AddScaled)] = create => new Elementwise(create).AddScaled(),
        [nameof(IBackend.Gelu)] = create => new Elementwise(create).Gelu(),
        [nameof(IBackend.GeluBackward)] = create => new Elementwise(create).GeluGradient(false),
        [nameof(IBackend.SwiGlu)] = create => new Elementwise(create).SwiGluOfHalvesOfOneProduct(),
        [nameof(IBackend.SwiGluBackward)] = create => new Elementwise(create).SwiGluGradient(true, true),
        [nameof(IBackend.RmsNorm)] = create => new Rows(create).RmsNorm(1, 1e-5f),
        [nameof(IBackend.RmsNormBackward)] = create => new Rows(create).RmsNormGradient(false, true),
        [nameof(IBackend.Rotary)] = create => new Rows(create).Rotary(false, true),
        [nameof(IBackend.Embedding)] = create => new Rows(create).Embedding(),
        [nameof(IBackend.EmbeddingBackward)] = create => new Rows(create).EmbeddingGradientAddsRepeatedIds(true),
        [nameof(IBackend.SoftmaxCrossEntropy)] = create => new Rows(create).SoftmaxCrossEntropy(1),
        [nameof(IBackend.SoftmaxCrossEntropyBackward)] = create => new Rows(create).SoftmaxCrossEntropyGradient(1, false),
        [nameof(IBackend.MatMul)] = create => new Products(create).EveryEdgeInEveryDimension(false, true, true),
        [nameof(IBackend.AttentionForward)] = create => new Forward(create).LogSumExpAndItsGradientAreOptional(),
        [nameof(IBackend.AttentionBackward)] = create => new Backward(create).MemoryOrders(MemoryOrder.HeadMajor),
        [nameof(IBackend.MergePartitions)] = create => new Merging(create).RandomParts(3),
        [nameof(IBackend.SumOfSquares)] = create => new Optimizer(create).SumOfSquares(false),
        [nameof(IBackend.AdamW)] = create => new Optimizer(create).AdamW(2, 0, 1),
        ["decode"] = create => new Decoding(create).OneQueryOfEverySequence("L2 s3"),
        ["merge vector"] = create => new Merging(create).TheReferenceVectorWholeAndMerged(),
    };

    public static TheoryData<string> Operations => [.. s_tests.Keys];

    [Theory]
    [MemberData(nameof(Operations))]
    public void OneWrongElementFails(string operation) => AssertFails(operation, BrokenBackend.Nudge);

    [Theory]
    [MemberData(nameof(Operations))]
    public void OneNaNFails(string operation) => AssertFails(operation, BrokenBackend.Poison);

    [Fact]
    public void OtherBitsOnTheSecondRunFail()
    {
        int calls = 0;
        AssertFails(nameof(IBackend.MatMul), tensor =>
        {
            var values = ReferenceBackend.Values(tensor);
            if (calls++ % 2 == 1)
                values[0] += 1e-6; // within the tolerance
            ReferenceBackend.SetValues(tensor, values);
        });
    }

    [Fact]
    public void OtherBitsWithOtherThreadsFail()
    {
        static void NudgeOneBit(Tensor tensor)
        {
            var values = ReferenceBackend.Values(tensor);
            values[^1] = MathF.BitIncrement((float)values[^1]);
            ReferenceBackend.SetValues(tensor, values);
        }

        static IBackend Right() => new ReferenceBackend();
        new ThreadCounts(Right, Right).RowsAndTheirSums();
        Assert.ThrowsAny<Exception>(() => new ThreadCounts(Right, () => new BrokenBackend(nameof(IBackend.RmsNormBackward), NudgeOneBit)).RowsAndTheirSums());
    }

    [Fact]
    public void MissingGradientAccumulationFails() => AssertFails(nameof(IBackend.GeluBackward), tensor =>
        ReferenceBackend.SetValues(tensor, new double[tensor.Count]));

    [Fact]
    public void TheSameTestsPassOnTheReference()
    {
        foreach (var test in s_tests.Values)
            test(() => new ReferenceBackend());
    }

    [Fact]
    public void TheMessageHasIndexValuesAndSeed()
    {
        var exception = Assert.ThrowsAny<Exception>(() => MaximumError.AssertWithin(new Tolerance(0.1), "sum", new Shape(2, 3), [1, 2, 3, 4, 5, 6],
            [1, 2, 3, 4, 5.5, 6.2]));
        Assert.Contains("[1, 1]", exception.Message);
        Assert.Contains("expected 5, got 5.5", exception.Message);
        Assert.Contains($"S2_SEED={Seeds.Current}", exception.Message);
    }

    [Fact]
    public void MaximumErrorTreatsNaNAndInfinityAsTheContractSays()
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
        string broken = operation switch { "decode" => nameof(IBackend.AttentionForward), "merge vector" => nameof(IBackend.MergePartitions), _ => operation };
        Assert.ThrowsAny<Exception>(() => s_tests[operation](() => new BrokenBackend(broken, spoil)));
    }
}
