using ILGPU;
using S2ILGPU.Engines;
using S2ILGPU.Kernels;
using S2ILGPU.Kernels.Elementwise;
using S2ILGPU.Memory;
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
        var type = a.ElementType;
        _queue.LaunchRows(type, new AddOperation { A = FlatOf(a, type), B = FlatOf(b, type),
            Sum = FlatOf(sum, type) });
    }

    /// <inheritdoc/>
    public void AddScaled(Tensor x, float factor, Tensor accumulator)
    {
        ShapeException.ThrowUnless(nameof(AddScaled), nameof(accumulator), accumulator, x.Shape);
        var type = x.ElementType;
        _queue.LaunchRows(type, new AddScaledOperation { X = FlatOf(x, type), Factor = factor,
            Accumulator = FlatOf(accumulator, type) });
    }

    /// <inheritdoc/>
    public void Gelu(Tensor x, Tensor y)
    {
        ShapeException.ThrowUnless(nameof(Gelu), nameof(y), y, x.Shape);
        var type = x.ElementType;
        _queue.LaunchRows(type, new GeluOperation { X = FlatOf(x, type), Y = FlatOf(y, type) });
    }

    /// <inheritdoc/>
    public void GeluBackward(Tensor x, Tensor dy, GradientTarget dx)
    {
        if (dx.Tensor is null)
            return;
        ShapeException.ThrowUnless(nameof(GeluBackward), nameof(dy), dy, x.Shape);
        ShapeException.ThrowUnless(nameof(GeluBackward), nameof(dx), dx.Tensor, x.Shape);
        var type = x.ElementType;
        _queue.LaunchRows(type, new GeluBackwardOperation
        {
            X = FlatOf(x, type),
            OutputGradient = FlatOf(dy, type),
            Gradient = TargetOf(FlatOf(dx.Tensor, type), dx.Accumulate),
        });
    }

    /// <inheritdoc/>
    public void SwiGlu(Tensor gate, Tensor up, Tensor y)
    {
        ShapeException.ThrowUnless(nameof(SwiGlu), nameof(up), up, gate.Shape);
        ShapeException.ThrowUnless(nameof(SwiGlu), nameof(y), y, gate.Shape);
        var type = gate.ElementType;
        _queue.LaunchRows(type, new SwiGluOperation { Gate = RowsOf(gate, type), Up = RowsOf(up, type),
            Y = RowsOf(y, type), Rows = Extents(y).Rows });
    }

    /// <inheritdoc/>
    public void SwiGluBackward(Tensor gate, Tensor up, Tensor dy, GradientTarget dgate, GradientTarget dup)
    {
        ShapeException.ThrowUnless(nameof(SwiGluBackward), nameof(up), up, gate.Shape);
        ShapeException.ThrowUnless(nameof(SwiGluBackward), nameof(dy), dy, gate.Shape);
        CheckTarget(nameof(SwiGluBackward), nameof(dgate), dgate, gate.Shape);
        CheckTarget(nameof(SwiGluBackward), nameof(dup), dup, gate.Shape);
        var type = gate.ElementType;
        _queue.LaunchRows(type, new SwiGluBackwardOperation
        {
            Gate = RowsOf(gate, type),
            Up = RowsOf(up, type),
            OutputGradient = RowsOf(dy, type),
            GateGradient = TargetOf(dgate, type),
            UpGradient = TargetOf(dup, type),
            Rows = Extents(dy).Rows,
        });
    }

    /// <inheritdoc/>
    public void Gegelu(Tensor gate, Tensor up, float limit, Tensor y)
    {
        ShapeException.ThrowUnless(nameof(Gegelu), nameof(up), up, gate.Shape);
        ShapeException.ThrowUnless(nameof(Gegelu), nameof(y), y, gate.Shape);
        var type = gate.ElementType;
        _queue.LaunchRows(type, new GegeluOperation { Gate = RowsOf(gate, type), Up = RowsOf(up, type), Limit = limit,
            Y = RowsOf(y, type), Rows = Extents(y).Rows });
    }

    /// <inheritdoc/>
    public void GegeluBackward(Tensor gate, Tensor up, float limit, Tensor dy, GradientTarget dgate,
        GradientTarget dup)
    {
        ShapeException.ThrowUnless(nameof(GegeluBackward), nameof(up), up, gate.Shape);
        ShapeException.ThrowUnless(nameof(GegeluBackward), nameof(dy), dy, gate.Shape);
        CheckTarget(nameof(GegeluBackward), nameof(dgate), dgate, gate.Shape);
        CheckTarget(nameof(GegeluBackward), nameof(dup), dup, gate.Shape);
        var type = gate.ElementType;
        _queue.LaunchRows(type, new GegeluBackwardOperation
        {
            Gate = RowsOf(gate, type),
            Up = RowsOf(up, type),
            Limit = limit,
            OutputGradient = RowsOf(dy, type),
            GateGradient = TargetOf(dgate, type),
            UpGradient = TargetOf(dup, type),
            Rows = Extents(dy).Rows,
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

    // Rows of adjacent elements, any row stride.
    private RowView RowsOf(Tensor tensor, ElementType type = ElementType.Float32)
    {
        var rows = _tensors.Rows(tensor, type);
        return new RowView
        {
            Words = rows.Words,
            Offset = rows.Offset,
            Stride = rows.Stride,
            Columns = rows.Columns,
            IsAligned = IsAligned(rows) ? 1 : 0,
        };
    }

    // A contiguous tensor as one row.
    private RowView FlatOf(Tensor tensor, ElementType type)
    {
        if (tensor.ElementType != type || !tensor.IsContiguous)
            throw new ArgumentException(
                $"expected a contiguous {type} tensor, got {tensor}{(tensor.IsContiguous ? "" : ", strided")}");
        return new RowView
        {
            Words = _tensors.Words(tensor),
            Offset = tensor.OffsetElements,
            Columns = tensor.Count,
            IsAligned = tensor.OffsetElements % Quad.Count == 0 ? 1 : 0,
        };
    }

    private static bool IsAligned(in DeviceRows rows) =>
        rows.Offset % Quad.Count == 0 && (rows.Count <= 1 || rows.Stride % Quad.Count == 0);

    private RowTarget TargetOf(GradientTarget target, ElementType type = ElementType.Float32) =>
        target.Tensor is { } tensor ? TargetOf(RowsOf(tensor, type), target.Accumulate) : default;

    private static RowTarget TargetOf(in RowView rows, bool accumulate) =>
        new() { Rows = rows, IsNeeded = 1, Accumulate = accumulate ? 1 : 0 };
}
