using S2ILGPU.Cpu.Elementwise;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cpu;

public sealed unsafe partial class CpuEngine
{
    /// <inheritdoc/>
    public void Fill(Tensor tensor, float value)
    {
        if (tensor.ElementType == ElementType.Float32 && tensor.IsContiguous)
        {
            RunElementwise(new FillOperation(CpuTensors.Floats(tensor), value), tensor.Count);
            return;
        }
        if (tensor.ElementType == ElementType.Int8)
            throw new ArgumentException($"{nameof(Fill)}: only {nameof(WritePages)} writes {tensor}");
        // One element with strides 0 is a source of every shape.
        var bits = stackalloc byte[sizeof(int)];
        if (tensor.ElementType == ElementType.Int32)
            *(int*)bits = (int)value;
        else
            CopyKernel.CopyRun((byte*)&value, ElementType.Float32, 1, bits, tensor.ElementType, 1, 1);
        Span<int> zeros = stackalloc int[tensor.Shape.Rank];
        zeros.Clear();
        CopyElements(new StridedView(bits, tensor.ElementType, tensor.Shape, new Shape(zeros)), StridedView.Of(tensor));
    }

    /// <inheritdoc/>
    public void WritePages(Tensor source, Tensor pages, PageTable table, SequenceBatch sequences)
    {
        var (from, to) = (StridedView.Of(source), StridedView.Of(pages));
        int heads = source.Shape[2], headDim = source.Shape[3], blockTokens = pages.Shape[1];
        if (pages.ElementType == ElementType.Int8)
            Int8Pages.Check(pages, headDim);
        for (int s = 0; s < sequences.Sequences.Length; s++)
        {
            var sequence = sequences.Sequences[s];
            for (int t = 0; t < sequence.QueryCount; t++)
            {
                var (block, offset) = Math.DivRem(sequence.FirstQueryPosition + t, blockTokens);
                for (int h = 0; h < heads; h++)
                {
                    int page = table[s, h, block];
                    if (page == PageTable.None)
                        continue;
                    long read = (long)sequence.Batch * from.Strides[0] + (long)(sequence.QueryStart + t)
                        * from.Strides[1] + (long)h * from.Strides[2];
                    WriteRow(from, read, to, page, offset);
                }
            }
        }
    }

    // Writes the row that begins at an element of the source as a row of a page.
    private static void WriteRow(in StridedView from, long element, in StridedView to, int page, int index)
    {
        byte* source = from.Data + element * from.ElementType.SizeBytes(),
            target = to.Data + (long)page * to.Strides[0] * to.ElementType.SizeBytes();
        int headDim = from.Shape[3];
        if (to.ElementType == ElementType.Int8)
        {
            float* row = stackalloc float[headDim];
            CopyKernel.CopyRun(source, from.ElementType, from.Strides[3], (byte*)row, ElementType.Float32, 1, headDim);
            Int8Pages.Write(row, headDim, target, to.Shape[1], index);
            return;
        }
        target += (long)index * to.Strides[1] * to.ElementType.SizeBytes();
        CopyKernel.CopyRun(source, from.ElementType, from.Strides[3], target, to.ElementType, to.Strides[2], headDim);
    }

    private void CopyElements(in StridedView from, in StridedView to)
    {
        var copy = new CopyKernel(from, to);
        if (copy.TryTranspose(out var transpose))
            _runner.Run(transpose, transpose.Count,
                Math.Max(1, CopyKernel.Grain / (TransposeKernel.RowsAtOnce * transpose.Columns)));
        else
            _runner.Run(copy, to.Shape.Count, CopyKernel.Grain);
    }
}
