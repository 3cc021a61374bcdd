using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Optimizer;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cpu;

public sealed unsafe partial class CpuEngine
{
    /// <inheritdoc/>
    public void SumOfSquares(Tensor x, Tensor result, bool accumulate)
    {
        if (result.Count != 1)
            throw new ShapeException(nameof(SumOfSquares), nameof(result), "one element", result.Shape.ToString());
        int chunks = checked((int)((x.Count + SumOfSquaresKernel.Grain - 1) / SumOfSquaresKernel.Grain));
        using var partials = _memory.Borrow((long)chunks * sizeof(double));
        _runner.Run(new SumOfSquaresKernel(CpuTensors.Floats(x), partials.Doubles), x.Count, SumOfSquaresKernel.Grain);
        float* target = CpuTensors.Floats(result);
        double sum = accumulate ? *target : 0;
        for (int chunk = 0; chunk < chunks; chunk++)
            sum += partials.Doubles[chunk];
        *target = (float)sum;
    }

    /// <inheritdoc/>
    public void AdamW(in AdamWArguments arguments)
    {
        var shape = arguments.Parameter.Shape;
        ShapeException.ThrowUnless(nameof(AdamW), nameof(arguments.Gradient), arguments.Gradient, shape);
        ShapeException.ThrowUnless(nameof(AdamW), nameof(arguments.FirstMoment), arguments.FirstMoment, shape);
        ShapeException.ThrowUnless(nameof(AdamW), nameof(arguments.SecondMoment), arguments.SecondMoment, shape);
        if (arguments.Shadow is { } shadow)
            ShapeException.ThrowUnless(nameof(AdamW), nameof(arguments.Shadow), shadow, shape);
        ArgumentOutOfRangeException.ThrowIfLessThan(arguments.Step, 1);
        RunElementwise(new AdamWOperation(arguments), shape.Count);
    }
}
