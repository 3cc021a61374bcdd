using S2ILGPU.Cpu.Elementwise;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Row;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cpu;

public sealed unsafe partial class CpuEngine
{
    /// <inheritdoc/>
    public void RmsNorm(Tensor x, Tensor weight, Tensor y, Tensor inverseRms, float epsilon)
    {
        ShapeException.ThrowUnless(nameof(RmsNorm), nameof(y), y, x.Shape);
        if (IsShort(x))
            RmsNorm<StoredBFloat16>(x, weight, y, inverseRms, epsilon);
        else
            RmsNorm<StoredSingle>(x, weight, y, inverseRms, epsilon);
    }

    /// <inheritdoc/>
    public void RmsNormBackward(Tensor x, Tensor weight, Tensor inverseRms, Tensor dy, GradientTarget dx,
        GradientTarget dweight)
    {
        ShapeException.ThrowUnless(nameof(RmsNormBackward), nameof(dy), dy, x.Shape);
        CheckTarget(nameof(RmsNormBackward), nameof(dx), dx, x.Shape);
        CheckTarget(nameof(RmsNormBackward), nameof(dweight), dweight, weight.Shape);
        if (IsShort(x))
            RmsNormBackward<StoredBFloat16>(x, weight, inverseRms, dy, dx, dweight);
        else
            RmsNormBackward<StoredSingle>(x, weight, inverseRms, dy, dx, dweight);
    }

    /// <inheritdoc/>
    public void AddBias(Tensor bias, Tensor y)
    {
        if (IsShort(y))
            AddBias<StoredBFloat16>(bias, y);
        else
            AddBias<StoredSingle>(bias, y);
    }

    /// <inheritdoc/>
    public void SumRows(Tensor x, GradientTarget sum)
    {
        if (sum.Tensor is null)
            return;
        if (IsShort(x))
            SumRows<StoredBFloat16>(x, sum.Tensor, sum.Accumulate);
        else
            SumRows<StoredSingle>(x, sum.Tensor, sum.Accumulate);
    }

    /// <inheritdoc/>
    public void Center(Tensor x, GradientTarget y)
    {
        if (y.Tensor is null)
            return;
        CheckTarget(nameof(Center), nameof(y), y, x.Shape);
        if (IsShort(x))
            Center<StoredBFloat16>(x, y);
        else
            Center<StoredSingle>(x, y);
    }

    /// <inheritdoc/>
    public void Rotary(Tensor x, Tensor cosine, Tensor sine, Tensor positions, GradientTarget y, bool inverse)
    {
        if (y.Tensor is null)
            return;
        var shape = x.Shape;
        if (shape.Rank != 4 || shape[3] % 2 != 0 || !(x.ElementType == ElementType.Float32 || IsShort(x))
            || (x.Stride(3) != 1 && shape[3] != 1))
            throw new ShapeException(nameof(Rotary), nameof(x),
                "Float32 or BFloat16 [B, N, H, D] with an even D of adjacent elements", x.ToString());
        CheckTarget(nameof(Rotary), nameof(y), y, shape);
        if (y.Tensor.ElementType != x.ElementType || (y.Tensor.Stride(3) != 1 && shape[3] != 1))
            throw new ShapeException(nameof(Rotary), nameof(y), $"{x.ElementType} with adjacent elements",
                y.Tensor.ToString());
        var (cosines, sines) = (CpuTensors.RowsOf(cosine), CpuTensors.RowsOf(sine));
        ShapeException.ThrowUnless(nameof(Rotary), nameof(cosine), cosine, new Shape((int)cosines.Count, shape[3] / 2));
        ShapeException.ThrowUnless(nameof(Rotary), nameof(sine), sine, cosine.Shape);
        CheckCount(nameof(Rotary), nameof(positions), positions, (long)shape[0] * shape[1]);
        int* at = CpuTensors.Ints(positions);
        CheckIndices(nameof(Rotary), nameof(positions), at, positions.Count, 0, (int)cosines.Count);
        var (from, to) = (StridedView.Of(x), StridedView.Of(y.Tensor));
        long grain = RowGrain((long)shape[2] * shape[3]);
        if (IsShort(x))
            _runner.Run(new RotaryKernel<StoredBFloat16>(from, to, cosines, sines, at, inverse, y.Accumulate),
                positions.Count, grain);
        else
            _runner.Run(new RotaryKernel<StoredSingle>(from, to, cosines, sines, at, inverse, y.Accumulate),
                positions.Count, grain);
    }

    /// <inheritdoc/>
    public void Embedding(Tensor table, Tensor ids, Tensor y)
    {
        CheckEmbedding(nameof(Embedding), table, ids, y);
        if (IsShort(y))
            Embedding<StoredBFloat16>(table, ids, y);
        else
            Embedding<StoredSingle>(table, ids, y);
    }

