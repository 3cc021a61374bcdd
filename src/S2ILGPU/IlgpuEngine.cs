using ILGPU;
using ILGPU.Runtime;
using S2ILGPU.Attention;
using S2ILGPU.Compiler;
using S2ILGPU.Devices;
using S2ILGPU.Engines;
using S2ILGPU.Memory;
using S2ILGPU.Products;
using S2ILGPU.Queue;
using S2ILGPU.Tensors;

namespace S2ILGPU;

/// <summary>The engine on an ILGPU accelerator: CUDA, OpenCL, or (for tests) the CPU. Parameters are float32;
/// activations are float32, bfloat16 or float16, computed in float32.</summary>
/// <remarks>
/// <para>Work is queued on one stream and nothing waits but downloads. Deterministic: same inputs, same bits, on the
/// same device.</para>
/// <para>Driven by one thread at a time. Tensors of a disposed engine must not be used; disposing them afterwards is
/// harmless.</para>
/// </remarks>
public sealed partial class IlgpuEngine : IEngine
{
    private readonly DeviceQueue _queue;
    private readonly DeviceTensors _tensors;
    private readonly IDisposable? _owned;

    /// <summary>Creates an engine on an accelerator of the caller.</summary>
    /// <param name="accelerator">Stays with the caller; dispose it after the engine. Its context must have been created
    /// with <c>EnableAlgorithms()</c>, and with <see cref="IlgpuContexts.WithTensorCores"/> for 16-bit attention on
    /// tensor cores: <see cref="UsesTensorCores"/>.</param>
    /// <param name="stream">The stream to queue work on, the caller's to synchronise; null for a stream of the engine's
    /// own.</param>
    /// <param name="options">Where compiled kernels are kept; null for the defaults.</param>
    /// <exception cref="NotSupportedException">The accelerator is too small for the kernels, which need groups of 128
    /// threads (ILGPU's default CPU device has 16; a <c>CPUDevice(32, 8, 1)</c> will do) and 36,096 bytes of shared
    /// memory per group. The message has what is needed and what there is.</exception>
    public IlgpuEngine(Accelerator accelerator, AcceleratorStream? stream = null, IlgpuOptions? options = null)
        : this(accelerator, stream, mayUseTensorCores: true, null, null, options)
    {
    }

    internal IlgpuEngine(Accelerator accelerator, AcceleratorStream? stream, bool mayUseTensorCores, IDisposable? owned,
        long? memoryLimitBytes, IlgpuOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(accelerator);
        if (DeviceLimits.Missing(accelerator.Device) is { } missing)
            throw new NotSupportedException(missing);
        _owned = owned;
        _queue = new DeviceQueue(accelerator, stream, typeof(IlgpuEngine),
            memoryLimitBytes ?? DeviceLimits.MemoryBytes(accelerator.Device),
            new KernelStore(KernelStore.FolderOf(options?.KernelCacheFolder, Environment.GetEnvironmentVariable)));
        _tensors = _queue.Tensors;
        _pageTables = new PageTableCopies(_queue);
        var kernels = new AttentionKernels(accelerator.Device, accelerator.Context.KnowsTensorCores(),
            mayUseTensorCores);
        _attention = new DeviceAttention(_queue, _pageTables, kernels);
        _sampler = new DeviceSampler(_queue, _pageTables, kernels);
        _products = new TensorCoreProducts(_queue, kernels) { AllowTf32 = options?.AllowTf32 ?? false };
        Name = GpuDevices.DisplayName(accelerator.Device);
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public ElementType FloatType => ElementType.Float32;

    /// <inheritdoc/>
    public bool SupportsActivations(ElementType elementType) => SupportsAttention(elementType);

    /// <summary>What this engine does in a slower way than a caller may think, one plain sentence each with what would
    /// avoid it. Empty: nothing so far.</summary>
    /// <value>What the device lacks is there from the beginning. What a call lacks (its element type, its head dim)
    /// comes up with the first call of its kind and never again.</value>
    /// <remarks>A copy, made on the thread that drives the engine.</remarks>
    public IReadOnlyList<string> Notes => _queue.KernelStore.Note is { } kernels
        ? [.. AttentionKernels.Notes, .. _products.Notes, kernels] : [.. AttentionKernels.Notes, .. _products.Notes];

    /// <summary>What the kernels that were loaded so far take of a CUDA device; empty on other devices.</summary>
    internal IReadOnlyList<KernelResources> LoadedKernels() => _queue.LoadedKernels();

    /// <summary>The device's queue.</summary>
    internal DeviceQueue Queue => _queue;

    /// <summary>Whether memory is handed out full of NaN; for tests.</summary>
    internal bool PoisonsMemory
    {
        set => _queue.Memory.Poison = value ? _queue.Stream : null;
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
        return Tensor.Create(ForeignBuffer.Of(_queue.Memory, memory), new Shape(shape), elementType);
    }

    /// <inheritdoc/>
    /// <exception cref="DeviceLostException">The device has stopped working.</exception>
    public void Synchronize() => _queue.Synchronize();

    /// <inheritdoc/>
    /// <remarks>Throws nothing when the device was lost.</remarks>
    public void Dispose() => LostDevice.Free(_queue.Dispose, () => _owned?.Dispose());

    /// <summary>Frees cached plans, page tables and idle memory.</summary>
    internal void Trim()
    {
        _attention.Trim();
        _pageTables.Clear();
        _queue.Memory.Trim();
    }
}
