using System.Collections.Immutable;
using ILGPU.Runtime;
using ILGPU.Util;

namespace ILGPU;

/// <summary>The devices that a program may use.</summary>
public sealed partial class Context : DisposeBase
{
    private Context(Builder builder) => Devices = [.. builder.Devices];

    /// <summary>All devices.</summary>
    public ImmutableArray<Device> Devices { get; }

    /// <summary>Builds a context.</summary>
    /// <returns>The builder.</returns>
    public static Builder Create() => new();

    /// <summary>Builds a context.</summary>
    /// <param name="buildingCallback">Chooses devices and settings.</param>
    /// <returns>The context; the caller disposes it.</returns>
    public static Context Create(Action<Builder> buildingCallback)
    {
        ArgumentNullException.ThrowIfNull(buildingCallback);
        var builder = Create();
        buildingCallback(builder);
        return builder.ToContext();
    }

    /// <summary>A context with the default devices.</summary>
    /// <returns>The context; the caller disposes it.</returns>
    public static Context CreateDefault() => Create(builder => builder.Default());

    /// <summary>A device of a kind.</summary>
    /// <typeparam name="TDevice">The kind.</typeparam>
    /// <param name="deviceIndex">Its number among its kind.</param>
    /// <returns>The device.</returns>
    public TDevice GetDevice<TDevice>(int deviceIndex)
        where TDevice : Device => GetDevices<TDevice>()[deviceIndex];

    /// <summary>All devices of a kind.</summary>
    /// <typeparam name="TDevice">The kind.</typeparam>
    /// <returns>The devices.</returns>
    public DeviceCollection<TDevice> GetDevices<TDevice>()
        where TDevice : Device => new([.. Devices.OfType<TDevice>()]);

    /// <summary>The device to use if there is no other wish.</summary>
    /// <param name="preferCPU">No effect here: all are CPU devices.</param>
    /// <returns>The first device.</returns>
    public Device GetPreferredDevice(bool preferCPU) =>
        Devices.Length > 0 ? Devices[0] : throw new NotSupportedException("the context has no device");

    /// <summary>Enumerates the devices.</summary>
    /// <returns>The enumerator.</returns>
    public ImmutableArray<Device>.Enumerator GetEnumerator() => Devices.GetEnumerator();
}
