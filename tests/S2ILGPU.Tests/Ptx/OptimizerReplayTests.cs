using ILGPU;
using S2ILGPU.Kernels;
using S2ILGPU.Kernels.Optimizer;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Tests.Ptx;

/// <summary>The PTX of the optimizer's kernels over lists of tensors does what their C# does.</summary>
public sealed class OptimizerReplayTests : IDisposable
{
    private readonly Random _random = Seeds.NewRandom();
    private readonly PtxReplay _replay = new();

    public void Dispose() => _replay.Dispose();

    [Fact]
    public void Sum_of_squares()
    {
        Partials<Four<ArrayView<float>>>(3);
        Partials<ThirtyTwo<ArrayView<float>>>(21);
        var partials = Enumerable.Range(0, 37)
            .Select(n => new CompensatedSum { Sum = n * 1e6f, Lost = n * 1e-2f }).ToArray();
        foreach (int threads in (int[])[16, 64])
            _replay.Run(SumOfSquaresKernel.Totals, new Index3D(3, 1, 1), threads, new TotalsArguments
            {
                Partials = _replay.View(partials),
                First = _replay.View(0, 30, 30, 37),
                Results = _replay.Output(3),
            });
    }

    [Fact]
    public void AdamW()
    {
        Step<Four<ParameterUpdate>, StoredBFloat16>(3);
        Step<ThirtyTwo<ParameterUpdate>, StoredHalf>(21);
        Step<ThirtyTwo<ParameterUpdate>, StoredSingle>(32);
    }

    // One tensor of two groups among short ones.
    private int Length(int n) => n == 1 ? SumOfSquaresKernel.Chunk + 5 : 1 + _random.Next(90);

    private static int Groups(long length) => (int)((length - 1) / SumOfSquaresKernel.Chunk) + 1;

    private void Partials<TList>(int count) where TList : struct, ITensorList<ArrayView<float>>
    {
        var tensors = Enumerable.Range(0, count).Select(n => _replay.Normal(_random, Length(n)));
        var (list, groups) = TensorList.Cut<ArrayView<float>, TList>(tensors, x => Groups(x.Length)).Single();
        Assert.Equal(count + 1, groups);
        _replay.Run(SumOfSquaresKernel.Partials, new Index3D(groups, 1, 1), 64, new SumOfSquaresArguments<TList>
        {
            Tensors = list,
            Partials = _replay.View(new CompensatedSum[groups]),
        });
    }

    private void Step<TList, TStored>(int count)
        where TList : struct, ITensorList<ParameterUpdate>
        where TStored : struct, IStoredElement
    {
        var updates = Enumerable.Range(0, count).Select(n => Update<TStored>(Length(n), n % 3 != 1));
        var (list, groups) = TensorList.Cut<ParameterUpdate, TList>(updates, p => Groups(p.Parameter.Length)).Single();
        _replay.Run(AdamWKernel.Run<TList, TStored>, new Index3D(groups, 1, 1), 64, new AdamWArguments<TList>
        {
            Parameters = list,
            Factors = new AdamWFactors
            {
                GradientScale = 0.5f,
                Beta1 = 0.9f,
                Beta2 = 0.95f,
                NewFirst = 0.1f,
                NewSecond = 0.05f,
                Step = 0.02f,
                SecondCorrection = 1.5f,
                Epsilon = 1e-8f,
            },
        });
    }

    private ParameterUpdate Update<TStored>(int count, bool hasShadow) where TStored : struct, IStoredElement
    {
        ArrayView<int> Values() => _replay.Computed<StoredSingle>(_replay.Words<StoredSingle>(_random, count));
        int offset = _random.Next(2);
        return new ParameterUpdate
        {
            Parameter = Values(),
            Gradient = Values(),
            FirstMoment = Values(),
            SecondMoment = _replay.Computed<StoredSingle>(_replay.View([.. Enumerable.Range(0, count)
                .Select(n => BitConverter.SingleToInt32Bits(n % 100 * 0.01f))])),
            Shadow = hasShadow ? _replay.Computed<TStored>(_replay.Words<TStored>(_random, offset + count))
                : ArrayView<int>.Empty,
            ShadowOffset = offset,
            Keep = 0.99f,
            IsAligned = offset == 0 ? 1 : 0,
        };
    }
}
