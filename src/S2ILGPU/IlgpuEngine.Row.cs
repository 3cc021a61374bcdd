using ILGPU;
using S2ILGPU.Attention;
using S2ILGPU.Engines;
using S2ILGPU.Kernels;
using S2ILGPU.Kernels.Elementwise;
using S2ILGPU.Kernels.Row;
using S2ILGPU.Memory;
using S2ILGPU.Queue;
using S2ILGPU.Tensors;

namespace S2ILGPU;

public sealed partial class IlgpuEngine
{
    // Threads that keep any device busy: where there are more rows, parts are longer and partial sums no more.
    private int EnoughThreads => _queue.IsEmulated ? 64 : 1 << 16;

    /// <inheritdoc/>
    public void RmsNorm(Tensor x, Tensor weight, Tensor y, Tensor inverseRms, float epsilon)
    {
        ShapeException.ThrowUnless(nameof(RmsNorm), nameof(y), y, x.Shape);
        var (rows, columns) = Extents(x);
        CheckCount(nameof(RmsNorm), nameof(weight), weight, columns);
        CheckCount(nameof(RmsNorm), nameof(inverseRms), inverseRms, rows);
        var type = x.ElementType;
        var arguments = new RmsNormArguments
        {
            X = RowsOf(x, type),
            Weight = FlatOf(weight, FloatType),
            Y = RowsOf(y, type),
            InverseRms = _tensors.Floats(inverseRms),
            Columns = columns,
            Epsilon = epsilon,
        };
        var kernel = DeviceQueue.StoredKernel<RmsNormArguments>(type, RmsNormKernel.Run<StoredSingle>,
            RmsNormKernel.Run<StoredBFloat16>, RmsNormKernel.Run<StoredHalf>);
        _queue.Launch(kernel, new Index3D(rows, 1, 1), _queue.RowThreads(columns), arguments);
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
        if (dx.Tensor is null && dweight.Tensor is null)
            return;
        int threads = _queue.RowThreads(columns), most = Math.Max(1, EnoughThreads / threads),
            fours = (rows + FourRows.Count - 1) / FourRows.Count,
            partRows = Math.Max(2, (fours + most - 1) / most) * FourRows.Count,
            parts = (rows + partRows - 1) / partRows;
        using var partials = dweight.Tensor is null ? null : Allocate(new Shape(parts, columns), ElementType.Float32);
        var type = x.ElementType;
        var arguments = new RmsNormBackwardArguments
        {
            X = RowsOf(x, type),
            Weight = FlatOf(weight, FloatType),
            InverseRms = _tensors.Floats(inverseRms),
            OutputGradient = RowsOf(dy, type),
            Gradient = TargetOf(dx, type),
            Partials = partials is null ? default : RowsOf(partials),
            Rows = rows,
            Columns = columns,
            PartRows = partRows,
            ArePartialsNeeded = partials is null ? 0 : 1,
        };
        var kernel = DeviceQueue.StoredKernel<RmsNormBackwardArguments>(type, RmsNormBackwardKernel.Run<StoredSingle>,
            RmsNormBackwardKernel.Run<StoredBFloat16>, RmsNormBackwardKernel.Run<StoredHalf>);
        _queue.Launch(kernel, new Index3D(parts, 1, 1), threads, arguments);
        if (partials is not null)
            SumOfRows(partials, dweight);
    }

    /// <inheritdoc/>
    public void AddBias(Tensor bias, Tensor y)
    {
        var (rows, columns) = Extents(y);
        CheckCount(nameof(AddBias), nameof(bias), bias, columns);
        _queue.LaunchRows(y.ElementType, new AddBiasOperation
        {
            Bias = FlatOf(bias, FloatType),
            Y = RowsOf(y, y.ElementType),
            Rows = rows,
        });
    }

    /// <inheritdoc/>
    public void SumRows(Tensor x, GradientTarget sum)
    {
        if (sum.Tensor is null)
            return;
        CheckCount(nameof(SumRows), nameof(sum), sum.Tensor, Extents(x).Columns);
        SumOfRows(x, sum);
    }

    /// <inheritdoc/>
    public void Center(Tensor x, GradientTarget y)
    {
        if (y.Tensor is null)
            return;
        CheckTarget(nameof(Center), nameof(y), y, x.Shape);
        var (rows, columns) = Extents(x);
        var type = x.ElementType;
        var kernel = DeviceQueue.StoredKernel<CenterArguments>(type, CenterKernel.Run<StoredSingle>,
            CenterKernel.Run<StoredBFloat16>, CenterKernel.Run<StoredHalf>);
        _queue.Launch(kernel, new Index3D(rows, 1, 1), _queue.RowThreads(columns),
            new CenterArguments { X = RowsOf(x, type), Y = TargetOf(y, type), Columns = columns });
    }

