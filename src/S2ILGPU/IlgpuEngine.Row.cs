using System.Numerics;
using ILGPU;
using S2ILGPU.Engines;
using S2ILGPU.Kernels;
using S2ILGPU.Kernels.Elementwise;
using S2ILGPU.Kernels.Row;
using S2ILGPU.Memory;
using S2ILGPU.Tensors;

namespace S2ILGPU;

public sealed partial class IlgpuEngine
{
    // Rows of a partial sum of dweight: at least so many, and at most so many parts.
    private const int MinPartRows = 16, MaxParts = 128;

    /// <inheritdoc/>
    public void RmsNorm(Tensor x, Tensor weight, Tensor y, Tensor inverseRms, float epsilon)
    {
        ShapeException.ThrowUnless(nameof(RmsNorm), nameof(y), y, x.Shape);
        var (rows, columns) = Extents(x);
        CheckCount(nameof(RmsNorm), nameof(weight), weight, columns);
        CheckCount(nameof(RmsNorm), nameof(inverseRms), inverseRms, rows);
        var arguments = new RmsNormArguments
        {
            X = RowsOf(x),
            Weight = _tensors.Floats(weight),
            Y = RowsOf(y),
            InverseRms = _tensors.Floats(inverseRms),
            Columns = columns,
            Epsilon = epsilon,
        };
        _queue.Launch(RmsNormKernel.Run, new Index3D(rows, 1, 1), _queue.RowThreads(columns), arguments);
    }

    /// <inheritdoc/>
    public void RmsNormBackward(Tensor x, Tensor weight, Tensor inverseRms, Tensor dy, GradientTarget dx,
        GradientTarget dweight)
    {
        ShapeException.ThrowUnless(nameof(RmsNormBackward), nameof(dy), dy, x.Shape);
        CheckTarget(nameof(RmsNormBackward), nameof(dx), dx, x.Shape);
        CheckTarget(nameof(RmsNormBackward), nameof(dweight), dweight, weight.Shape);
        var (rows, columns) = Extents(x);
        CheckCount(nameof(RmsNormBackward), nameof(weight), weight, columns);
        CheckCount(nameof(RmsNormBackward), nameof(inverseRms), inverseRms, rows);
        if (dweight.Tensor is { } sum)
            WeightGradient(x, inverseRms, dy, sum, dweight.Accumulate);
        if (dx.Tensor is null)
            return;
        var arguments = new RmsNormBackwardArguments
        {
            X = RowsOf(x),
            Weight = _tensors.Floats(weight),
            InverseRms = _tensors.Floats(inverseRms),
            OutputGradient = RowsOf(dy),
            Gradient = TargetOf(dx),
            Columns = columns,
        };
        _queue.Launch(RmsNormBackwardKernel.Run, new Index3D(rows, 1, 1), _queue.RowThreads(columns), arguments);
    }

    /// <inheritdoc/>
    /// <remarks>Positions stay on the device and are not checked on the host: a position outside the tables gives
    /// NaN.</remarks>
    public void Rotary(Tensor x, Tensor cosine, Tensor sine, Tensor positions, GradientTarget y, bool inverse)
    {
        if (y.Tensor is null)
            return;
        var shape = x.Shape;
        if (shape.Rank != 4 || shape[3] % 2 != 0 || x.ElementType != ElementType.Float32)
            throw new ShapeException(nameof(Rotary), nameof(x),
                "Float32 [B, N, H, D] with an even D of adjacent elements", x.ToString());
        CheckTarget(nameof(Rotary), nameof(y), y, shape);
        if (y.Tensor.ElementType != ElementType.Float32)
            throw new ShapeException(nameof(Rotary), nameof(y), "Float32 with adjacent elements", y.Tensor.ToString());
        ShapeException.ThrowUnless(nameof(Rotary), nameof(cosine), cosine,
            new Shape(Extents(cosine).Rows, shape[3] / 2));
        ShapeException.ThrowUnless(nameof(Rotary), nameof(sine), sine, cosine.Shape);
        CheckCount(nameof(Rotary), nameof(positions), positions, (long)shape[0] * shape[1]);
        _queue.LaunchRows(new RotaryOperation
        {
            X = _tensors.Words(x).Cast<float>(),
            XRows = DeviceTensors.HeadRows(x),
            Y = _tensors.Words(y.Tensor).Cast<float>(),
            YRows = DeviceTensors.HeadRows(y.Tensor),
            Cosine = RowsOf(cosine),
            Sine = RowsOf(sine),
            Positions = _tensors.Ints(positions),
            Tokens = shape[1],
            HalfDim = shape[3] / 2,
            MaxPositions = cosine.Shape[0],
            Direction = inverse ? -1 : 1,
            Accumulate = y.Accumulate ? 1 : 0,
            Rows = (int)positions.Count,
            Columns = shape[2] * (shape[3] / 2),
        });
    }

    /// <inheritdoc/>
    /// <remarks>Ids stay on the device and are not checked on the host: an id outside the table gives a row of
    /// NaN.</remarks>
    public void Embedding(Tensor table, Tensor ids, Tensor y)
    {
        CheckEmbedding(nameof(Embedding), table, ids, y);
        if (table.ElementType == ElementType.BFloat16)
            Embed<StoredBFloat16>(table, ids, y);
        else
            Embed<StoredSingle>(table, ids, y);
    }

