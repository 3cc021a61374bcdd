using S2ILGPU.Backends;
using S2ILGPU.Tensors;

namespace S2ILGPU.TestSupport;

/// <summary>The device contract in scalar double precision: every method the formula of <see cref="IBackend"/> as nested loops, written to be obviously right.</summary>
/// <remarks>
/// Tensors of 16 and 32 bit types hold doubles that are rounded to the type on every write. The reference is strict: a caller that breaks the contract gets an
/// exception, and uninitialised memory is NaN.
/// </remarks>
public sealed partial class ReferenceBackend : IBackend
{
    public string Name => "reference (double)";

    public ElementType FloatType => ElementType.Float64;

    public long UsedBytes { get; private set; }

    public long PeakBytes { get; private set; }

    /// <summary>The elements of a float tensor, row-major, exactly.</summary>
    public static double[] Values(Tensor tensor)
    {
        var values = new double[tensor.Count];
        int n = 0;
        foreach (long offset in Offsets(tensor))
            values[n++] = BufferOf(tensor).Reals[offset];
        return values;
    }

    /// <summary>Writes the elements of a float tensor, row-major, rounded to its type.</summary>
    public static void SetValues(Tensor tensor, ReadOnlySpan<double> values)
    {
        Contract.Require(values.Length == tensor.Count, nameof(SetValues), $"{values.Length} values for {tensor}");
        int n = 0;
        foreach (long offset in Offsets(tensor))
            BufferOf(tensor).Reals[offset] = ElementRounding.Round(values[n++], tensor.ElementType);
    }

    public void Dispose()
    {
    }

    internal static ReferenceBuffer BufferOf(Tensor tensor) =>
        tensor.Buffer as ReferenceBuffer ?? throw new ArgumentException($"{tensor} belongs to another engine: {tensor.Buffer.GetType().Name}");

    internal void Returned(long sizeBytes) => UsedBytes -= sizeBytes;

    // Positions in the buffer of all elements, in row-major order; missing outer dimensions count as one.
    private static IEnumerable<long> Offsets(Tensor tensor)
    {
        int missing = Shape.MaxRank - tensor.Shape.Rank;
        int Extent(int d) => d < missing ? 1 : tensor.Shape[d - missing];
        long Stride(int d) => d < missing ? 0 : tensor.Stride(d - missing);
        for (int i = 0; i < Extent(0); i++)
            for (int j = 0; j < Extent(1); j++)
                for (int k = 0; k < Extent(2); k++)
                    for (int l = 0; l < Extent(3); l++)
                        yield return tensor.OffsetElements + i * Stride(0) + j * Stride(1) + k * Stride(2) + l * Stride(3);
    }
}
