using ILGPU;
using ILGPU.Runtime;
using S2ILGPU.Attention;
using S2ILGPU.Compiler;
using S2ILGPU.Devices;
using S2ILGPU.Engines;
using S2ILGPU.Memory;
using S2ILGPU.Tensors;

namespace S2ILGPU;

/// <summary>The engine on an ILGPU accelerator: CUDA, OpenCL, or (for tests) the CPU. Parameters and activations are
/// float32; attention takes bfloat16 and float16 tensors too.</summary>
/// <remarks>
/// <para>Work is queued on one stream and nothing waits but downloads. Deterministic: same inputs, same bits, on the
/// same device.</para>
/// <para>Driven by one thread at a time. Tensors of a disposed engine must not be used; disposing them afterwards is
/// harmless.</para>
/// </remarks>
public sealed partial class IlgpuEngine : IEngine
{
    private readonly Accelerator _accelerator;
    private readonly AcceleratorStream _stream;
    private readonly IDisposable? _owned;
    private readonly bool _ownsStream;
    private readonly DeviceAllocator _memory;
    private readonly DeviceTensors _tensors;
    private readonly KernelCache _kernels;

    /// <summary>Creates an engine on an accelerator of the caller.</summary>
    /// <param name="accelerator">Stays with the caller; dispose it after the engine. Its context must have been created
    /// with <c>EnableAlgorithms()</c>, and with <see cref="IlgpuContexts.WithTensorCores"/> for 16-bit attention on
    /// tensor cores: <see cref="UsesTensorCores"/>.</param>
    /// <param name="stream">The stream to queue work on, the caller's to synchronise; null for a stream of the engine's
    /// own.</param>
    /// <exception cref="NotSupportedException">The accelerator is too small for the kernels, which need groups of 128
    /// threads (ILGPU's default CPU device has 16; a <c>CPUDevice(32, 8, 1)</c> will do) and 36,096 bytes of shared
    /// memory per group. The message has what is needed and what there is.</exception>
    public IlgpuEngine(Accelerator accelerator, AcceleratorStream? stream = null)
        : this(accelerator, stream, mayUseTensorCores: true, null, null)
    {
    }

    internal IlgpuEngine(Accelerator accelerator, AcceleratorStream? stream, bool mayUseTensorCores, IDisposable? owned,
        long? memoryLimitBytes)
    {
        ArgumentNullException.ThrowIfNull(accelerator);
        if (DeviceLimits.Missing(accelerator.Device) is { } missing)
            throw new NotSupportedException(missing);
        _accelerator = accelerator;
        _owned = owned;
        _ownsStream = stream is null;
        _stream = stream ?? accelerator.CreateStream();
        _memory = new DeviceAllocator(accelerator, memoryLimitBytes ?? IlgpuDevices.MemoryBytes(accelerator.Device));
        _tensors = new DeviceTensors(_memory);
        _kernels = new KernelCache(accelerator);
        _plans = new PlanCache(_memory, _stream);
        _attentionKernels = new AttentionKernels(accelerator.Device, mayUseTensorCores
            && accelerator.Context.KnowsTensorCores());
        _portableAttention = new PortableAttention(this, _tensors, _plans, _attentionKernels);
        _tensorCoreAttention = new TensorCoreAttention(this, _tensors, _plans, _attentionKernels,
            _portableAttention);
        IsEmulated = accelerator.AcceleratorType == AcceleratorType.CPU;
    }

    /// <inheritdoc/>
    public string Name => IlgpuDevices.DisplayName(_accelerator.Device);

    /// <summary>Whether attention on 16-bit tensors runs on tensor cores where there is a kernel for it: head dims 64,
    /// 96, 128 and 256.</summary>
    /// <remarks>True when the context was created with <see cref="IlgpuContexts.WithTensorCores"/> and the device is a
    /// CUDA device of compute capability 8.0 or later; or a CPU device of one multiprocessor, warps of 32 and groups of
    /// 256 threads, which runs the same kernels for tests. Otherwise 16-bit attention is computed by portable kernels
    /// in single precision.</remarks>
    public bool UsesTensorCores => _attentionKernels.UseTensorCores;

    /// <inheritdoc/>
    public ElementType FloatType => ElementType.Float32;

    /// <inheritdoc/>
    public long UsedBytes => _memory.UsedBytes;

    /// <inheritdoc/>
    public long PeakBytes => _memory.PeakBytes;

