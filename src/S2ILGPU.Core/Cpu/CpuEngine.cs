using System.Buffers;
using System.Runtime.Intrinsics.Arm;
using S2ILGPU.Cpu.InnerLoops;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Cpu.Threads;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cpu;

/// <summary>The CPU engine: explicit SIMD on all cores, float32. The default where there is no GPU.</summary>
/// <remarks>
/// <para>Same inputs give the same bits for any number of threads. Other SIMD widths round differently.</para>
/// <para>Operations run before they return. Tensors of a disposed engine must not be used; disposing them afterwards is
/// harmless.</para>
/// </remarks>
public sealed unsafe partial class CpuEngine : IEngine
{
    private readonly CpuAllocator _memory = new(typeof(CpuEngine));
    private readonly WorkerPool _pool;
    private readonly SimdWidth _simd;
    private readonly Blocking _blocking;
    private readonly RangeRunner _runner;

    /// <summary>Creates an engine with the widest SIMD registers and all processors.</summary>
    public CpuEngine() : this(new CpuOptions())
    {
    }

    /// <summary>Creates an engine.</summary>
    /// <param name="options">SIMD width, number of threads, sizes of caches.</param>
    /// <exception cref="ArgumentOutOfRangeException">The number of threads is negative, or the size of a cache is not
    /// positive.</exception>
    /// <exception cref="PlatformNotSupportedException">The machine has no SIMD registers of that width.</exception>
    public CpuEngine(CpuOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfNegative(options.Threads);
        Caches = options.Caches ?? CacheSizes.Machine;
        if (Caches is not { Level1Bytes: > 0, Level2Bytes: > 0, LastLevelBytes: > 0 })
            throw new ArgumentOutOfRangeException(nameof(options), $"sizes of caches must be positive: {Caches}");
        _simd = SimdWidths.Resolve(options.Simd);
        _blocking = Blocking.Of(_simd, Caches.Level1Bytes, Caches.Level2Bytes);
        _pool = new WorkerPool(options.Threads == 0 ? Environment.ProcessorCount : options.Threads);
        _runner = new RangeRunner(_simd, _pool);
        _product = CreateProduct(_simd, _pool, _memory, _blocking);
    }

    /// <inheritdoc/>
    public string Name => DeviceName(SimdName(_simd), Threads);

    /// <inheritdoc/>
    public ElementType FloatType => ElementType.Float32;

    /// <summary>Float32 or BFloat16.</summary>
    /// <param name="elementType">The element type.</param>
    public bool SupportsActivations(ElementType elementType) =>
        elementType is ElementType.Float32 or ElementType.BFloat16;

    /// <summary>Width of the SIMD registers in use.</summary>
    public SimdWidth Simd => _simd;

    /// <summary>Number of threads, the calling one included.</summary>
    public int Threads => _pool.Workers;

    /// <summary>Sizes of the caches that kernels are cut for.</summary>
    internal CacheSizes Caches { get; }

    /// <summary>How much of its operands a product takes at a time.</summary>
    internal Blocking Blocking => _blocking;

    /// <summary>Whether memory is handed out full of NaN; for tests.</summary>
    internal bool PoisonsMemory
    {
        set => _memory.IsPoisoned = value;
    }

    /// <summary>The threads.</summary>
    internal WorkerPool Pool => _pool;

    /// <inheritdoc/>
    public long UsedBytes => _memory.UsedBytes;

    /// <inheritdoc/>
    public long PeakBytes => _memory.PeakBytes;

    /// <summary>What a person calls an engine.</summary>
    internal static string DeviceName(string simdName, int threads) =>
        $"CPU ({simdName}, {(threads == 1 ? "1 thread" : $"{threads} threads")})";

    /// <summary>The name that people use for a width, as in <c>AVX-512</c>.</summary>
    /// <param name="width">A resolved width.</param>
    internal static string SimdName(SimdWidth width) => width switch
    {
        SimdWidth.Bits512 => "AVX-512",
        SimdWidth.Bits256 => "AVX2",
        SimdWidth.Bits128 => AdvSimd.IsSupported ? "NEON" : "SSE",
        _ => "scalar",
    };

    /// <summary>Number of SIMD registers of a width that kernels use: processors with AVX-512 have 32 of the narrower
    /// widths too.</summary>
    /// <param name="width">A resolved width.</param>
    internal static int RegisterCount(SimdWidth width) => width switch
    {
        SimdWidth.Bits512 => Registers<Simd512>(),
        SimdWidth.Bits256 => Registers<Simd256>(),
        SimdWidth.Bits128 => Registers<Simd128>(),
        _ => Registers<SimdScalar>(),
    };

    private static int Registers<T>()
        where T : unmanaged, ISimd<T> => T.HasManyRegisters ? 32 : 16;

    /// <summary>Returns at once: operations run before they return.</summary>
    public void Synchronize()
    {
    }

