using ILGPU;
using S2ILGPU.Engines;
using S2ILGPU.Kernels.Optimizer;
using S2ILGPU.Tensors;

namespace S2ILGPU;

public sealed partial class IlgpuEngine
{
    /// <inheritdoc/>
    /// <remarks>A sum of float32 squares that keeps what its additions round away: about double precision, on devices
    /// without doubles too.</remarks>
    public unsafe void SumOfSquares(Tensor x, Tensor result, bool accumulate)
    {
        CheckCount(nameof(SumOfSquares), nameof(result), result, 1);
        var (values, total) = (_tensors.Floats(x), _tensors.Floats(result));
        var (groups, threads) = _queue.ElementGroups(Math.Max(1, x.Count));
        var scratch = _queue.Memory.Rent((long)groups * sizeof(CompensatedSum));
        var partials = scratch.Words.Cast<CompensatedSum>().SubView(0, groups);
        _queue.Launch(SumOfSquaresKernel.Partials, new Index3D(groups, 1, 1), threads,
            new SumOfSquaresArguments { X = values, Partials = partials });
        _queue.Launch(SumOfSquaresKernel.Total, new Index3D(1, 1, 1), SumOfSquaresKernel.TotalThreads,
            new TotalArguments { Partials = partials, Result = total, Accumulate = accumulate ? 1 : 0 });
        _queue.Memory.Return(scratch);
    }

    /// <inheritdoc/>
    public void AdamW(in AdamWArguments arguments)
    {
        var a = arguments;
        var shape = a.Parameter.Shape;
        ShapeException.ThrowUnless(nameof(AdamW), nameof(a.Gradient), a.Gradient, shape);
        ShapeException.ThrowUnless(nameof(AdamW), nameof(a.FirstMoment), a.FirstMoment, shape);
        ShapeException.ThrowUnless(nameof(AdamW), nameof(a.SecondMoment), a.SecondMoment, shape);
        ArgumentOutOfRangeException.ThrowIfLessThan(a.Step, 1);
        _queue.LaunchElements(new AdamWOperation
        {
            Parameter = _tensors.Floats(a.Parameter),
            Gradient = _tensors.Floats(a.Gradient),
            FirstMoment = _tensors.Floats(a.FirstMoment),
            SecondMoment = _tensors.Floats(a.SecondMoment),
            GradientScale = a.GradientScale,
            Beta1 = a.Beta1,
            Beta2 = a.Beta2,
            NewFirst = (float)(1 - (double)a.Beta1),
            NewSecond = (float)(1 - (double)a.Beta2),
            Step = (float)(a.LearningRate / (1 - Math.Pow(a.Beta1, a.Step))),
            SecondCorrection = (float)(1 / (1 - Math.Pow(a.Beta2, a.Step))),
            Epsilon = a.Epsilon,
            Keep = (float)(1 - (double)a.LearningRate * a.WeightDecay),
        });
        if (a.Shadow is { } shadow)
            Copy(a.Parameter, shadow);
    }
}