    /// <inheritdoc/>
    public void EmbeddingBackward(Tensor ids, Tensor dy, GradientTarget dtable)
    {
        if (dtable.Tensor is null)
            return;
        var rows = CpuTensors.RowsOf(dtable.Tensor);
        CheckEmbedding(nameof(EmbeddingBackward), dtable.Tensor, ids, dy);
        if (!dtable.Accumulate)
            Fill(dtable.Tensor, 0);
        if (IsShort(dy))
            _runner.Run(new EmbeddingBackwardKernel<StoredBFloat16>(CpuTensors.Ints(ids),
                CpuTensors.RowsOf(dy, ElementType.BFloat16), rows), rows.Columns,
                EmbeddingBackwardKernel<StoredBFloat16>.Grain);
        else
            _runner.Run(new EmbeddingBackwardKernel<StoredSingle>(CpuTensors.Ints(ids), CpuTensors.RowsOf(dy), rows),
                rows.Columns, EmbeddingBackwardKernel<StoredSingle>.Grain);
    }

    /// <inheritdoc/>
    public void SoftmaxCrossEntropy(Tensor logits, Tensor targets, Tensor losses, Tensor logSumExp)
    {
        var rows = CpuTensors.RowsOf(logits);
        CheckCount(nameof(SoftmaxCrossEntropy), nameof(losses), losses, rows.Count);
        CheckLossRows(nameof(SoftmaxCrossEntropy), rows, targets, logSumExp);
        var kernel = new SoftmaxCrossEntropyKernel(rows, CpuTensors.Ints(targets), CpuTensors.Floats(losses),
            CpuTensors.Floats(logSumExp));
        _runner.Run(kernel, rows.Count, RowGrain(rows.Columns));
    }

    /// <inheritdoc/>
    public void SoftmaxCrossEntropyBackward(Tensor logits, Tensor targets, Tensor logSumExp, Tensor dlosses,
        GradientTarget dlogits)
    {
        if (dlogits.Tensor is null)
            return;
        CheckTarget(nameof(SoftmaxCrossEntropyBackward), nameof(dlogits), dlogits, logits.Shape);
        var rows = CpuTensors.RowsOf(logits);
        CheckCount(nameof(SoftmaxCrossEntropyBackward), nameof(dlosses), dlosses, rows.Count);
        CheckLossRows(nameof(SoftmaxCrossEntropyBackward), rows, targets, logSumExp);
        var kernel = new SoftmaxCrossEntropyBackwardKernel(rows, CpuTensors.Ints(targets), CpuTensors.Floats(logSumExp),
            CpuTensors.Floats(dlosses),
            CpuTensors.RowsOf(dlogits.Tensor), dlogits.Accumulate);
        _runner.Run(kernel, rows.Count, RowGrain(rows.Columns));
    }

    private void RmsNorm<TStored>(Tensor x, Tensor weight, Tensor y, Tensor inverseRms, float epsilon)
        where TStored : unmanaged, IStoredValue<TStored>
    {
        var rows = CpuTensors.RowsOf(x, TStored.ElementType);
        CheckCount(nameof(RmsNorm), nameof(weight), weight, rows.Columns);
        CheckCount(nameof(RmsNorm), nameof(inverseRms), inverseRms, rows.Count);
        var kernel = new RmsNormKernel<TStored>(rows, CpuTensors.Floats(weight),
            CpuTensors.RowsOf(y, TStored.ElementType), CpuTensors.Floats(inverseRms), epsilon);
        _runner.Run(kernel, rows.Count, RowGrain(rows.Columns));
    }

    private void RmsNormBackward<TStored>(Tensor x, Tensor weight, Tensor inverseRms, Tensor dy, GradientTarget dx,
        GradientTarget dweight) where TStored : unmanaged, IStoredValue<TStored>
    {
        var type = TStored.ElementType;
        var rows = CpuTensors.RowsOf(x, type);
        CheckCount(nameof(RmsNormBackward), nameof(weight), weight, rows.Columns);
        CheckCount(nameof(RmsNormBackward), nameof(inverseRms), inverseRms, rows.Count);
        long grain = SumGrain(rows), chunks = (rows.Count + grain - 1) / grain;
        using var partials = _memory.Borrow(dweight.Tensor is null ? 0 : chunks * rows.Columns * sizeof(float));
        var kernel = new RmsNormBackwardKernel<TStored>(rows, CpuTensors.Floats(weight), CpuTensors.Floats(inverseRms),
            CpuTensors.RowsOf(dy, type), RowTarget.Of(dx, type),
            dweight.Tensor is null ? null : partials.Floats, grain);
        _runner.Run(kernel, rows.Count, grain);
        if (dweight.Tensor is { } sum)
            RunElementwise(new SumOfRowsOperation(partials.Floats, (int)chunks, rows.Columns, CpuTensors.Floats(sum),
                dweight.Accumulate), rows.Columns);
    }

