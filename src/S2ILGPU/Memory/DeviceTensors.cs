using ILGPU;
using S2ILGPU.Tensors;
using S2ILGPU.Tiles;

namespace S2ILGPU.Memory;

/// <summary>From tensors to views that kernels take, with the checks that keep a wrong tensor from becoming a wrong
/// address.</summary>
/// <param name="memory">The allocator of the engine: tensors of other engines are refused.</param>
internal sealed class DeviceTensors(DeviceAllocator memory)
{
    // ILGPU chooses vector loads as if the views of an argument began at multiples of so many bytes
    // (PTXBackend.DefaultGlobalMemoryAlignment).
    private const int ViewAlignmentBytes = 256;

    /// <summary>All of the memory under a tensor, as 32-bit words; elements count from <see
    /// cref="Tensor.OffsetElements"/>.</summary>
    /// <exception cref="ArgumentException">The tensor lives on another device.</exception>
    public ArrayView<int> Words(Tensor tensor) => tensor.Buffer switch
    {
        IlgpuBuffer buffer when buffer.Owner == memory => buffer.Words,
        ForeignBuffer buffer when buffer.Owner == memory => buffer.Words,
        _ => throw new ArgumentException($"the tensor {tensor} lives on another device or engine"),
    };

    /// <summary>The elements of a contiguous float32 tensor.</summary>
    /// <exception cref="ArgumentException">The tensor has another element type, is strided, or lives on another
    /// device.</exception>
    public ArrayView<float> Floats(Tensor tensor) => Dense(tensor, ElementType.Float32).Cast<float>();

    /// <summary>The elements of a contiguous Int32 tensor.</summary>
    /// <exception cref="ArgumentException">The tensor has another element type, is strided, or lives on another
    /// device.</exception>
    public ArrayView<int> Ints(Tensor tensor) => Dense(tensor, ElementType.Int32);

    /// <summary>A tensor as rows of adjacent elements, any row stride; of float32 unless it was asked for as something
    /// else.</summary>
    /// <exception cref="ArgumentException">The tensor has another element type than expected, its rows are not evenly
    /// spaced or their elements not adjacent, or it lives on another device.</exception>
    public DeviceRows Rows(Tensor tensor, ElementType expected = ElementType.Float32)
    {
        var rows = TensorRows.Of(tensor, expected);
        return new DeviceRows
        {
            Words = Words(tensor),
            Offset = tensor.OffsetElements,
            Count = rows.Count,
            Columns = rows.Columns,
            Stride = rows.Stride,
        };
    }

    /// <summary>Where the rows of a tensor [B, N, H, D] lie.</summary>
    /// <exception cref="ArgumentException">The tensor has not four dimensions, or the elements of a row are not
    /// adjacent.</exception>
    public static RowStrides HeadRows(Tensor tensor)
    {
        if (tensor.Shape.Rank != 4 || (tensor.Shape[3] > 1 && tensor.Stride(3) != 1))
            throw new ArgumentException($"expected [B, N, H, D] with adjacent D, got {tensor}");
        return new RowStrides { Offset = tensor.OffsetElements, Batch = tensor.Stride(0), Row = tensor.Stride(1),
            Head = tensor.Stride(2) };
    }

    /// <summary>Whether pages lie dense and begin where a kernel view may begin, so that tensor-core kernels read them
    /// as they lie.</summary>
    public static bool IsPagePool(Tensor pages) => pages.IsContiguous
        && pages.OffsetElements * pages.ElementType.SizeBytes() % ViewAlignmentBytes == 0 && pages.Count > 0;

    /// <summary>The memory from the first page of a pool of 16-bit elements on.</summary>
    public ArrayView<int> PagePool(Tensor pages)
    {
        long words = pages.OffsetElements / 2;
        var all = Words(pages);
        return all.SubView(words, all.Length - words);
    }

    private ArrayView<int> Dense(Tensor tensor, ElementType expected)
    {
        if (tensor.ElementType != expected || !tensor.IsContiguous)
            throw new ArgumentException(
                $"expected a contiguous {expected} tensor, got {tensor}{(tensor.IsContiguous ? "" : ", strided")}");
        return Words(tensor).SubView(tensor.OffsetElements, tensor.Count);
    }
}
