using ILGPU;
using ILGPU.Runtime;
using S2ILGPU.Devices;
using S2ILGPU.Engines;
using S2ILGPU.Kernels;
using S2ILGPU.Kernels.Attention.Portable;
using S2ILGPU.Kernels.Attention.TensorCore;
using S2ILGPU.Memory;
using S2ILGPU.Tensors;

namespace S2ILGPU;

public sealed partial class IlgpuEngine
{
    // Kernels count elements in 32 bits; larger tensors are copied in slices.
    private const long MaxCopyElements = 1L << 30;

    private readonly PageTableCopies _pageTables = new();

    /// <inheritdoc/>
    public void Upload(ReadOnlySpan<float> source, Tensor destination)
    {
        CheckHostLength(source.Length, destination);
        if (source.IsEmpty)
            return;
        if (destination.ElementType == ElementType.Float32 && destination.IsContiguous)
        {
            GpuDevices.Upload(_tensors.Floats(destination), _stream, source);
            return;
        }
        using var staging = Allocate(destination.Shape, ElementType.Float32);
        GpuDevices.Upload(_tensors.Floats(staging), _stream, source);
        Copy(staging, destination);
    }

    /// <inheritdoc/>
    public void Upload(ReadOnlySpan<int> source, Tensor destination)
    {
        CheckHostLength(source.Length, destination);
        CheckInteger(nameof(Upload), destination);
        if (source.IsEmpty)
            return;
        if (destination.IsContiguous)
        {
            GpuDevices.Upload(_tensors.Ints(destination), _stream, source);
            return;
        }
        using var staging = Allocate(destination.Shape, ElementType.Int32);
        GpuDevices.Upload(_tensors.Ints(staging), _stream, source);
        Copy(staging, destination);
    }

    /// <inheritdoc/>
    public void Download(Tensor source, Span<float> destination)
    {
        CheckHostLength(destination.Length, source);
        if (destination.IsEmpty)
            return;
        if (source.ElementType == ElementType.Float32 && source.IsContiguous)
        {
            _tensors.Floats(source).CopyToCPU(_stream, destination);
            return;
        }
        using var staging = Allocate(source.Shape, ElementType.Float32);
        Copy(source, staging);
        _tensors.Floats(staging).CopyToCPU(_stream, destination);
    }

    /// <inheritdoc/>
    public void Download(Tensor source, Span<int> destination)
    {
        CheckHostLength(destination.Length, source);
        CheckInteger(nameof(Download), source);
        if (destination.IsEmpty)
            return;
        if (source.IsContiguous)
        {
            _tensors.Ints(source).CopyToCPU(_stream, destination);
            return;
        }
        using var staging = Allocate(source.Shape, ElementType.Int32);
        Copy(source, staging);
        _tensors.Ints(staging).CopyToCPU(_stream, destination);
    }