    /// <inheritdoc/>
    /// <remarks>An id outside the table adds nothing.</remarks>
    public void EmbeddingBackward(Tensor ids, Tensor dy, GradientTarget dtable)
    {
        if (dtable.Tensor is null)
            return;
        CheckEmbedding(nameof(EmbeddingBackward), dtable.Tensor, ids, dy);
        if (!dtable.Accumulate)
            Fill(dtable.Tensor, 0);
        int tokens = (int)ids.Count;
        using var next = Allocate(ids.Shape, ElementType.Int32);
        using var isFirst = Allocate(ids.Shape, ElementType.Int32);
        _queue.LaunchElements(new TokenChainsOperation { Ids = _tensors.Ints(ids), Next = _tensors.Ints(next),
            IsFirst = _tensors.Ints(isFirst), TableRows = dtable.Tensor.Shape[0] });
        _queue.LaunchRows(new EmbeddingBackwardOperation
        {
            Ids = _tensors.Ints(ids),
            Next = _tensors.Ints(next),
            IsFirst = _tensors.Ints(isFirst),
            OutputGradient = RowsOf(dy),
            TableGradient = RowsOf(dtable.Tensor),
            Rows = tokens,
            Columns = dy.Shape[-1],
        });
    }

    /// <inheritdoc/>
    /// <remarks>Targets stay on the device and are not checked on the host: a target that is neither a column nor -1
    /// gives NaN.</remarks>
    public void SoftmaxCrossEntropy(Tensor logits, Tensor targets, Tensor losses, Tensor logSumExp)
    {
        var (rows, columns) = Extents(logits);
        CheckLossRows(nameof(SoftmaxCrossEntropy), rows, (nameof(targets), targets), (nameof(losses), losses),
            (nameof(logSumExp), logSumExp));
        var arguments = new SoftmaxCrossEntropyArguments
        {
            Logits = RowsOf(logits),
            Targets = _tensors.Ints(targets),
            Losses = _tensors.Floats(losses),
            LogSumExp = _tensors.Floats(logSumExp),
            Columns = columns,
        };
        _queue.Launch(SoftmaxCrossEntropyKernel.Run, new Index3D(rows, 1, 1), _queue.RowThreads(columns), arguments);
    }

    /// <inheritdoc/>
    public void SoftmaxCrossEntropyBackward(Tensor logits, Tensor targets, Tensor logSumExp, Tensor dlosses,
        GradientTarget dlogits)
    {
        if (dlogits.Tensor is null)
            return;
        CheckTarget(nameof(SoftmaxCrossEntropyBackward), nameof(dlogits), dlogits, logits.Shape);
        var (rows, columns) = Extents(logits);
        CheckLossRows(nameof(SoftmaxCrossEntropyBackward), rows, (nameof(targets), targets), (nameof(dlosses), dlosses),
            (nameof(logSumExp), logSumExp));
        _queue.LaunchRows(new SoftmaxCrossEntropyBackwardOperation
        {
            Logits = RowsOf(logits),
            Targets = _tensors.Ints(targets),
            LogSumExp = _tensors.Floats(logSumExp),
            LossGradients = _tensors.Floats(dlosses),
            Gradient = TargetOf(dlogits),
            Rows = rows,
            Columns = columns,
        });
    }

    // dw_c (+)= sum_i dy_ic x_ic r_i: partial sums over parts of the rows, then their sum.
    private void WeightGradient(Tensor x, Tensor inverseRms, Tensor dy, Tensor sum, bool accumulate)
    {
        var (rows, columns) = Extents(x);
        int partRows = Math.Max(MinPartRows, (rows + MaxParts - 1) / MaxParts),
            parts = (rows + partRows - 1) / partRows;
        using var partials = Allocate(new Shape(parts, columns), ElementType.Float32);
        _queue.LaunchRows(new WeightGradientOperation
        {
            X = RowsOf(x),
            OutputGradient = RowsOf(dy),
            InverseRms = _tensors.Floats(inverseRms),
            Partials = _tensors.Floats(partials),
            RowCount = rows,
            PartRows = partRows,
            Rows = parts,
            Columns = columns,
        });
        _queue.LaunchElements(new SumOfRowsOperation { Terms = _tensors.Floats(partials), TermRows = parts,
            Sum = _tensors.Floats(sum), Accumulate = accumulate ? 1 : 0 });
    }

    private void Embed<TStored>(Tensor table, Tensor ids, Tensor y) where TStored : struct, IStoredElement
    {
        var rows = WeightRows(table);
        _queue.LaunchRows(new EmbeddingOperation<TStored>
        {
            Table = new StoredRows { Words = rows.Words, Offset = rows.Offset, Stride = rows.Stride },
            TableRows = table.Shape[0],
            Ids = _tensors.Ints(ids),
            Y = RowsOf(y),
            Rows = (int)ids.Count,
            Columns = rows.Columns,
        });
    }

    // Weights may be stored as BFloat16.
    private DeviceRows WeightRows(Tensor weight) =>
        _tensors.Rows(weight, weight.ElementType == ElementType.BFloat16 ? ElementType.BFloat16 : ElementType.Float32);

    private static void CheckEmbedding(string operation, Tensor table, Tensor ids, Tensor rows) =>
        ShapeException.ThrowUnless(operation, "rows", rows, new Shape(checked((int)ids.Count), table.Shape[-1]));

    private static void CheckLossRows(string operation, int rows,
        params ReadOnlySpan<(string Name, Tensor Tensor)> arguments)
    {
        foreach (var (name, tensor) in arguments)
            CheckCount(operation, name, tensor, rows);
    }

    private static void CheckCount(string operation, string argument, Tensor tensor, long expected)
    {
        if (tensor.Count != expected)
            throw new ShapeException(operation, argument, $"of {expected} elements", tensor.ToString());
    }
}
