using ILGPU;
using S2ILGPU.Engines;
using S2ILGPU.Kernels;
using S2ILGPU.Kernels.Elementwise;
using S2ILGPU.Queue;
using S2ILGPU.Tensors;

namespace S2ILGPU;

public sealed partial class IlgpuEngine
{
    /// <inheritdoc/>
    public void Add(Tensor a, Tensor b, Tensor sum)
    {
        ShapeException.ThrowUnless(nameof(Add), nameof(b), b, a.Shape);
        ShapeException.ThrowUnless(nameof(Add), nameof(sum), sum, a.Shape);
        _queue.LaunchElements(new AddOperation { A = _tensors.Floats(a), B = _tensors.Floats(b),
            Sum = _tensors.Floats(sum) });
    }

    /// <inheritdoc/>
    public void AddScaled(Tensor x, float factor, Tensor accumulator)
    {
        ShapeException.ThrowUnless(nameof(AddScaled), nameof(accumulator), accumulator, x.Shape);
        _queue.LaunchElements(new AddScaledOperation { X = _tensors.Floats(x), Factor = factor,
            Accumulator = _tensors.Floats(accumulator) });
    }

    /// <inheritdoc/>
    public void Gelu(Tensor x, Tensor y)
    {
        ShapeException.ThrowUnless(nameof(Gelu), nameof(y), y, x.Shape);
        _queue.LaunchElements(new GeluOperation { X = _tensors.Floats(x), Y = _tensors.Floats(y) });
    }

    /// <inheritdoc/>
    public void GeluBackward(Tensor x, Tensor dy, GradientTarget dx)
    {
        if (dx.Tensor is null)
            return;
        ShapeException.ThrowUnless(nameof(GeluBackward), nameof(dy), dy, x.Shape);
        ShapeException.ThrowUnless(nameof(GeluBackward), nameof(dx), dx.Tensor, x.Shape);
        _queue.LaunchElements(new GeluBackwardOperation
        {
            X = _tensors.Floats(x),
            OutputGradient = _tensors.Floats(dy),
            Gradient = _tensors.Floats(dx.Tensor),
            Accumulate = dx.Accumulate ? 1 : 0,
        });
    }

    /// <inheritdoc/>
    public void SwiGlu(Tensor gate, Tensor up, Tensor y)
    {
        ShapeException.ThrowUnless(nameof(SwiGlu), nameof(up), up, gate.Shape);
        ShapeException.ThrowUnless(nameof(SwiGlu), nameof(y), y, gate.Shape);
        var (rows, columns) = Extents(y);
        _queue.LaunchRows(new SwiGluOperation { Gate = RowsOf(gate), Up = RowsOf(up), Y = RowsOf(y), Rows = rows,
            Columns = columns });
    }

    /// <inheritdoc/>
    public void SwiGluBackward(Tensor gate, Tensor up, Tensor dy, GradientTarget dgate, GradientTarget dup)
    {
        ShapeException.ThrowUnless(nameof(SwiGluBackward), nameof(up), up, gate.Shape);
        ShapeException.ThrowUnless(nameof(SwiGluBackward), nameof(dy), dy, gate.Shape);
        CheckTarget(nameof(SwiGluBackward), nameof(dgate), dgate, gate.Shape);
        CheckTarget(nameof(SwiGluBackward), nameof(dup), dup, gate.Shape);
        var (rows, columns) = Extents(dy);
        _queue.LaunchRows(new SwiGluBackwardOperation
        {
            Gate = RowsOf(gate),
            Up = RowsOf(up),
            OutputGradient = RowsOf(dy),
            GateGradient = TargetOf(dgate),
            UpGradient = TargetOf(dup),
            Rows = rows,
            Columns = columns,
        });
    }

    /// <inheritdoc/>
    public long CountNonFinite(Tensor x)
    {
        if (x.Count == 0)
            return 0;
        if (x.ElementType != ElementType.Float32 || !x.IsContiguous)
        {
            using var dense = Allocate(x.Shape, ElementType.Float32);
            Copy(x, dense);
            return CountNonFinite(dense);
        }
        var (groups, threads) = _queue.ElementGroups(x.Count);
        var counts = new long[groups * threads];
        using var scratch = new HostCopy<long>(_queue, counts);
        _queue.Launch(NonFiniteKernel.NonFinite, new Index3D(groups, 1, 1), threads,
            new CountArguments
            {
                Values = _tensors.Words(x),
                Counts = scratch.View,
                First = x.OffsetElements,
                Count = x.Count,
            });
        _queue.Download(scratch.View, counts.AsSpan());
        return counts.Sum();
    }

    private static void CheckTarget(string operation, string argument, GradientTarget target, Shape expected)
    {
        if (target.Tensor is not null)
            ShapeException.ThrowUnless(operation, argument, target.Tensor, expected);
    }

    // Rows (the product of all extents but the last) and columns.
    private static (int Rows, int Columns) Extents(Tensor tensor)
    {
        int columns = tensor.Shape.Rank == 0 ? 1 : tensor.Shape[-1];
        long rows = 1;
        for (int d = 0; d < tensor.Shape.Rank - 1; d++)
            rows *= tensor.Shape[d];
        return (checked((int)rows), columns);
    }

    private RowView RowsOf(Tensor tensor)
    {
        var rows = _tensors.Rows(tensor);
        long extent = rows.Count == 0 || rows.Columns == 0 ? 0 : (rows.Count - 1) * rows.Stride + rows.Columns;
        return new RowView { Data = rows.Words.Cast<float>().SubView(rows.Offset, extent), Stride = rows.Stride };
    }

    private RowTarget TargetOf(GradientTarget target) => target.Tensor is { } tensor
        ? new RowTarget { Rows = RowsOf(tensor), IsNeeded = 1, Accumulate = target.Accumulate ? 1 : 0 }
        : default;
}
