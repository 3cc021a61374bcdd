using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using S2ILGPU.Attention;
using S2ILGPU.Compiler;
using S2ILGPU.Devices;
using S2ILGPU.Engines;

namespace S2ILGPU;

/// <summary>The devices that ILGPU reaches: <c>cuda:N</c>, <c>opencl:N</c> and, for tests, <c>ilgpu-cpu</c>.</summary>
/// <remarks><see cref="Engine"/> finds this class by its name when the assembly S2ILGPU is part of the application:
/// nothing has to be registered.</remarks>
public sealed class IlgpuDevices : IDeviceProvider
{
    private const string NeedsJit = "ILGPU generates code at run time and needs the JIT: a native AOT program has the "
        + "CPU engine only";

    // How the names of devices begin.
    private static readonly string[] s_names = ["cuda:", "opencl:", "ilgpu-cpu"];

    // Drivers and devices do not change while a process runs, and asking OpenCL takes long.
    private static readonly Lazy<IReadOnlyList<(DeviceInfo Info, Device Device)>> s_found = new(Find);

    /// <inheritdoc/>
    /// <remarks>None in a native AOT program: ILGPU generates code at run time.</remarks>
    public IReadOnlyList<DeviceInfo> Devices() => RuntimeFeature.IsDynamicCodeSupported ? Usable(s_found.Value) : [];

    /// <summary>The devices that kernels run on. The fastest device is chosen among them; others keep their numbers,
    /// and say why when they are asked for.</summary>
    internal static IReadOnlyList<DeviceInfo> Usable(IEnumerable<(DeviceInfo Info, Device Device)> found) =>
        [.. found.Where(each => DeviceLimits.Missing(each.Device) is null).Select(each => each.Info)];

    /// <inheritdoc/>
    public string? ReasonUnavailable(string id) => ReasonUnavailable(id, RuntimeFeature.IsDynamicCodeSupported);

    /// <inheritdoc cref="ReasonUnavailable(string)"/>
    /// <param name="id">The name of a device.</param>
    /// <param name="hasJit">Whether code can be generated at run time.</param>
    internal static string? ReasonUnavailable(string id, bool hasJit)
    {
        if (!hasJit)
            return s_names.Any(name => id.StartsWith(name, StringComparison.OrdinalIgnoreCase)) ? NeedsJit : null;
        foreach (var (info, device) in s_found.Value)
            if (string.Equals(info.Id, id, StringComparison.OrdinalIgnoreCase))
                return DeviceLimits.Missing(device);
        return null;
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">There is no such device; the message names those that there are.</exception>
    /// <exception cref="NotSupportedException">The device is too small for the kernels, or the program has no JIT; the
    /// message is that of <see cref="ReasonUnavailable(string)"/>.</exception>
    public IEngine Create(string id) => CreateEngine(id);

    internal static IlgpuEngine CreateEngine(string id, long? memoryLimitBytes = null)
    {
        if (ReasonUnavailable(id, RuntimeFeature.IsDynamicCodeSupported) is { } reason)
            throw new NotSupportedException(reason);
        foreach (var (info, device) in s_found.Value)
            if (string.Equals(info.Id, id, StringComparison.OrdinalIgnoreCase))
                return CreateEngine(device, MayUseTensorCores(device), memoryLimitBytes);
        throw new ArgumentException(
            $"unknown device '{id}'; there are {string.Join(", ", Usable(s_found.Value).Select(info => info.Id))}");
    }

    /// <summary>An engine of its own context on a device.</summary>
    internal static IlgpuEngine CreateEngine(Device device, bool mayUseTensorCores, long? memoryLimitBytes = null)
    {
        var context = Context.Create(builder => builder.Optimize(OptimizationLevel.O2).EnableAlgorithms()
            .TensorCores());
        Accelerator? accelerator = null;
        try
        {
            accelerator = device.CreateAccelerator(context);
            return new IlgpuEngine(accelerator, null, mayUseTensorCores, new OwnedAccelerator(context, accelerator),
                memoryLimitBytes);
        }
        catch
        {
            new OwnedAccelerator(context, accelerator).Dispose();
            throw;
        }
    }

    /// <summary>What <see cref="IlgpuEngine.Notes"/> of a new engine on a device would say, without making
    /// one.</summary>
    /// <param name="id">The name of a device.</param>
    /// <returns>Nothing for devices of other providers.</returns>
    internal static IReadOnlyList<string> Notes(string id)
    {
        if (!RuntimeFeature.IsDynamicCodeSupported)
            return [];
        foreach (var (info, device) in s_found.Value)
            if (string.Equals(info.Id, id, StringComparison.OrdinalIgnoreCase))
                return [.. new AttentionKernels(device, knowsPrimitives: true, MayUseTensorCores(device)).Notes];
        return [];
    }

    // The emulated device is there to test the portable kernels; tensor-core kernels are forced upon it one by one.
    private static bool MayUseTensorCores(Device device) => device.AcceleratorType != AcceleratorType.CPU;

    // All CUDA and OpenCL devices that ILGPU can use, and the emulated one. Missing drivers give no devices.
    private static IReadOnlyList<(DeviceInfo Info, Device Device)> Find()
    {
        // Kernels use groups of up to 256 threads and warps of 32. One multiprocessor: the C# bodies of device
        // primitives exchange values through memory of one group.
        var emulated = new CPUDevice(32, 8, 1);
        var info = new DeviceInfo("ilgpu-cpu", GpuDevices.DisplayName(emulated), DeviceKind.Emulated,
            DeviceLimits.MemoryBytes(emulated), 1, GpuDevices.ArchitectureOf(emulated));
        return [.. GpuDevices.Find(), (info, emulated)];
    }

    /// <summary>What an engine that made its own context frees in the end.</summary>
    internal sealed class OwnedAccelerator(IDisposable context, IDisposable? accelerator) : IDisposable
    {
        /// <summary>Frees both; throws nothing when the device was lost.</summary>
        public void Dispose() => LostDevice.Free(() => accelerator?.Dispose(), context.Dispose);
    }
}
