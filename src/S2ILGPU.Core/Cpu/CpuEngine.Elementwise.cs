using S2ILGPU.Cpu.Elementwise;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cpu;

public sealed unsafe partial class CpuEngine
{
    /// <inheritdoc/>
    public void Add(Tensor a, Tensor b, Tensor sum)
    {
        ShapeException.ThrowUnless(nameof(Add), nameof(b), b, a.Shape);
        ShapeException.ThrowUnless(nameof(Add), nameof(sum), sum, a.Shape);
        RunElementwise(new AddOperation(CpuTensors.Floats(a), CpuTensors.Floats(b), CpuTensors.Floats(sum)), a.Count);
    }

    /// <inheritdoc/>
    public void AddScaled(Tensor x, float factor, Tensor accumulator)
    {
        ShapeException.ThrowUnless(nameof(AddScaled), nameof(accumulator), accumulator, x.Shape);
        RunElementwise(new AddScaledOperation(CpuTensors.Floats(x), factor, CpuTensors.Floats(accumulator)), x.Count);
    }

    /// <inheritdoc/>
    public void Gelu(Tensor x, Tensor y)
    {
        ShapeException.ThrowUnless(nameof(Gelu), nameof(y), y, x.Shape);
        RunElementwise(new GeluOperation(CpuTensors.Floats(x), CpuTensors.Floats(y)), x.Count);
    }

    /// <inheritdoc/>
    public void GeluBackward(Tensor x, Tensor dy, GradientTarget dx)
    {
        if (dx.Tensor is null)
            return;
        ShapeException.ThrowUnless(nameof(GeluBackward), nameof(dy), dy, x.Shape);
        ShapeException.ThrowUnless(nameof(GeluBackward), nameof(dx), dx.Tensor, x.Shape);
        RunElementwise(new GeluBackwardOperation(CpuTensors.Floats(x), CpuTensors.Floats(dy),
            CpuTensors.Floats(dx.Tensor), dx.Accumulate), x.Count);
    }

    /// <inheritdoc/>
    public void SwiGlu(Tensor gate, Tensor up, Tensor y)
    {
        ShapeException.ThrowUnless(nameof(SwiGlu), nameof(up), up, gate.Shape);
        ShapeException.ThrowUnless(nameof(SwiGlu), nameof(y), y, gate.Shape);
        var rows = CpuTensors.RowsOf(y);
        _runner.Run(new SwiGluKernel(CpuTensors.RowsOf(gate), CpuTensors.RowsOf(up), rows), rows.Count,
            RowGrain(rows.Columns));
    }

    /// <inheritdoc/>
    public void SwiGluBackward(Tensor gate, Tensor up, Tensor dy, GradientTarget dgate, GradientTarget dup)
    {
        ShapeException.ThrowUnless(nameof(SwiGluBackward), nameof(up), up, gate.Shape);
        ShapeException.ThrowUnless(nameof(SwiGluBackward), nameof(dy), dy, gate.Shape);
        CheckTarget(nameof(SwiGluBackward), nameof(dgate), dgate, gate.Shape);
        CheckTarget(nameof(SwiGluBackward), nameof(dup), dup, gate.Shape);
        var rows = CpuTensors.RowsOf(dy);
        var kernel = new SwiGluBackwardKernel(CpuTensors.RowsOf(gate), CpuTensors.RowsOf(up), rows, RowTarget.Of(dgate),
            RowTarget.Of(dup));
        _runner.Run(kernel, rows.Count, RowGrain(rows.Columns));
    }

    /// <inheritdoc/>
    public long CountNonFinite(Tensor x)
    {
        if (x.ElementType != ElementType.Float32 || !x.IsContiguous)
        {
            using var dense = Allocate(x.Shape, ElementType.Float32);
            Copy(x, dense);
            return CountNonFinite(dense);
        }
        long count = 0;
        _runner.Run(new CountNonFiniteKernel(CpuTensors.Floats(x), &count), x.Count,
            ElementwiseKernel<AddOperation>.Grain);
        return count;
    }

    private static void CheckTarget(string operation, string argument, GradientTarget target, Shape expected)
    {
        if (target.Tensor is not null)
            ShapeException.ThrowUnless(operation, argument, target.Tensor, expected);
    }

    /// <summary>Rows per chunk: enough work to be worth handing out, whatever the number of threads.</summary>
    private static long RowGrain(long rowElements) => Math.Max(1, 16 * 1024 / Math.Max(1, rowElements));

    private void RunElementwise<TOperation>(in TOperation operation, long count)
        where TOperation : struct, IElementwiseOperation =>
        _runner.Run(new ElementwiseKernel<TOperation>(operation), count, ElementwiseKernel<TOperation>.Grain);
}
