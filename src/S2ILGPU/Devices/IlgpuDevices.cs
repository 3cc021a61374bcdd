using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using S2ILGPU.Compiler;
using S2ILGPU.Engines;

namespace S2ILGPU.Devices;

/// <summary>The devices that ILGPU reaches: <c>cuda:N</c>, <c>opencl:N</c> and, for tests, <c>ilgpu-cpu</c>.</summary>
/// <remarks><see cref="Engine"/> finds this class by its name when the assembly S2ILGPU is part of the application, so
/// that nobody has to register it.</remarks>
public sealed class IlgpuDevices : IDeviceProvider
{
    // Drivers and devices do not change while a process runs, and asking OpenCL takes long.
    private static readonly Lazy<IReadOnlyList<(DeviceInfo Info, Device Device)>> s_found = new(Find);

    /// <inheritdoc/>
    public IReadOnlyList<DeviceInfo> Devices() => Usable(s_found.Value);

    /// <summary>The devices that kernels run on: nobody who asks for the fastest device gets one that refuses. Others
    /// keep their numbers, and say why when they are asked for.</summary>
    internal static IReadOnlyList<DeviceInfo> Usable(IEnumerable<(DeviceInfo Info, Device Device)> found) =>
        [.. found.Where(each => DeviceLimits.Missing(each.Device) is null).Select(each => each.Info)];

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">There is no such device; the message names those that there are.</exception>
    /// <exception cref="NotSupportedException">The device is too small for the kernels; the message has what is needed
    /// and what there is.</exception>
    public IEngine Create(string id) => CreateEngine(id);

    internal static IlgpuEngine CreateEngine(string id, long? memoryLimitBytes = null)
    {
        foreach (var (info, device) in s_found.Value)
        {
            if (!string.Equals(info.Id, id, StringComparison.OrdinalIgnoreCase))
                continue;
            var context = Context.Create(builder => builder.Optimize(OptimizationLevel.O2).EnableAlgorithms()
                .TensorCores());
            try
            {
                var accelerator = device.CreateAccelerator(context);
                // The emulated device is there to test the portable kernels; those of tensor cores are forced upon it
                // one by one.
                bool mayUseTensorCores = device.AcceleratorType != AcceleratorType.CPU;
                return new IlgpuEngine(accelerator, null, mayUseTensorCores, new OwnedAccelerator(context, accelerator),
                    memoryLimitBytes);
            }
            catch
            {
                context.Dispose();
                throw;
            }
        }
        throw new ArgumentException(
            $"unknown device '{id}'; there are {string.Join(", ", Usable(s_found.Value).Select(info => info.Id))}");
    }

    /// <summary>Memory that tensors can have: that of the device, or what the process may use for an emulated
    /// one.</summary>
    internal static long MemoryBytes(Device device) => device.AcceleratorType == AcceleratorType.CPU
        ? GC.GetGCMemoryInfo().TotalAvailableMemoryBytes : device.MemorySize;

    /// <summary>What a person calls a device.</summary>
    internal static string DisplayName(Device device) => device.AcceleratorType == AcceleratorType.CPU
        ? "ILGPU CPU accelerator (GPU kernels on CPU threads, for tests)"
        : $"{device.Name} ({device.AcceleratorType}, {GpuDevices.ArchitectureOf(device)})";

    // All CUDA and OpenCL devices that ILGPU can use, and the emulated one. Missing drivers give no devices.
    private static IReadOnlyList<(DeviceInfo Info, Device Device)> Find()
    {
        // Kernels use groups of up to 256 threads and warps of 32. One multiprocessor: the C# bodies of device
        // primitives exchange values through memory of one group.
        var emulated = new CPUDevice(32, 8, 1);
        var info = new DeviceInfo("ilgpu-cpu", DisplayName(emulated), DeviceKind.Emulated, MemoryBytes(emulated), 1,
            GpuDevices.ArchitectureOf(emulated));
        return [.. GpuDevices.Find(), (info, emulated)];
    }

    private sealed class OwnedAccelerator(IDisposable context, IDisposable accelerator) : IDisposable
    {
        public void Dispose()
        {
            accelerator.Dispose();
            context.Dispose();
        }
    }
}
