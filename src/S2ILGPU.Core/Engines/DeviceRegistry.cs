namespace S2ILGPU.Engines;

/// <summary>Names of devices and who creates their engines.</summary>
internal sealed class DeviceRegistry(params ReadOnlySpan<IDeviceProvider> providers)
{
    private readonly List<IDeviceProvider> _providers = [.. providers];
    private readonly Lock _lock = new();

    public void Register(IDeviceProvider provider)
    {
        ArgumentNullException.ThrowIfNull(provider);
        lock (_lock)
            if (!_providers.Contains(provider))
                _providers.Add(provider);
    }

    public IReadOnlyList<DeviceInfo> Devices() => [.. Entries().Select(entry => entry.Device)];

    public IEngine Create(string device)
    {
        ArgumentNullException.ThrowIfNull(device);
        var entries = Entries();
        foreach (var (provider, info) in entries)
            if (device == Engine.Auto ? info.Kind != DeviceKind.Emulated
                : string.Equals(device, info.Id, StringComparison.OrdinalIgnoreCase))
                return provider.Create(info.Id);
        if (ReasonUnavailable(device) is { } reason)
            throw new NotSupportedException(reason);
        throw new ArgumentException(
            $"unknown device '{device}'; there are {Engine.Auto}, "
            + $"{string.Join(", ", entries.Select(entry => entry.Device.Id))}");
    }

    private string? ReasonUnavailable(string device)
    {
        lock (_lock)
            return _providers.Select(provider => provider.ReasonUnavailable(device))
                .FirstOrDefault(reason => reason is not null);
    }

    // By kind, and in the order of registration within a kind.
    private (IDeviceProvider Provider, DeviceInfo Device)[] Entries()
    {
        lock (_lock)
            return [.. _providers.SelectMany(provider => provider.Devices().Select(device => (provider, device)))
                .OrderBy(entry => entry.device.Kind)];
    }
}