    /// <inheritdoc/>
    public void Fill(Tensor tensor, float value)
    {
        Action<CopyArguments> kernel = tensor.ElementType switch
        {
            ElementType.Float32 => PortableCopy.Fill<StoredSingle>,
            ElementType.BFloat16 => PortableCopy.Fill<StoredBFloat16>,
            ElementType.Float16 => PortableCopy.Fill<StoredHalf>,
            ElementType.Int32 => PortableCopy.FillBits,
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

    /// <inheritdoc/>
    public void Copy(Tensor source, Tensor destination)
    {
        ShapeException.ThrowUnless(nameof(Copy), nameof(destination), destination, source.Shape);
        if ((source.ElementType == ElementType.Int32) != (destination.ElementType == ElementType.Int32))
            throw new ShapeException(nameof(Copy), nameof(destination),
                $"an integer tensor exactly when the source {source} is one", destination.ToString());
        if (source.Count == 0)
            return;
        if (source.ElementType == destination.ElementType && source.ElementType.SizeBytes() == sizeof(int)
            && source.IsContiguous && destination.IsContiguous)
        {
            var (from, to) = (_tensors.Words(source).SubView(source.OffsetElements, source.Count),
                _tensors.Words(destination).SubView(destination.OffsetElements, source.Count));
            from.CopyTo(_stream, to);
            return;
        }
        var kernel = CopyKernel(source, destination);
        ForEachSlice(source, destination, (from, to) => LaunchOver(to.Count, kernel, CopyOf(from, to)));
    }

    /// <inheritdoc/>
    public long CountNonFinite(Tensor x)
    {
        if (x.Count == 0)
            return 0;
        if (x.ElementType != ElementType.Float32 || !x.IsContiguous)
        {
            using var dense = Allocate(x.Shape, ElementType.Float32);
            Copy(x, dense);
            return CountNonFinite(dense);
        }
        var (groups, threads) = ElementGroups(x.Count);
        var counts = new long[groups * threads];
        using var scratch = new HostCopy<long>(_memory, _stream, counts);
        var view = scratch.View;
        Launch(PortableCount.NonFinite, new Index3D(groups, 1, 1), threads,
            new CountArguments { Values = _tensors.Words(x), Counts = view, First = x.OffsetElements,
            Count = x.Count });
        view.CopyToCPU(_stream, counts.AsSpan());
        return counts.Sum();
    }

    /// <inheritdoc/>
    public void WritePages(Tensor source, Tensor pages, PageTable table, SequenceBatch sequences)
    {
        CheckPages(source, pages, table, sequences);
        var rows = new NewRows[sequences.Sequences.Length];
        int most = 0;
        for (int s = 0; s < rows.Length; s++)
        {
            var sequence = sequences.Sequences[s];
            rows[s] = new NewRows { Batch = sequence.Batch, FirstRow = sequence.QueryStart, Count = sequence.QueryCount,
                FirstPosition = sequence.FirstQueryPosition };
            most = Math.Max(most, sequence.QueryCount);
        }
        int heads = source.Shape[2], headDim = source.Shape[3];
        if (most * heads == 0 || headDim == 0)
            return;
        using var scratch = new HostCopy<NewRows>(_memory, _stream, rows);
        var arguments = new PageArguments
        {
            Sequences = scratch.View,
            Table = _pageTables.On(_memory, _stream, table),
            Source = _tensors.Words(source),
            Destination = _tensors.Words(pages),
            SourceRows = DeviceTensors.HeadRows(source),
            DestinationOffset = pages.OffsetElements,
            PageStride = pages.Stride(0),
            TokenStride = pages.Stride(1),
            Heads = heads, HeadDim = headDim, BlockTokens = pages.Shape[1], MaxBlocks = table.MaxBlocks,
        };
        var kernel = PageKernel(source, pages);
        int groups = (int)Math.Min((long)most * heads, IsEmulated ? 4 : 16L * _accelerator.NumMultiprocessors);
        for (; arguments.FirstSequence < rows.Length; arguments.FirstSequence += ushort.MaxValue)
            Launch(kernel, new Index3D(groups, Math.Min(ushort.MaxValue, rows.Length - arguments.FirstSequence), 1),
                IsEmulated ? 8 : 64, arguments);
    }

    private static void CheckPages(Tensor source, Tensor pages, PageTable table, SequenceBatch sequences)
    {
        if (source.Shape.Rank != 4 || pages.Shape.Rank != 3 || source.Shape[3] != pages.Shape[2]
            || source.Shape[2] != table.KeyValueHeads || (pages.Shape[2] > 1 && pages.Stride(2) != 1))
            throw new ShapeException(nameof(WritePages), nameof(pages),
                $"[P, blockTokens, D] with adjacent D for rows [B, T, {table.KeyValueHeads}, D] {source.Shape}",
                pages.Shape.ToString());
        if (sequences.Sequences.Length > table.Sequences || sequences.MaxKeyCount > (long)table.MaxBlocks
            * pages.Shape[1])
            throw new ArgumentException(
                $"{nameof(WritePages)}: {sequences.Sequences.Length} sequences of up to {sequences.MaxKeyCount} keys, "
                + $"but the page table is for {table.Sequences} of {table.MaxBlocks} blocks of {pages.Shape[1]}");
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
            Source = _tensors.Words(source),
            Destination = _tensors.Words(destination),
            From = StridesOf(source),
            To = StridesOf(destination),
            Extent1 = Extent(3), Extent2 = Extent(2), Extent3 = Extent(1), Count = (int)source.Count,
        };
    }

    private static ElementStrides StridesOf(Tensor tensor)
    {
        long Stride(int fromEnd) => tensor.Shape.Rank >= fromEnd ? tensor.Stride(-fromEnd) : 0;
        return new ElementStrides { Offset = tensor.OffsetElements, Stride0 = Stride(4), Stride1 = Stride(3),
            Stride2 = Stride(2), Stride3 = Stride(1) };
    }

    private static Action<CopyArguments> CopyKernel(Tensor source, Tensor destination) =>
        (source.ElementType, destination.ElementType) switch
    {
        (ElementType.Float32, ElementType.Float32) or (ElementType.Int32, ElementType.Int32) =>
            PortableCopy.Copy<StoredSingle, StoredSingle>,
        (ElementType.Float32, ElementType.BFloat16) => PortableCopy.Copy<StoredSingle, StoredBFloat16>,
        (ElementType.Float32, ElementType.Float16) => PortableCopy.Copy<StoredSingle, StoredHalf>,
        (ElementType.BFloat16, ElementType.Float32) => PortableCopy.Copy<StoredBFloat16, StoredSingle>,
        (ElementType.BFloat16, ElementType.BFloat16) => PortableCopy.Copy<StoredBFloat16, StoredBFloat16>,
        (ElementType.BFloat16, ElementType.Float16) => PortableCopy.Copy<StoredBFloat16, StoredHalf>,
        (ElementType.Float16, ElementType.Float32) => PortableCopy.Copy<StoredHalf, StoredSingle>,
        (ElementType.Float16, ElementType.BFloat16) => PortableCopy.Copy<StoredHalf, StoredBFloat16>,
        (ElementType.Float16, ElementType.Float16) => PortableCopy.Copy<StoredHalf, StoredHalf>,
        _ => throw Unsupported(nameof(Copy), source.ElementType is ElementType.Float64 ? source : destination),
    };

    private static Action<PageArguments> PageKernel(Tensor source, Tensor pages) =>
        (source.ElementType, pages.ElementType) switch
    {
        (ElementType.Float32, ElementType.Float32) => PortablePages.Write<StoredSingle, StoredSingle>,
        (ElementType.Float32, ElementType.BFloat16) => PortablePages.Write<StoredSingle, StoredBFloat16>,
        (ElementType.Float32, ElementType.Float16) => PortablePages.Write<StoredSingle, StoredHalf>,
        (ElementType.BFloat16, ElementType.BFloat16) => PortablePages.Write<StoredBFloat16, StoredBFloat16>,
        (ElementType.Float16, ElementType.Float16) => PortablePages.Write<StoredHalf, StoredHalf>,
        _ => throw new ArgumentException(
            $"{nameof(WritePages)}: no conversion from {source.ElementType} to pages of {pages.ElementType}"),
    };

    private static ArgumentException Unsupported(string operation, Tensor tensor) =>
        new($"{operation}: GPU engines hold Float32, BFloat16, Float16 and Int32, not {tensor}");

    private static void CheckInteger(string operation, Tensor tensor)
    {
        if (tensor.ElementType != ElementType.Int32)
            throw new ShapeException(operation, nameof(tensor), "of type Int32", tensor.ToString());
    }

    private static void CheckHostLength(int length, Tensor tensor)
    {
        if (length != tensor.Count)
            throw new ArgumentException($"{length} host values for a tensor {tensor.Shape} of {tensor.Count} elements");
    }
}
