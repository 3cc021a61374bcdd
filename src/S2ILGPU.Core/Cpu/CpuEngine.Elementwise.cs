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
        if (IsShort(a))
            Add<StoredBFloat16>(a, b, sum);
        else
            Add<StoredSingle>(a, b, sum);
    }

    /// <inheritdoc/>
    public void AddScaled(Tensor x, float factor, Tensor accumulator)
    {
        ShapeException.ThrowUnless(nameof(AddScaled), nameof(accumulator), accumulator, x.Shape);
        if (IsShort(x))
            AddScaled<StoredBFloat16>(x, factor, accumulator);
        else
            AddScaled<StoredSingle>(x, factor, accumulator);
    }

    /// <inheritdoc/>
    public void Gelu(Tensor x, Tensor y)
    {
        ShapeException.ThrowUnless(nameof(Gelu), nameof(y), y, x.Shape);
        if (IsShort(x))
            Gelu<StoredBFloat16>(x, y);
        else
            Gelu<StoredSingle>(x, y);
    }

    /// <inheritdoc/>
    public void GeluBackward(Tensor x, Tensor dy, GradientTarget dx)
    {
        if (dx.Tensor is null)
            return;
        ShapeException.ThrowUnless(nameof(GeluBackward), nameof(dy), dy, x.Shape);
        ShapeException.ThrowUnless(nameof(GeluBackward), nameof(dx), dx.Tensor, x.Shape);
        if (IsShort(x))
            GeluBackward<StoredBFloat16>(x, dy, dx.Tensor, dx.Accumulate);
        else
            GeluBackward<StoredSingle>(x, dy, dx.Tensor, dx.Accumulate);
    }

    /// <inheritdoc/>
    public void SwiGlu(Tensor gate, Tensor up, Tensor y)
    {
        ShapeException.ThrowUnless(nameof(SwiGlu), nameof(up), up, gate.Shape);
        ShapeException.ThrowUnless(nameof(SwiGlu), nameof(y), y, gate.Shape);
        if (IsShort(gate))
            SwiGlu<StoredBFloat16>(gate, up, y);
        else
            SwiGlu<StoredSingle>(gate, up, y);
    }

    /// <inheritdoc/>
    public void SwiGluBackward(Tensor gate, Tensor up, Tensor dy, GradientTarget dgate, GradientTarget dup)
    {
        ShapeException.ThrowUnless(nameof(SwiGluBackward), nameof(up), up, gate.Shape);
        ShapeException.ThrowUnless(nameof(SwiGluBackward), nameof(dy), dy, gate.Shape);
        CheckTarget(nameof(SwiGluBackward), nameof(dgate), dgate, gate.Shape);
        CheckTarget(nameof(SwiGluBackward), nameof(dup), dup, gate.Shape);
        if (IsShort(gate))
            SwiGluBackward<StoredBFloat16>(gate, up, dy, dgate, dup);
        else
            SwiGluBackward<StoredSingle>(gate, up, dy, dgate, dup);
    }

    /// <inheritdoc/>
    public void Gegelu(Tensor gate, Tensor up, float limit, Tensor y)
    {
        ShapeException.ThrowUnless(nameof(Gegelu), nameof(up), up, gate.Shape);
        ShapeException.ThrowUnless(nameof(Gegelu), nameof(y), y, gate.Shape);
        if (IsShort(gate))
            Gegelu<StoredBFloat16>(gate, up, limit, y);
        else
            Gegelu<StoredSingle>(gate, up, limit, y);
    }

    /// <inheritdoc/>
    public void GegeluBackward(Tensor gate, Tensor up, float limit, Tensor dy, GradientTarget dgate,
        GradientTarget dup)
    {
        ShapeException.ThrowUnless(nameof(GegeluBackward), nameof(up), up, gate.Shape);
        ShapeException.ThrowUnless(nameof(GegeluBackward), nameof(dy), dy, gate.Shape);
        CheckTarget(nameof(GegeluBackward), nameof(dgate), dgate, gate.Shape);
        CheckTarget(nameof(GegeluBackward), nameof(dup), dup, gate.Shape);
        if (IsShort(gate))
            GegeluBackward<StoredBFloat16>(gate, up, limit, dy, dgate, dup);
        else
            GegeluBackward<StoredSingle>(gate, up, limit, dy, dgate, dup);
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
            ElementwiseKernel<FillOperation>.Grain);
        return count;
    }

    private void Add<TStored>(Tensor a, Tensor b, Tensor sum) where TStored : unmanaged, IStoredValue<TStored> =>
        RunElementwise(new AddOperation<TStored>(CpuTensors.Values<TStored>(a), CpuTensors.Values<TStored>(b),
            CpuTensors.Values<TStored>(sum)), a.Count);

    private void AddScaled<TStored>(Tensor x, float factor, Tensor accumulator)
        where TStored : unmanaged, IStoredValue<TStored> =>
        RunElementwise(new AddScaledOperation<TStored>(CpuTensors.Values<TStored>(x), factor,
            CpuTensors.Values<TStored>(accumulator)), x.Count);

    private void Gelu<TStored>(Tensor x, Tensor y) where TStored : unmanaged, IStoredValue<TStored> =>
        RunElementwise(new GeluOperation<TStored>(CpuTensors.Values<TStored>(x), CpuTensors.Values<TStored>(y)),
            x.Count);

    private void GeluBackward<TStored>(Tensor x, Tensor dy, Tensor dx, bool accumulate)
        where TStored : unmanaged, IStoredValue<TStored> =>
        RunElementwise(new GeluBackwardOperation<TStored>(CpuTensors.Values<TStored>(x),
            CpuTensors.Values<TStored>(dy), CpuTensors.Values<TStored>(dx), accumulate), x.Count);

    private void SwiGlu<TStored>(Tensor gate, Tensor up, Tensor y) where TStored : unmanaged, IStoredValue<TStored>
    {
        var type = TStored.ElementType;
        var rows = CpuTensors.RowsOf(y, type);
        _runner.Run(new SwiGluKernel<TStored>(CpuTensors.RowsOf(gate, type), CpuTensors.RowsOf(up, type), rows),
            rows.Count, RowGrain(rows.Columns));
    }

    private void SwiGluBackward<TStored>(Tensor gate, Tensor up, Tensor dy, GradientTarget dgate, GradientTarget dup)
        where TStored : unmanaged, IStoredValue<TStored>
    {
        var type = TStored.ElementType;
        var rows = CpuTensors.RowsOf(dy, type);
        var kernel = new SwiGluBackwardKernel<TStored>(CpuTensors.RowsOf(gate, type), CpuTensors.RowsOf(up, type),
            rows, RowTarget.Of(dgate, type), RowTarget.Of(dup, type));
        _runner.Run(kernel, rows.Count, RowGrain(rows.Columns));
    }

    private void Gegelu<TStored>(Tensor gate, Tensor up, float limit, Tensor y)
        where TStored : unmanaged, IStoredValue<TStored>
    {
        var type = TStored.ElementType;
        var rows = CpuTensors.RowsOf(y, type);
        _runner.Run(new GegeluKernel<TStored>(CpuTensors.RowsOf(gate, type), CpuTensors.RowsOf(up, type), limit, rows),
            rows.Count, RowGrain(rows.Columns));
    }

    private void GegeluBackward<TStored>(Tensor gate, Tensor up, float limit, Tensor dy, GradientTarget dgate,
        GradientTarget dup) where TStored : unmanaged, IStoredValue<TStored>
    {
        var type = TStored.ElementType;
        var rows = CpuTensors.RowsOf(dy, type);
        var kernel = new GegeluBackwardKernel<TStored>(CpuTensors.RowsOf(gate, type), CpuTensors.RowsOf(up, type),
            limit, rows, RowTarget.Of(dgate, type), RowTarget.Of(dup, type));
        _runner.Run(kernel, rows.Count, RowGrain(rows.Columns));
    }

    // Activations are Float32 or BFloat16. Everything that an operation does not take in the type of its first operand
    // is refused where addresses are taken.
    private static bool IsShort(Tensor activations) => activations.ElementType == ElementType.BFloat16;

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