    /// <summary>Whether the device executes kernels one thread at a time, for tests: a thread costs about a
    /// microsecond, a barrier of a group much more.</summary>
    internal bool IsEmulated { get; }

    /// <summary>Multiprocessors of the device.</summary>
    internal int Multiprocessors => _accelerator.NumMultiprocessors;

    /// <summary>Number of buffers that tensors, plans and running calls hold.</summary>
    internal int LiveBuffers => _memory.LiveBuffers;

    /// <summary>The stream that all work is queued on.</summary>
    internal AcceleratorStream Stream => _stream;

    /// <summary>Loaded kernels.</summary>
    internal KernelCache Kernels => _kernels;

    /// <inheritdoc/>
    public Tensor Allocate(Shape shape, ElementType elementType)
    {
        var buffer = _memory.Rent(shape.Count * elementType.SizeBytes());
        try
        {
            return Tensor.Create(buffer, shape, elementType);
        }
        catch
        {
            _memory.Return(buffer);
            throw;
        }
    }

    /// <summary>Memory of the program as a tensor, without a copy: the way for programs that have views of their own
    /// and want attention on them.</summary>
    /// <param name="memory">Row-major elements: <c>float</c> is Float32, <c>ILGPU.Half</c> Float16, <c>ushort</c> the
    /// bits of BFloat16, <c>int</c> Int32. Stays with the caller and must outlive the tensor; begins at a multiple of
    /// 16 bytes of its buffer and holds a multiple of 4.</param>
    /// <param name="shape">The extents.</param>
    /// <returns>A contiguous tensor over the memory; disposing it frees nothing.</returns>
    /// <exception cref="ArgumentException">The memory is too small, begins or ends at an odd place, or has another
    /// element type.</exception>
    public Tensor View<T>(ArrayView<T> memory, params ReadOnlySpan<int> shape)
        where T : unmanaged
    {
        var elementType = default(T) switch
        {
            float => ElementType.Float32,
            ILGPU.Half => ElementType.Float16,
            ushort => ElementType.BFloat16,
            int => ElementType.Int32,
            _ => throw new ArgumentException(
                $"tensors hold float, ILGPU.Half, ushort (the bits of bfloat16) and int, not {typeof(T).Name}"),
        };
        return Tensor.Create(ForeignBuffer.Of(_memory, memory), new Shape(shape), elementType);
    }

    /// <inheritdoc/>
    public void Synchronize() => _stream.Synchronize();

    /// <inheritdoc/>
    public void Dispose()
    {
        _stream.Synchronize();
        _memory.Dispose();
        if (_ownsStream)
            _stream.Dispose();
        _owned?.Dispose();
    }

    /// <summary>Queues a kernel.</summary>
    /// <param name="kernel">A static method with one argument, explicitly grouped; loaded once.</param>
    /// <param name="groups">Groups of threads; Y and Z at most 65535.</param>
    /// <param name="threads">Threads of a group, at most as many as the device has; 128 every device has.</param>
    /// <param name="arguments">What the kernel gets.</param>
    internal void Launch<TArguments>(Action<TArguments> kernel, Index3D groups, int threads, in TArguments arguments)
        where TArguments : struct
    {
        if (groups.X > 0 && groups.Y > 0 && groups.Z > 0)
            _kernels.Portable(kernel)(_stream, new KernelConfig(groups, new Index3D(threads, 1, 1)), arguments);
    }

    /// <summary>Queues a kernel whose thread t of T owns the elements t, t + T, t + 2T, ...; no work when there are no
    /// elements.</summary>
    internal void LaunchOver<TArguments>(long count, Action<TArguments> kernel, in TArguments arguments)
        where TArguments : struct
    {
        var (groups, threads) = ElementGroups(count);
        Launch(kernel, new Index3D(groups, 1, 1), threads, arguments);
    }

    /// <summary>
    /// Groups and threads for <paramref name="count"/> independent elements: enough to fill the device, then threads
    /// take several elements. Depends on the count alone on a given device.
    /// </summary>
    internal (int Groups, int Threads) ElementGroups(long count)
    {
        // Emulated devices pay for threads, so they get few, though more than one group.
        int threads = IsEmulated ? 16 : Math.Min(256, _accelerator.MaxNumThreadsPerGroup);
        long most = IsEmulated ? 3 : 16L * _accelerator.NumMultiprocessors;
        return ((int)Math.Min(most, (count + threads - 1) / threads), threads);
    }
}