    private void AddBias<TStored>(Tensor bias, Tensor y) where TStored : unmanaged, IStoredValue<TStored>
    {
        var rows = CpuTensors.RowsOf(y, TStored.ElementType);
        CheckCount(nameof(AddBias), nameof(bias), bias, rows.Columns);
        _runner.Run(new AddBiasKernel<TStored>(CpuTensors.Floats(bias), rows), rows.Count, RowGrain(rows.Columns));
    }

    private void SumRows<TStored>(Tensor x, Tensor sum, bool accumulate)
        where TStored : unmanaged, IStoredValue<TStored>
    {
        var rows = CpuTensors.RowsOf(x, TStored.ElementType);
        CheckCount(nameof(SumRows), nameof(sum), sum, rows.Columns);
        long grain = SumGrain(rows), chunks = (rows.Count + grain - 1) / grain;
        using var partials = _memory.Borrow(chunks * rows.Columns * sizeof(float));
        _runner.Run(new SumRowsKernel<TStored>(rows, partials.Floats, grain), rows.Count, grain);
        RunElementwise(new SumOfRowsOperation(partials.Floats, (int)chunks, rows.Columns, CpuTensors.Floats(sum),
            accumulate), rows.Columns);
    }

    private void Center<TStored>(Tensor x, GradientTarget y) where TStored : unmanaged, IStoredValue<TStored>
    {
        var rows = CpuTensors.RowsOf(x, TStored.ElementType);
        _runner.Run(new CenterKernel<TStored>(rows, RowTarget.Of(y, TStored.ElementType)), rows.Count,
            RowGrain(rows.Columns));
    }

    // Rows of a partial sum: at most 64 sums, cut by the number of rows alone.
    private static long SumGrain(in Rows rows) => Math.Max(RowGrain(rows.Columns), (rows.Count + 63) / 64);

    private void Embedding<TStored>(Tensor table, Tensor ids, Tensor y) where TStored : unmanaged, IStoredValue<TStored>
    {
        if (table.ElementType == ElementType.BFloat16)
            Embedding<StoredBFloat16, TStored>(table, ids, y);
        else if (table.ElementType == ElementType.Float16)
            Embedding<StoredHalf, TStored>(table, ids, y);
        else
            Embedding<StoredSingle, TStored>(table, ids, y);
    }

    private void Embedding<TTable, TStored>(Tensor table, Tensor ids, Tensor y)
        where TTable : unmanaged, IStoredFloat<TTable>
        where TStored : unmanaged, IStoredValue<TStored>
    {
        var rows = CpuTensors.RowsOf(table, TTable.ElementType);
        _runner.Run(new EmbeddingKernel<TTable, TStored>(rows, CpuTensors.Ints(ids),
            CpuTensors.RowsOf(y, TStored.ElementType)), ids.Count, RowGrain(rows.Columns));
    }

    private static void CheckEmbedding(string operation, Tensor table, Tensor ids, Tensor rows)
    {
        ShapeException.ThrowUnless(operation, "rows", rows, new Shape((int)ids.Count, table.Shape[-1]));
        CheckIndices(operation, nameof(ids), CpuTensors.Ints(ids), ids.Count, 0, table.Shape[0]);
    }

    private static void CheckLossRows(string operation, in Rows logits, Tensor targets, Tensor logSumExp)
    {
        CheckCount(operation, nameof(targets), targets, logits.Count);
        CheckCount(operation, nameof(logSumExp), logSumExp, logits.Count);
        CheckIndices(operation, nameof(targets), CpuTensors.Ints(targets), logits.Count,
            SoftmaxCrossEntropyKernel.Ignored, logits.Columns);
    }

    private static void CheckCount(string operation, string argument, Tensor tensor, long expected)
    {
        if (tensor.Count != expected)
            throw new ShapeException(operation, argument, $"of {expected} elements", tensor.ToString());
    }

    // A wrong index would become a wrong address.
    private static void CheckIndices(string operation, string argument, int* indices, long count, int first, int end)
    {
        for (long i = 0; i < count; i++)
            if (indices[i] < first || indices[i] >= end)
                throw new ArgumentOutOfRangeException(argument,
                    $"{operation}: {argument}[{i}] is {indices[i]}, outside {first}..{end - 1}");
    }
}
