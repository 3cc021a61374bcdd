using System.Reflection;
using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using S2ILGPU.Backends;
#if !KERNEL_LAB
using ILGPU.Algorithms;
using S2ILGPU.Ilgpu;
#endif

namespace S2ILGPU.Devices;

/// <summary>What differs between ILGPU and KernelLab, which executes kernels where ILGPU's packages are missing; nothing else in the library but <c>Tiles/Seam.cs</c> asks which one it is.</summary>
internal static class AcceleratorRuntime
{
    // Kernels use groups of up to 256 threads and warps of 32. One multiprocessor: the C# bodies of device primitives exchange values through memory of one group.
    private static CPUDevice EmulatedDevice { get; } = new(32, 8, 1);

#if KERNEL_LAB
    /// <summary>What a person calls the device that emulates a GPU.</summary>
    public const string EmulatedName = "KernelLab (GPU kernels on one CPU thread at a time, for tests)";

    /// <summary>The devices by name; only the emulated one.</summary>
    public static IReadOnlyList<(DeviceInfo Info, Device Device)> Find() => [(Emulated(), EmulatedDevice)];

    /// <summary>Architecture of a GPU as people write it.</summary>
    public static string ArchitectureOf(Device device) => "lab";

    /// <summary>Copies to the device in the order of the stream.</summary>
    public static void Upload<T>(ArrayView<T> target, AcceleratorStream stream, ReadOnlySpan<T> values) where T : unmanaged => target.CopyFromCPU(stream, values);

    /// <summary>A context for accelerators of one of the devices.</summary>
    public static Context CreateContext() => Context.Create(builder => builder.Optimize(OptimizationLevel.O2));

    /// <summary>Teaches a context the library's device primitives; their C# bodies run anyway.</summary>
    public static Context.Builder WithPrimitives(Context.Builder builder) => builder;

    /// <summary>A kernel that uses the library's device primitives: their C# bodies run.</summary>
    public static Action<AcceleratorStream, KernelConfig, TArguments> LoadWithPrimitives<TArguments>(Accelerator accelerator, MethodInfo method, int threads, int minGroups, int sharedBytes)
        where TArguments : struct => accelerator.LoadKernel(method.CreateDelegate<Action<TArguments>>());

    /// <summary>Architecture of a CUDA device; 0 for other devices.</summary>
    public static int CudaArchitecture(Device device) => 0;

    /// <summary>Shared memory of a multiprocessor of a CUDA device in KB; 0 for other devices.</summary>
    public static int MultiprocessorKilobytes(Device device) => 0;
#else
    /// <summary>What a person calls the device that emulates a GPU.</summary>
    public const string EmulatedName = "ILGPU CPU accelerator (GPU kernels on CPU threads, for tests)";

    /// <summary>The devices by name: all CUDA and OpenCL devices that ILGPU can use, and the emulated one. Missing drivers give no devices.</summary>
    public static IReadOnlyList<(DeviceInfo Info, Device Device)> Find() => [.. GpuDevices.Find(), (Emulated(), EmulatedDevice)];

    /// <summary>Architecture of a GPU as people write it.</summary>
    public static string ArchitectureOf(Device device) => GpuDevices.ArchitectureOf(device);

    /// <summary>Copies to the device in the order of the stream. Values of pageable memory are read before the call returns.</summary>
    public static void Upload<T>(ArrayView<T> target, AcceleratorStream stream, ReadOnlySpan<T> values) where T : unmanaged => GpuDevices.Upload(target, stream, values);

    /// <summary>A context for accelerators of one of the devices, which knows the tensor-core primitives.</summary>
    public static Context CreateContext() => Context.Create(builder => builder.Optimize(OptimizationLevel.O2).EnableAlgorithms().TensorCores());

    /// <summary>Teaches a context the library's device primitives.</summary>
    public static Context.Builder WithPrimitives(Context.Builder builder) => builder.TensorCores();

    /// <summary>A kernel that uses the library's device primitives: PTX on CUDA devices, elsewhere their C# bodies.</summary>
    public static Action<AcceleratorStream, KernelConfig, TArguments> LoadWithPrimitives<TArguments>(Accelerator accelerator, MethodInfo method, int threads, int minGroups, int sharedBytes)
        where TArguments : struct => PrimitiveKernels.Load<TArguments>(accelerator, method, threads, minGroups, sharedBytes);

    /// <summary>Architecture of a CUDA device, as in 90 for sm_90; 0 for other devices.</summary>
    public static int CudaArchitecture(Device device) => PrimitiveKernels.Architecture(device);

    /// <summary>Shared memory of a multiprocessor of a CUDA device in KB; 0 for other devices.</summary>
    public static int MultiprocessorKilobytes(Device device) => PrimitiveKernels.MultiprocessorKilobytes(device);
#endif

    private static DeviceInfo Emulated() => new("ilgpu-cpu", EmulatedName, DeviceKind.Emulated, IlgpuDevices.MemoryBytes(EmulatedDevice), 1, ArchitectureOf(EmulatedDevice));
}
