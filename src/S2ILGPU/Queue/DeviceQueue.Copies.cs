using ILGPU;
using ILGPU.Runtime;
using S2ILGPU.Devices;
using S2ILGPU.Engines;
using S2ILGPU.Kernels;
using S2ILGPU.Kernels.Memory;
using S2ILGPU.Tensors;

namespace S2ILGPU.Queue;

internal sealed partial class DeviceQueue
{
    // Kernels count elements in 32 bits; larger tensors are copied in slices.
    private const long MaxCopyElements = 1L << 30;

    /// <summary>Sets every element of a tensor of any strides.</summary>
    /// <exception cref="ArgumentException">The tensor has an element type that devices do not hold.</exception>
    public void Fill(Tensor tensor, float value)
    {
        Action<CopyArguments> kernel = tensor.ElementType switch
        {
            ElementType.Float32 => CopyKernel.Fill<StoredSingle>,
            ElementType.BFloat16 => CopyKernel.Fill<StoredBFloat16>,
            ElementType.Float16 => CopyKernel.Fill<StoredHalf>,
            ElementType.Int32 => CopyKernel.FillBits,
            _ => throw Unsupported(nameof(Fill), tensor),
        };
        float stored = tensor.ElementType == ElementType.Int32 ? BitConverter.Int32BitsToSingle((int)value) : value;
        ForEachSlice(tensor, tensor, (_, slice) =>
        {
            var arguments = CopyOf(slice, slice);
            arguments.Value = stored;
            LaunchOver(slice.Count, kernel, arguments);
        });
    }

    /// <summary>Copies between tensors of the same shape, any strides and float types.</summary>
    /// <exception cref="ShapeException">The shapes differ, or only one of the tensors holds integers.</exception>
    /// <exception cref="ArgumentException">A tensor has an element type that devices do not hold.</exception>
    /// <exception cref="DeviceLostException">The device has stopped working.</exception>
    public void Copy(Tensor source, Tensor destination)
    {
        ShapeException.ThrowUnless(nameof(Copy), nameof(destination), destination, source.Shape);
        if ((source.ElementType == ElementType.Int32) != (destination.ElementType == ElementType.Int32))
            throw new ShapeException(nameof(Copy), nameof(destination),
                $"an integer tensor exactly when the source {source} is one", destination.ToString());
        if (source.Count == 0)
            return;
        if (source.ElementType == destination.ElementType && source.ElementType.SizeBytes() is 4 or 1
            && source.IsContiguous && destination.IsContiguous)
        {
            try
            {
                WordsOf(source).CopyTo(Stream, WordsOf(destination));
            }
            catch (Exception exception) when (LostDevice.IsLost(Stream))
            {
                throw LostDevice.Because(exception, Stream);
            }
            return;
        }
        var kernel = CopyKernelOf(source, destination);
        ForEachSlice(source, destination, (from, to) => LaunchOver(to.Count, kernel, CopyOf(from, to)));
    }

    // Of a contiguous tensor; one of Int8 is made of pages, which are whole words.
    private ArrayView<int> WordsOf(Tensor tensor)
    {
        int elements = sizeof(int) / tensor.ElementType.SizeBytes();
        if (tensor.OffsetElements % elements != 0 || tensor.Count % elements != 0)
            throw Unsupported(nameof(Copy), tensor);
        return Tensors.Words(tensor).SubView(tensor.OffsetElements / elements, tensor.Count / elements);
    }

    // Slices along the first dimension of more than one element until a kernel can count the elements.
    private static void ForEachSlice(Tensor source, Tensor destination, Action<Tensor, Tensor> action)
    {
        if (source.Count == 0)
            return;
        if (source.Count < MaxCopyElements)
        {
            action(source, destination);
            return;
        }
        int dimension = 0;
        while (source.Shape[dimension] == 1)
            dimension++;
        int half = source.Shape[dimension] / 2;
        foreach (var (start, count) in ((int, int)[])[(0, half), (half, source.Shape[dimension] - half)])
        {
            using var from = source.Slice(dimension, start, count);
            using var to = destination.Slice(dimension, start, count);
            ForEachSlice(from, to, action);
        }
    }

    private CopyArguments CopyOf(Tensor source, Tensor destination)
    {
        var shape = source.Shape;
        int Extent(int fromEnd) => shape.Rank >= fromEnd ? shape[-fromEnd] : 1;
        return new CopyArguments
        {
            Source = Tensors.Words(source),
            Destination = Tensors.Words(destination),
            From = StridesOf(source),
            To = StridesOf(destination),
            Extent1 = Extent(3),
            Extent2 = Extent(2),
            Extent3 = Extent(1),
            Count = (int)source.Count,
        };
    }

    private static ElementStrides StridesOf(Tensor tensor)
    {
        long Stride(int fromEnd) => tensor.Shape.Rank >= fromEnd ? tensor.Stride(-fromEnd) : 0;
        return new ElementStrides
        {
            Offset = tensor.OffsetElements,
            Stride0 = Stride(4),
            Stride1 = Stride(3),
            Stride2 = Stride(2),
            Stride3 = Stride(1),
        };
    }

    private static Action<CopyArguments> CopyKernelOf(Tensor source, Tensor destination) =>
        (source.ElementType, destination.ElementType) switch
        {
            (ElementType.Float32, ElementType.Float32) or (ElementType.Int32, ElementType.Int32) =>
                CopyKernel.Copy<StoredSingle, StoredSingle>,
            (ElementType.Float32, ElementType.BFloat16) => CopyKernel.Copy<StoredSingle, StoredBFloat16>,
            (ElementType.Float32, ElementType.Float16) => CopyKernel.Copy<StoredSingle, StoredHalf>,
            (ElementType.BFloat16, ElementType.Float32) => CopyKernel.Copy<StoredBFloat16, StoredSingle>,
            (ElementType.BFloat16, ElementType.BFloat16) => CopyKernel.Copy<StoredBFloat16, StoredBFloat16>,
            (ElementType.BFloat16, ElementType.Float16) => CopyKernel.Copy<StoredBFloat16, StoredHalf>,
            (ElementType.Float16, ElementType.Float32) => CopyKernel.Copy<StoredHalf, StoredSingle>,
            (ElementType.Float16, ElementType.BFloat16) => CopyKernel.Copy<StoredHalf, StoredBFloat16>,
            (ElementType.Float16, ElementType.Float16) => CopyKernel.Copy<StoredHalf, StoredHalf>,
            _ => throw Unsupported(nameof(Copy), source.ElementType is ElementType.Float64 ? source : destination),
        };

    private static ArgumentException Unsupported(string operation, Tensor tensor) =>
        new($"{operation}: GPU engines hold Float32, BFloat16, Float16, Int32 and whole pages of Int8, not {tensor}");
}
