using S2ILGPU.Engines;

namespace S2ILGPU.Cli.Devices;

/// <summary>From the name on a command line to a device and its engine.</summary>
internal static class DeviceChoice
{
    /// <summary>The engine of a device; the caller disposes it.</summary>
    /// <param name="name">Name of the device.</param>
    /// <param name="allowTf32">Whether products of fp32 matrices may be rounded, on devices that can.</param>
    /// <exception cref="ArgumentException">There is no such device.</exception>
    public static IEngine CreateEngine(string name, bool allowTf32)
    {
        var engine = Engine.Create(name); // says what there is when the name is unknown
        if (engine is IlgpuEngine { Products: var products })
            products.AllowTf32 = allowTf32;
        return engine;
    }

    /// <summary>The device of a name, and its engine; the caller disposes it.</summary>
    /// <param name="name">Name of the device.</param>
    /// <param name="allowTf32">Whether products of fp32 matrices may be rounded, on devices that can.</param>
    /// <exception cref="ArgumentException">There is no such device.</exception>
    public static (DeviceInfo Device, IEngine Engine) Create(string name, bool allowTf32 = false)
    {
        var engine = CreateEngine(name, allowTf32);
        bool isAuto = string.Equals(name, Engine.Auto, StringComparison.OrdinalIgnoreCase);
        var device = Engine.Devices().First(d => isAuto ? d.Kind != DeviceKind.Emulated
            : string.Equals(d.Id, name, StringComparison.OrdinalIgnoreCase));
        return (device, engine);
    }
}
