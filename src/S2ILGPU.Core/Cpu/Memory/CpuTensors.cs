using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cpu.Memory;

/// <summary>A tensor seen as rows of adjacent elements: float32, unless it was asked for as something else.</summary>
/// <param name="Data">First element of the first row.</param>
/// <param name="Count">Number of rows: the product of all extents but the last.</param>
/// <param name="Columns">Elements of a row.</param>
/// <param name="Stride">Distance between rows, in elements.</param>
internal readonly unsafe record struct Rows(nint Data, long Count, int Columns, nint Stride)
{
    /// <summary>First element of a row of floats.</summary>
    public float* this[long row] => At<float>(row);

    /// <summary>First element of a row.</summary>
    public TStored* At<TStored>(long row) where TStored : unmanaged => (TStored*)Data + row * Stride;

    /// <summary>Some of the rows, which hold floats.</summary>
    public Rows Range(long first, long count) => this with { Data = (nint)At<float>(first), Count = count };
}

/// <summary>Rows that receive a gradient; empty when the gradient is not needed.</summary>
internal readonly unsafe record struct RowTarget(Rows? Target, bool Accumulate)
{
    public static RowTarget Of(GradientTarget target, ElementType expected = ElementType.Float32) =>
        new(target.Tensor is { } tensor ? CpuTensors.RowsOf(tensor, expected) : null, target.Accumulate);

    /// <summary>First element of a row, or null.</summary>
    public TStored* At<TStored>(long row) where TStored : unmanaged =>
        Target is { } rows ? rows.At<TStored>(row) : null;
}

/// <summary>From tensors to addresses, with the checks that keep a wrong tensor from becoming a wrong
/// address.</summary>
internal static unsafe class CpuTensors
{
    /// <summary>Address of the first element.</summary>
    /// <exception cref="ArgumentException">The tensor lives on another device.</exception>
    public static byte* Address(Tensor tensor) => tensor.OffsetElements * tensor.ElementType.SizeBytes()
        + tensor.Buffer switch
        {
            CpuBuffer buffer => buffer.Pointer,
            HostBuffer host => host.Pointer,
            _ => throw new ArgumentException($"the tensor {tensor} lives on another device, not on the CPU engine"),
        };

    /// <summary>The elements of a contiguous float32 tensor.</summary>
    /// <exception cref="ArgumentException">The tensor has another element type, is strided, or lives on another
    /// device.</exception>
    public static float* Floats(Tensor tensor) => (float*)Dense(tensor, ElementType.Float32);

    /// <summary>The elements of a contiguous tensor of stored values.</summary>
    /// <exception cref="ArgumentException">The tensor has another element type, is strided, or lives on another
    /// device.</exception>
    public static TStored* Values<TStored>(Tensor tensor) where TStored : unmanaged, IStoredValue<TStored> =>
        (TStored*)Dense(tensor, TStored.ElementType);

    /// <summary>The elements of a contiguous Int32 tensor.</summary>
    /// <exception cref="ArgumentException">The tensor has another element type, is strided, or lives on another
    /// device.</exception>
    public static int* Ints(Tensor tensor) => (int*)Dense(tensor, ElementType.Int32);

    /// <summary>A tensor as rows; any row stride.</summary>
    /// <exception cref="ArgumentException">The tensor has another element type than expected, its rows are not evenly
    /// spaced or their elements not adjacent, or it lives on another device.</exception>
    public static Rows RowsOf(Tensor tensor, ElementType expected = ElementType.Float32)
    {
        var rows = TensorRows.Of(tensor, expected);
        return new Rows((nint)Address(tensor), rows.Count, rows.Columns, (nint)rows.Stride);
    }

    private static byte* Dense(Tensor tensor, ElementType expected)
    {
        if (tensor.ElementType != expected || !tensor.IsContiguous)
            throw new ArgumentException(
                $"expected a contiguous {expected} tensor, got {tensor}{(tensor.IsContiguous ? "" : ", strided")}");
        return Address(tensor);
    }
}
