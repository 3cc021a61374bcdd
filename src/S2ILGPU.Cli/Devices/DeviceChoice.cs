using S2ILGPU.Engines;
using S2ILGPU.Tensors;

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

    /// <summary>Refuses a precision that an engine does not have, rather than computing in another one.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="activations">The element type that was asked for; null for the engine's own.</param>
    /// <exception cref="ArgumentException">The engine has no activations of that type.</exception>
    public static void CheckPrecision(IEngine engine, ElementType? activations)
    {
        if (activations is { } type && !engine.SupportsActivations(type))
            throw new ArgumentException(
                $"--precision {type.ShortName()}: {engine.Name} has {engine.FloatType.ShortName()} activations only");
    }
}
