using System.Reflection;
using System.Runtime.InteropServices;
using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using ILGPU.Runtime.OpenCL;
using S2ILGPU.Compiler;
using S2ILGPU.Engines;

namespace S2ILGPU.Devices;

/// <summary>CUDA and OpenCL devices.</summary>
internal static class GpuDevices
{
    /// <summary>All devices that ILGPU can use; none where a driver is missing.</summary>
    /// <remarks>The devices are asked for directly: <c>Context.Builder.Cuda()</c> can be called only once per process
    /// on the Windows subsystem for Linux.</remarks>
    public static IEnumerable<(DeviceInfo Info, Device Device)> Find()
    {
        FindDrivers();
        foreach (var (n, device) in Devices(() =>
            CudaDevice.GetDevices(device => device.Architecture.HasValue && device.InstructionSet.HasValue)).Index())
            yield return (Info($"cuda:{n}", device, DeviceKind.Cuda), device);
        // An NVIDIA GPU is there as a CUDA device already, and OpenCL lists it again: both ways can be asked for by
        // name.
        foreach (var (n, device) in Devices(() =>
            CLDevice.GetDevices(device => device.Capabilities.GenericAddressSpace)).Index())
            yield return (Info($"opencl:{n}", device, DeviceKind.OpenCl), device);
    }

    /// <summary>What a person calls a device.</summary>
    public static string DisplayName(Device device) => device.AcceleratorType == AcceleratorType.CPU
        ? "ILGPU CPU accelerator (GPU kernels on CPU threads, for tests)"
        : $"{device.Name} ({device.AcceleratorType}, {ArchitectureOf(device)})";

    /// <summary><c>sm_90</c> for a CUDA device, the version of OpenCL C for the others.</summary>
    public static string ArchitectureOf(Device device) => device switch
    {
        CudaDevice { Architecture: { } architecture } => $"sm_{architecture.Major}{architecture.Minor}",
        CLDevice cl => cl.CVersion.ToString(),
        _ => ".NET",
    };

    /// <summary>Copies to the device in the order of the stream.</summary>
    public static unsafe void Upload<T>(ArrayView<T> target, AcceleratorStream stream, ReadOnlySpan<T> values)
        where T : unmanaged
    {
        if (ReadsHostMemoryLater(stream.Accelerator))
            target.CopyFromCPU(stream, values);
        else
            fixed (T* host = values)
                target.CopyFromCPUUnsafeAsync(stream, ref *host, values.Length);
    }

    // CUDA stages pageable memory before a copy returns, but promises so only for devices that cannot read such memory
    // themselves.
    private static bool ReadsHostMemoryLater(Accelerator accelerator) =>
        accelerator.AcceleratorType == AcceleratorType.OpenCL
        || (accelerator is CudaAccelerator cuda
            && CudaAPI.CurrentAPI.GetDeviceAttribute(DeviceAttributeKind.CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS,
            cuda.DeviceId) != 0);

    private static DeviceInfo Info(string id, Device device, DeviceKind kind) =>
        new(id, DisplayName(device), kind, device.MemorySize, device.NumMultiprocessors,
        ArchitectureOf(device));

    // A driver that is broken must not take the other devices away.
    private static IReadOnlyList<Device> Devices(Func<IEnumerable<Device>> find)
    {
        try
        {
            return [.. find()];
        }
        catch (Exception exception) when (exception is DllNotFoundException or EntryPointNotFoundException
            or TypeInitializationException or AcceleratorException or NotSupportedException)
        {
            return [];
        }
    }

    // ILGPU asks for libcuda.so and libOpenCL.so; systems without development packages have only the names with a
    // version.
    private static void FindDrivers()
    {
        try
        {
            NativeLibrary.SetDllImportResolver(typeof(Context).Assembly, Resolve);
        }
        catch (InvalidOperationException)
        {
            // The program has a resolver of its own: it knows where its drivers are.
        }
    }

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? path)
    {
        string[] candidates = !OperatingSystem.IsLinux() ? [] : name switch
        {
            "cuda" => CudaDriver.LinuxFiles,
            "OpenCL" => ["libOpenCL.so.1"],
            _ => [],
        };
        foreach (string candidate in candidates)
            if (NativeLibrary.TryLoad(candidate, out nint library))
                return library;
        return 0;
    }
}