    /// <inheritdoc/>
    public Tensor Allocate(Shape shape, ElementType elementType) =>
        Tensor.Create(_memory.Rent(shape.Count * elementType.SizeBytes()), shape, elementType);

    /// <summary>Memory of the program as a tensor, without a copy: any CPU engine reads and writes it in
    /// place.</summary>
    /// <param name="memory">Row-major elements: <c>float</c> is Float32, <c>Half</c> Float16, <c>ushort</c> the bits of
    /// BFloat16, <c>int</c> Int32. An array converts by itself. Pinned until the last tensor over it is disposed;
    /// whatever owns it (an array, a pool) must not give it to others before that.</param>
    /// <param name="shape">The extents.</param>
    /// <returns>A contiguous tensor over the memory; the caller disposes it, which ends the pinning and frees
    /// nothing.</returns>
    /// <exception cref="ArgumentException">The memory is too small, or has another element type.</exception>
    public static Tensor View<T>(Memory<T> memory, params ReadOnlySpan<int> shape)
        where T : unmanaged
    {
        var elementType = default(T) switch
        {
            float => ElementType.Float32,
            Half => ElementType.Float16,
            ushort => ElementType.BFloat16,
            int => ElementType.Int32,
            _ => throw new ArgumentException(
                $"tensors hold float, Half, ushort (the bits of bfloat16) and int, not {typeof(T).Name}"),
        };
        var extents = new Shape(shape);
        if (extents.Count > memory.Length)
            throw new ArgumentException($"{elementType} {extents} needs {extents.Count} elements, the memory has "
                + $"{memory.Length}");
        var buffer = new HostBuffer(memory.Pin(), (long)memory.Length * sizeof(T));
        return Tensor.Create(buffer, extents, elementType);
    }

    /// <summary>Memory at an address, of another library or language, as a tensor: any CPU engine reads and writes it
    /// in place.</summary>
    /// <param name="address">Address of the first element, a multiple of the element's size. Trusted: it must hold all
    /// elements until the last tensor over it is disposed. May be 0 when there are no elements.</param>
    /// <param name="elementType">The element type.</param>
    /// <param name="shape">The extents.</param>
    /// <param name="strides">Distance of neighbours in elements, one per dimension; 0 repeats what is read.</param>
    /// <returns>A tensor over the memory; the caller disposes it, which frees nothing.</returns>
    /// <exception cref="ArgumentException">The address is 0 or not aligned, or there are more or fewer strides than
    /// dimensions.</exception>
    public static Tensor View(nint address, ElementType elementType, Shape shape, Shape strides)
    {
        int size = elementType.SizeBytes();
        if (strides.Rank != shape.Rank)
            throw new ArgumentException($"{strides.Rank} strides for a shape {shape}");
        if (address % size != 0 || (address == 0 && shape.Count > 0))
            throw new ArgumentException($"{elementType} {shape} at address 0x{address:x}, which must be a multiple of "
                + $"{size} and not 0");
        long last = 0;
        for (int d = 0; d < shape.Rank; d++)
            last += Math.Max(0L, shape[d] - 1) * strides[d];
        var buffer = new HostBuffer(new MemoryHandle((void*)address), shape.Count == 0 ? 0 : (last + 1) * size);
        return Tensor.Create(buffer, shape, strides, elementType);
    }

    /// <inheritdoc/>
    public void Upload(ReadOnlySpan<float> source, Tensor destination)
    {
        fixed (float* host = source)
            CopyElements(HostView(host, source.Length, destination, ElementType.Float32), StridedView.Of(destination));
    }

    /// <inheritdoc/>
    public void Upload(ReadOnlySpan<int> source, Tensor destination)
    {
        fixed (int* host = source)
            CopyElements(HostView(host, source.Length, destination, ElementType.Int32), StridedView.Of(destination));
    }

    /// <inheritdoc/>
    public void Download(Tensor source, Span<float> destination)
    {
        fixed (float* host = destination)
            CopyElements(StridedView.Of(source), HostView(host, destination.Length, source, ElementType.Float32));
    }

    /// <inheritdoc/>
    public void Download(Tensor source, Span<int> destination)
    {
        fixed (int* host = destination)
            CopyElements(StridedView.Of(source), HostView(host, destination.Length, source, ElementType.Int32));
    }

    /// <inheritdoc/>
    public void Copy(Tensor source, Tensor destination)
    {
        ShapeException.ThrowUnless(nameof(Copy), nameof(destination), destination, source.Shape);
        CopyElements(StridedView.Of(source), StridedView.Of(destination));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _attention?.Dispose();
        _pool.Dispose();
        _memory.Dispose();
    }

    private static StridedView HostView(void* host, int length, Tensor tensor, ElementType elementType)
    {
        if (length != tensor.Count)
            throw new ArgumentException($"{length} host values for a tensor {tensor.Shape} of {tensor.Count} elements");
        return StridedView.Contiguous(host, tensor.Shape, elementType);
    }
}
