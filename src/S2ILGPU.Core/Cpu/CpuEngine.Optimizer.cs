using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Optimizer;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cpu;

public sealed unsafe partial class CpuEngine
{
    /// <inheritdoc/>
    public void SumOfSquares(IReadOnlyList<IReadOnlyList<Tensor>> lists, Tensor results)
    {
        if (results.Count != lists.Count)
            throw new ShapeException(nameof(SumOfSquares), nameof(results), $"of {lists.Count} elements",
                results.Shape.ToString());
        for (int i = 0; i < lists.Count; i++)
        {
            double sum = 0;
            for (int t = 0; t < lists[i].Count; t++)
                sum += SumOfSquares(lists[i][t]);
            CpuTensors.Floats(results)[i] = (float)sum;
        }
    }

    /// <inheritdoc/>
    public void AdamW(in AdamWArguments arguments)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(arguments.Step, 1);
        // By index: the enumerator of a list allocates.
        var parameters = arguments.Parameters;
        for (int p = 0; p < parameters.Count; p++)
            parameters[p].ThrowUnlessOneShape();
        for (int p = 0; p < parameters.Count; p++)
            RunElementwise(new AdamWOperation(arguments, parameters[p]), parameters[p].Value.Count);
    }

    private double SumOfSquares(Tensor x)
    {
        int chunks = checked((int)((x.Count + SumOfSquaresKernel.Grain - 1) / SumOfSquaresKernel.Grain));
        using var partials = _memory.Borrow((long)chunks * sizeof(double));
        _runner.Run(new SumOfSquaresKernel(CpuTensors.Floats(x), partials.Doubles), x.Count, SumOfSquaresKernel.Grain);
        double sum = 0;
        for (int chunk = 0; chunk < chunks; chunk++)
            sum += partials.Doubles[chunk];
        return sum;
    }
}
