namespace ILGPU.Runtime.CPU;

/// <summary>The CPU devices of a context.</summary>
public static class CPUContextExtensions
{
    /// <summary>Adds the lab's device.</summary>
    /// <param name="builder">The builder.</param>
    /// <returns>The builder.</returns>
    public static Context.Builder DefaultCPU(this Context.Builder builder) => builder.CPU(CPUDevice.Nvidia);

    /// <summary>Adds the lab's device.</summary>
    /// <param name="builder">The builder.</param>
    /// <returns>The builder.</returns>
    public static Context.Builder CPU(this Context.Builder builder) => builder.CPU(CPUDevice.Nvidia);

    /// <summary>Adds a device.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="device">The device.</param>
    /// <returns>The builder.</returns>
    public static Context.Builder CPU(this Context.Builder builder, CPUDevice device)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Devices.Add(device);
        return builder;
    }

    /// <summary>One of the context's CPU devices.</summary>
    /// <param name="context">The context.</param>
    /// <param name="cpuDeviceIndex">Its number.</param>
    /// <returns>The device.</returns>
    public static CPUDevice GetCPUDevice(this Context context, int cpuDeviceIndex)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.GetDevice<CPUDevice>(cpuDeviceIndex);
    }

    /// <summary>The context's CPU devices.</summary>
    /// <param name="context">The context.</param>
    /// <returns>All of them.</returns>
    public static Context.DeviceCollection<CPUDevice> GetCPUDevices(this Context context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.GetDevices<CPUDevice>();
    }

    /// <summary>Makes a CPU device ready.</summary>
    /// <param name="context">The context.</param>
    /// <param name="cpuDeviceIndex">Its number.</param>
    /// <returns>The accelerator; the caller disposes it.</returns>
    public static CPUAccelerator CreateCPUAccelerator(this Context context, int cpuDeviceIndex) => context.GetCPUDevice(cpuDeviceIndex).CreateCPUAccelerator(context);

    /// <summary>Makes a CPU device ready.</summary>
    /// <param name="context">The context.</param>
    /// <param name="cpuDeviceIndex">Its number.</param>
    /// <param name="mode">No effect here.</param>
    /// <returns>The accelerator; the caller disposes it.</returns>
    public static CPUAccelerator CreateCPUAccelerator(this Context context, int cpuDeviceIndex, CPUAcceleratorMode mode) =>
        context.GetCPUDevice(cpuDeviceIndex).CreateCPUAccelerator(context, mode);
}
