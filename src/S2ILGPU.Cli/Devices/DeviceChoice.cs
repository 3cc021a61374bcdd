using S2ILGPU.Engines;

namespace S2ILGPU.Cli.Devices;

/// <summary>From the name on a command line to a device and its engine.</summary>
internal static class DeviceChoice
{
    /// <summary>The device of a name, and its engine; the caller disposes it.</summary>
    /// <exception cref="ArgumentException">There is no such device.</exception>
    public static (DeviceInfo Device, IEngine Engine) Create(string name)
    {
        var engine = Engine.Create(name); // says what there is when the name is unknown
        bool isAuto = string.Equals(name, Engine.Auto, StringComparison.OrdinalIgnoreCase);
        var device = Engine.Devices().First(d => isAuto ? d.Kind != DeviceKind.Emulated
            : string.Equals(d.Id, name, StringComparison.OrdinalIgnoreCase));
        return (device, engine);
    }
}
