using ILGPU;
using S2ILGPU.Engines;
using S2ILGPU.Kernels;
using S2ILGPU.Kernels.Optimizer;
using S2ILGPU.Queue;
using S2ILGPU.Tensors;

namespace S2ILGPU;

public sealed partial class IlgpuEngine
{
    /// <inheritdoc/>
    /// <remarks>A sum of float32 squares that keeps what its additions round away: about double precision, on devices
    /// without doubles too.</remarks>
    public unsafe void SumOfSquares(IReadOnlyList<IReadOnlyList<Tensor>> lists, Tensor results)
    {
        CheckCount(nameof(SumOfSquares), nameof(results), results, lists.Count);
        var inputs = new List<ArrayView<float>>();
        int groups = 0;
        int[] first = new int[lists.Count + 1]; // group of each list
        for (int n = 0; n < lists.Count; n++)
        {
            foreach (var x in lists[n].Where(x => x.Count > 0))
            {
                inputs.Add(_tensors.Floats(x));
                groups += Groups(x.Count, SumOfSquaresKernel.Chunk);
            }
            first[n + 1] = groups;
        }
        var scratch = _queue.Memory.Rent((long)groups * sizeof(CompensatedSum));
        var partials = scratch.Words.Cast<CompensatedSum>().SubView(0, groups);
        if (_queue.TakesLargeArguments)
            LaunchPartials<ThirtyTwo<ArrayView<float>>>(inputs, partials);
        else
            LaunchPartials<Four<ArrayView<float>>>(inputs, partials);
        using var firsts = new HostCopy<int>(_queue, first);
        _queue.Launch(SumOfSquaresKernel.Totals, new Index3D(lists.Count, 1, 1), _queue.ElementThreads,
            new TotalsArguments { Partials = partials, First = firsts.View, Results = _tensors.Floats(results) });
        _queue.Memory.Return(scratch);
    }

    /// <inheritdoc/>
    public void AdamW(in AdamWArguments arguments)
    {
        var a = arguments;
        ArgumentOutOfRangeException.ThrowIfLessThan(a.Step, 1);
        var type = a.Parameters.Select(p => p.Shadow?.ElementType).FirstOrDefault(t => t is not null) ?? FloatType;
        var updates = new List<ParameterUpdate>(a.Parameters.Count);
        foreach (var parameter in a.Parameters)
        {
            parameter.ThrowUnlessOneShape();
            if (parameter.Value.Count > 0)
                updates.Add(UpdateOf(parameter, type, (float)(1 - (double)a.LearningRate * parameter.WeightDecay)));
        }
        var factors = new AdamWFactors
        {
            GradientScale = a.GradientScale,
            Beta1 = a.Beta1,
            Beta2 = a.Beta2,
            NewFirst = (float)(1 - (double)a.Beta1),
            NewSecond = (float)(1 - (double)a.Beta2),
            Step = (float)(a.LearningRate / (1 - Math.Pow(a.Beta1, a.Step))),
            SecondCorrection = (float)(1 / (1 - Math.Pow(a.Beta2, a.Step))),
            Epsilon = a.Epsilon,
        };
        if (_queue.TakesLargeArguments)
            LaunchUpdates<ThirtyTwo<ParameterUpdate>>(updates, type, factors);
        else
            LaunchUpdates<Four<ParameterUpdate>>(updates, type, factors);
    }

    private void LaunchPartials<TList>(List<ArrayView<float>> inputs, ArrayView<CompensatedSum> partials)
        where TList : struct, ITensorList<ArrayView<float>>
    {
        var lists = TensorList.Cut<ArrayView<float>, TList>(inputs, x => Groups(x.Length, SumOfSquaresKernel.Chunk));
        long first = 0;
        foreach (var (list, groups) in lists)
        {
            _queue.Launch(SumOfSquaresKernel.Partials, new Index3D(groups, 1, 1), _queue.ElementThreads,
                new SumOfSquaresArguments<TList> { Tensors = list, Partials = partials.SubView(first, groups) });
            first += groups;
        }
    }

    private void LaunchUpdates<TList>(List<ParameterUpdate> updates, ElementType shadows, AdamWFactors factors)
        where TList : struct, ITensorList<ParameterUpdate>
    {
        var kernel = DeviceQueue.StoredKernel<AdamWArguments<TList>>(shadows, AdamWKernel.Run<TList, StoredSingle>,
            AdamWKernel.Run<TList, StoredBFloat16>, AdamWKernel.Run<TList, StoredHalf>);
        var lists = TensorList.Cut<ParameterUpdate, TList>(updates,
            p => Groups(p.Parameter.Length, AdamWKernel.Chunk));
        foreach (var (list, groups) in lists)
            _queue.Launch(kernel, new Index3D(groups, 1, 1), _queue.ElementThreads,
                new AdamWArguments<TList> { Parameters = list, Factors = factors });
    }

    private ParameterUpdate UpdateOf(in AdamWParameter p, ElementType shadows, float keep)
    {
        var shadow = p.Shadow is { } rounded ? FlatOf(rounded, shadows) : default;
        Tensor[] tensors = p.Shadow is null ? [p.Value, p.Gradient, p.FirstMoment, p.SecondMoment]
            : [p.Value, p.Gradient, p.FirstMoment, p.SecondMoment, p.Shadow];
        return new ParameterUpdate
        {
            Parameter = _tensors.Floats(p.Value).Cast<int>(),
            Gradient = _tensors.Floats(p.Gradient).Cast<int>(),
            FirstMoment = _tensors.Floats(p.FirstMoment).Cast<int>(),
            SecondMoment = _tensors.Floats(p.SecondMoment).Cast<int>(),
            Shadow = shadow.Words,
            ShadowOffset = shadow.Offset,
            Keep = keep,
            IsAligned = tensors.All(tensor => tensor.OffsetElements % Quad.Count == 0) ? 1 : 0,
        };
    }

    private static int Groups(long count, int chunk) => checked((int)((count + chunk - 1) / chunk));
}
