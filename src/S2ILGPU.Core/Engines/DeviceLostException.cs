namespace S2ILGPU.Engines;

/// <summary>A device has stopped working: it left the bus, or a kernel failed in a way after which its driver refuses
/// all further work of the process.</summary>
/// <param name="device">The device's name.</param>
/// <param name="reason">What its driver says.</param>
/// <param name="inner">The driver's exception; null where there is none.</param>
/// <remarks>Nothing of the device's memory can be read any more. Its engine and tensors can still be disposed, which
/// throws nothing.</remarks>
public sealed class DeviceLostException(string device, string reason, Exception? inner = null)
    : Exception($"the device {device} stopped working: {reason}; start the program again", inner)
{
    /// <summary>The device's name.</summary>
    public string Device { get; } = device;
}