    /// <inheritdoc/>
    /// <remarks>Positions stay on the device and are not checked on the host: a position outside the tables gives
    /// NaN.</remarks>
    public void Rotary(Tensor x, Tensor cosine, Tensor sine, Tensor positions, GradientTarget y, bool inverse)
    {
        if (y.Tensor is null)
            return;
        var (shape, type) = (x.Shape, x.ElementType);
        if (shape.Rank != 4 || shape[3] % 2 != 0 || !SupportsActivations(type))
            throw new ShapeException(nameof(Rotary), nameof(x),
                "Float32, BFloat16 or Float16 [B, N, H, D] with an even D of adjacent elements", x.ToString());
        CheckTarget(nameof(Rotary), nameof(y), y, shape);
        if (y.Tensor.ElementType != type)
            throw new ShapeException(nameof(Rotary), nameof(y), $"{type} with adjacent elements", y.Tensor.ToString());
        ShapeException.ThrowUnless(nameof(Rotary), nameof(cosine), cosine,
            new Shape(Extents(cosine).Rows, shape[3] / 2));
        ShapeException.ThrowUnless(nameof(Rotary), nameof(sine), sine, cosine.Shape);
        CheckCount(nameof(Rotary), nameof(positions), positions, (long)shape[0] * shape[1]);
        _queue.LaunchRows(type, new RotaryOperation
        {
            X = HeadsOf(x),
            Y = HeadsOf(y.Tensor),
            Cosine = RowsOf(cosine),
            Sine = RowsOf(sine),
            Positions = _tensors.Ints(positions),
            Tokens = shape[1],
            Heads = shape[2],
            HalfDim = shape[3] / 2,
            MaxPositions = cosine.Shape[0],
            Direction = inverse ? -1 : 1,
            Accumulate = y.Accumulate ? 1 : 0,
            Rows = (int)positions.Count,
        });
    }

    /// <inheritdoc/>
    /// <remarks>Ids stay on the device and are not checked on the host: an id outside the table gives a row of
    /// NaN.</remarks>
    public void Embedding(Tensor table, Tensor ids, Tensor y)
    {
        CheckEmbedding(nameof(Embedding), table, ids, y);
        switch (table.ElementType)
        {
            case ElementType.BFloat16:
                Embed<StoredBFloat16>(table, ids, y);
                break;
            case ElementType.Float16:
                Embed<StoredHalf>(table, ids, y);
                break;
            default:
                Embed<StoredSingle>(table, ids, y);
                break;
        }
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
        using var sorted = SortedById(ids);
        _queue.LaunchRows(dy.ElementType, new EmbeddingBackwardOperation
        {
            Ids = _tensors.Ints(ids),
            Sorted = _tensors.Ints(sorted),
            OutputGradient = RowsOf(dy, dy.ElementType),
            TableGradient = RowsOf(dtable.Tensor),
            TableRows = dtable.Tensor.Shape[0],
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
        int rows = Extents(logits).Rows;
        CheckLossRows(nameof(SoftmaxCrossEntropyBackward), rows, (nameof(targets), targets), (nameof(dlosses), dlosses),
            (nameof(logSumExp), logSumExp));
        _queue.LaunchRows(FloatType, new SoftmaxCrossEntropyBackwardOperation
        {
            Logits = RowsOf(logits),
            Targets = _tensors.Ints(targets),
            LogSumExp = _tensors.Floats(logSumExp),
            LossGradients = _tensors.Floats(dlosses),
            Gradient = TargetOf(dlogits),
            Rows = rows,
        });
    }

    // sum_c (+)= sum_i terms_ic
    private void SumOfRows(Tensor terms, GradientTarget sum)
    {
        var (rows, columns) = Extents(terms);
        var kernel = DeviceQueue.StoredKernel<SumOfRowsArguments>(terms.ElementType, SumOfRowsKernel.Run<StoredSingle>,
            SumOfRowsKernel.Run<StoredBFloat16>, SumOfRowsKernel.Run<StoredHalf>);
        int groups = (columns + SumOfRowsKernel.GroupColumns - 1) / SumOfRowsKernel.GroupColumns;
        _queue.Launch(kernel, new Index3D(groups, 1, 1), _queue.ElementThreads, new SumOfRowsArguments
        {
            Terms = RowsOf(terms, terms.ElementType),
            Sum = TargetOf(FlatOf(sum.Tensor!, FloatType), sum.Accumulate),
            Rows = rows,
        });
    }

    private void Embed<TTable>(Tensor table, Tensor ids, Tensor y) where TTable : struct, IStoredElement =>
        _queue.LaunchRows(y.ElementType, new EmbeddingOperation<TTable>
        {
            Table = RowsOf(table, table.ElementType),
            TableRows = table.Shape[0],
            Ids = _tensors.Ints(ids),
            Y = RowsOf(y, y.ElementType),
            Rows = (int)ids.Count,
        });

    // The places of ids in the order of the ids, those of an id in the order in which they come.
    private Tensor SortedById(Tensor ids)
    {
        var (sorted, other) = (Allocate(ids.Shape, ElementType.Int32), Allocate(ids.Shape, ElementType.Int32));
        TokenOrderArguments Pass(int runTokens) => new()
        {
            Ids = _tensors.Ints(ids),
            Sorted = _tensors.Ints(sorted),
            Merged = _tensors.Ints(other),
            RunTokens = runTokens,
        };
        _queue.LaunchOver(ids.Count, TokenOrderKernel.Begin, Pass(1));
        for (long run = 1; run < ids.Count; run *= 2)
        {
            _queue.LaunchOver(ids.Count, TokenOrderKernel.Merge, Pass((int)run));
            (sorted, other) = (other, sorted);
        }
        other.Dispose();
        return sorted;
    }

    private HeadRowsView HeadsOf(Tensor tensor)
    {
        const int both = 2 * Quad.Count; // of the two halves of a head
        return new HeadRowsView
        {
            Words = _tensors.Words(tensor),
            Rows = DeviceTensors.HeadRows(tensor),
            IsAligned = tensor.Shape[3] % both == 0 && StagingTensors.IsAligned(tensor, Quad.Count) ? 1 : 0,
        };
    }

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
