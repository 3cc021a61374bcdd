using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.TestSupport;

public sealed partial class ReferenceEngine
{
    public Tensor Allocate(Shape shape, ElementType elementType)
    {
        var buffer = new ReferenceBuffer(this, shape.Count, elementType);
        UsedBytes += buffer.SizeBytes;
        PeakBytes = Math.Max(PeakBytes, UsedBytes);
        return Tensor.Create(buffer, shape, elementType);
    }

    public void Upload(ReadOnlySpan<float> source, Tensor destination)
    {
        var values = new double[source.Length];
        for (int n = 0; n < source.Length; n++)
            values[n] = source[n];
        SetValues(destination, values);
    }

    public void Upload(ReadOnlySpan<int> source, Tensor destination)
    {
        CheckIntegers(nameof(Upload), destination, source.Length);
        int n = 0;
        foreach (long offset in Offsets(destination))
            BufferOf(destination).Integers[offset] = source[n++];
    }

    public void Download(Tensor source, Span<float> destination)
    {
        Contract.Require(destination.Length == source.Count, nameof(Download),
            $"{source} into {destination.Length} values");
        var values = Values(source);
        for (int n = 0; n < values.Length; n++)
            destination[n] = (float)values[n];
    }

    public void Download(Tensor source, Span<int> destination)
    {
        CheckIntegers(nameof(Download), source, destination.Length);
        int n = 0;
        foreach (long offset in Offsets(source))
            destination[n++] = BufferOf(source).Integers[offset];
    }

    public void Fill(Tensor tensor, float value)
    {
        var values = new double[tensor.Count];
        Array.Fill(values, value);
        SetValues(tensor, values);
    }

    public void Copy(Tensor source, Tensor destination)
    {
        Contract.SameShape(nameof(Copy), source, destination);
        SetValues(destination, Values(source));
    }

    public void WritePages(Tensor source, Tensor pages, PageTable table, SequenceBatch sequences)
    {
        Contract.Rank(nameof(WritePages), "source", source, 4);
        Contract.Rank(nameof(WritePages), "pages", pages, 3);
        ShapeException.ThrowUnless(nameof(WritePages), "pages", pages,
            PageTable.PagesShape(pages.Shape[0], pages.Shape[1], source.Shape[3], pages.ElementType));
        var (rows, paged) = (new Elements(source), new Elements(pages));
        int heads = source.Shape[2], headDim = source.Shape[3], blockTokens = pages.Shape[1];
        for (int s = 0; s < sequences.Sequences.Length; s++)
        {
            var sequence = sequences.Sequences[s];
            for (int t = 0; t < sequence.QueryCount; t++)
                for (int head = 0; head < heads; head++)
                {
                    int position = sequence.KeyCount - sequence.QueryCount + t;
                    int page = table[s, head, position / blockTokens];
                    var row = new double[headDim];
                    for (int d = 0; d < headDim; d++)
                        row[d] = rows[sequence.Batch, sequence.QueryStart + t, head, d];
                    if (pages.ElementType == ElementType.Int8)
                        Int8Rows.Round(row);
                    for (int d = 0; page != PageTable.None && d < headDim; d++)
                        paged[page, position % blockTokens, d] = row[d];
                }
        }
    }

    private static int[] Integers(Tensor tensor)
    {
        var values = new int[tensor.Count];
        CheckIntegers("integers", tensor, values.Length);
        int n = 0;
        foreach (long offset in Offsets(tensor))
            values[n++] = BufferOf(tensor).Integers[offset];
        return values;
    }

    private static void CheckIntegers(string operation, Tensor tensor, int count) =>
        Contract.Require(tensor.ElementType == ElementType.Int32 && tensor.Count == count, operation,
        $"expected {count} integers, got {tensor}");
}
