using ILGPU;
using S2ILGPU.Engines;
using S2ILGPU.Kernels;
using S2ILGPU.Kernels.Memory;
using S2ILGPU.Memory;
using S2ILGPU.Queue;
using S2ILGPU.Tensors;

namespace S2ILGPU;

public sealed partial class IlgpuEngine
{
    private readonly PageTableCopies _pageTables;

    /// <inheritdoc/>
    public long UsedBytes => _queue.Memory.UsedBytes;

    /// <inheritdoc/>
    public long PeakBytes => _queue.Memory.PeakBytes;

    /// <inheritdoc/>
    /// <remarks>Null on OpenCL devices, whose memory has no addresses.</remarks>
    public IDeviceMemory? DeviceMemory => _queue.Addresses;

    /// <inheritdoc/>
    public Tensor Allocate(Shape shape, ElementType elementType) => _queue.Allocate(shape, elementType);

    /// <inheritdoc/>
    public void Upload(ReadOnlySpan<float> source, Tensor destination)
    {
        CheckHostLength(source.Length, destination);
        if (source.IsEmpty)
            return;
        if (destination.ElementType == ElementType.Float32 && destination.IsContiguous)
        {
            _queue.Upload(source, _tensors.Floats(destination));
            return;
        }
        using var staging = Allocate(destination.Shape, ElementType.Float32);
        _queue.Upload(source, _tensors.Floats(staging));
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
            _queue.Upload(source, _tensors.Ints(destination));
            return;
        }
        using var staging = Allocate(destination.Shape, ElementType.Int32);
        _queue.Upload(source, _tensors.Ints(staging));
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
            _queue.Download(_tensors.Floats(source), destination);
            return;
        }
        using var staging = Allocate(source.Shape, ElementType.Float32);
        Copy(source, staging);
        _queue.Download(_tensors.Floats(staging), destination);
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
            _queue.Download(_tensors.Ints(source), destination);
            return;
        }
        using var staging = Allocate(source.Shape, ElementType.Int32);
        Copy(source, staging);
        _queue.Download(_tensors.Ints(staging), destination);
    }

    /// <inheritdoc/>
    public void Fill(Tensor tensor, float value) => _queue.Fill(tensor, value);

    /// <inheritdoc/>
    public void Copy(Tensor source, Tensor destination) => _queue.Copy(source, destination);

    /// <inheritdoc/>
    public void WritePages(Tensor source, Tensor pages, PageTable table, SequenceBatch sequences)
    {
        CheckPages(source, pages, table, sequences);
        var rows = new NewRows[sequences.Sequences.Length];
        int most = 0;
        for (int s = 0; s < rows.Length; s++)
        {
            var sequence = sequences.Sequences[s];
            rows[s] = new NewRows
            {
                Batch = sequence.Batch,
                FirstRow = sequence.QueryStart,
                Count = sequence.QueryCount,
                FirstPosition = sequence.FirstQueryPosition,
            };
            most = Math.Max(most, sequence.QueryCount);
        }
        int heads = source.Shape[2], headDim = source.Shape[3];
        if (most * heads == 0 || headDim == 0)
            return;
        using var scratch = new HostCopy<NewRows>(_queue, rows);
        var arguments = new PageArguments
        {
            Sequences = scratch.View,
            Table = _pageTables.Of(table),
            Source = _tensors.Words(source),
            Destination = _tensors.Words(pages),
            SourceRows = DeviceTensors.HeadRows(source),
            DestinationOffset = pages.OffsetElements,
            PageStride = pages.Stride(0),
            TokenStride = pages.Stride(1),
            Heads = heads,
            HeadDim = headDim,
            BlockTokens = pages.Shape[1],
            MaxBlocks = table.MaxBlocks,
        };
        var kernel = PagesKernelOf(source, pages);
        int groups = (int)Math.Min((long)most * heads, _queue.IsEmulated ? 4 : 16L * _queue.Multiprocessors);
        for (; arguments.FirstSequence < rows.Length; arguments.FirstSequence += ushort.MaxValue)
            _queue.Launch(kernel,
                new Index3D(groups, Math.Min(ushort.MaxValue, rows.Length - arguments.FirstSequence), 1),
                _queue.IsEmulated ? 8 : 64, arguments);
    }

    private static void CheckPages(Tensor source, Tensor pages, PageTable table, SequenceBatch sequences)
    {
        if (source.Shape.Rank != 4 || pages.Shape.Rank != 3 || source.Shape[2] != table.KeyValueHeads
            || !PageRows.Fit(pages, source.Shape[3]))
            throw new ShapeException(nameof(WritePages), nameof(pages),
                $"{PageRows.Expected(pages.ElementType)} for rows [B, T, {table.KeyValueHeads}, D] {source.Shape}",
                pages.ToString());
        if (sequences.Sequences.Length > table.Sequences || sequences.MaxKeyCount > (long)table.MaxBlocks
            * pages.Shape[1])
            throw new ArgumentException(
                $"{nameof(WritePages)}: {sequences.Sequences.Length} sequences of up to {sequences.MaxKeyCount} keys, "
                + $"but the page table is for {table.Sequences} of {table.MaxBlocks} blocks of {pages.Shape[1]}");
    }

    private static Action<PageArguments> PagesKernelOf(Tensor source, Tensor pages) =>
        (source.ElementType, pages.ElementType) switch
    {
        (ElementType.Float32, ElementType.Float32) => PagesKernel.Write<StoredSingle, StoredSingle>,
        (ElementType.Float32, ElementType.BFloat16) => PagesKernel.Write<StoredSingle, StoredBFloat16>,
        (ElementType.Float32, ElementType.Float16) => PagesKernel.Write<StoredSingle, StoredHalf>,
        (ElementType.BFloat16, ElementType.BFloat16) => PagesKernel.Write<StoredBFloat16, StoredBFloat16>,
        (ElementType.Float16, ElementType.Float16) => PagesKernel.Write<StoredHalf, StoredHalf>,
        (ElementType.Float32, ElementType.Int8) => PagesKernel.WriteInt8<StoredSingle>,
        (ElementType.BFloat16, ElementType.Int8) => PagesKernel.WriteInt8<StoredBFloat16>,
        (ElementType.Float16, ElementType.Int8) => PagesKernel.WriteInt8<StoredHalf>,
        _ => throw new ArgumentException(
            $"{nameof(WritePages)}: no conversion from {source.ElementType} to pages of {pages.ElementType}"),
    };

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
