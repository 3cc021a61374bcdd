using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.TestSupport;

/// <summary>
/// The device contract in scalar double precision: every method the formula of <see cref="IEngine"/> as nested loops,
/// written to be obviously right.
/// </summary>
/// <remarks>
/// Tensors of 16 and 32 bit types hold doubles that are rounded to the type on every write, pages of Int8 what their
/// integers and scales stand for, in the first D elements of a row. The reference is strict: a
/// caller that breaks the contract gets an exception, and uninitialised memory is NaN.
/// </remarks>
public sealed partial class ReferenceEngine : IEngine
{
    public bool SupportsTokenWindows => true;

    public string Name => "reference (double)";

    public ElementType FloatType => ElementType.Float64;

    public bool SupportsActivations(ElementType elementType) =>
        elementType is not (ElementType.Int32 or ElementType.Int8);

    public bool SupportsAttention(ElementType elementType) => SupportsActivations(elementType);

    public long UsedBytes { get; private set; }

    public long PeakBytes { get; private set; }

    public void Synchronize()
    {
    }

    /// <summary>The elements of a float tensor, row-major, exactly.</summary>
    public static double[] Values(Tensor tensor)
    {
        var (values, buffer) = (new double[tensor.Count], BufferOf(tensor).Reals);
        int n = 0;
        foreach (long offset in Offsets(tensor))
            values[n++] = buffer[offset];
        return values;
    }

    /// <summary>Writes the elements of a float tensor, row-major, rounded to its type.</summary>
    public static void SetValues(Tensor tensor, ReadOnlySpan<double> values)
    {
        Contract.Require(values.Length == tensor.Count, nameof(SetValues), $"{values.Length} values for {tensor}");
        var buffer = BufferOf(tensor).Reals;
        int n = 0;
        foreach (long offset in Offsets(tensor))
            buffer[offset] = ElementRounding.Round(values[n++], tensor.ElementType);
    }

    public void Dispose()
    {
    }

    internal static ReferenceBuffer BufferOf(Tensor tensor) =>
        tensor.Buffer as ReferenceBuffer
        ?? throw new ArgumentException($"{tensor} belongs to another engine: {tensor.Buffer.GetType().Name}");

    internal void Returned(long sizeBytes) => UsedBytes -= sizeBytes;

    // Positions in the buffer of all elements, in row-major order; missing outer dimensions count as one.
    private static IEnumerable<long> Offsets(Tensor tensor)
    {
        int[] extents = [1, 1, 1, 1];
        long[] strides = [0, 0, 0, 0];
        for (int d = 0, at = Shape.MaxRank - tensor.Shape.Rank; d < tensor.Shape.Rank; d++, at++)
            (extents[at], strides[at]) = (tensor.Shape[d], tensor.Stride(d));
        for (int i = 0; i < extents[0]; i++)
            for (int j = 0; j < extents[1]; j++)
                for (int k = 0; k < extents[2]; k++)
                    for (int l = 0; l < extents[3]; l++)
                        yield return tensor.OffsetElements + i * strides[0] + j * strides[1] + k * strides[2] + l
                            * strides[3];
    }
}
