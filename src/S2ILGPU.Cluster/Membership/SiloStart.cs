using System.Net.Sockets;
using Microsoft.Extensions.Hosting;
using Orleans.Runtime;
using S2ILGPU.Cluster.Wire;

namespace S2ILGPU.Cluster.Membership;

/// <summary>Starts and stops a silo, with an error in one line where it cannot join.</summary>
internal static class SiloStart
{
    private static readonly TimeSpan s_stop = TimeSpan.FromSeconds(10);

    /// <summary>Starts a silo on the port of the options, or, without a store, on a free one where the first instance
    /// has that.</summary>
    /// <param name="build">Makes the silo for a port.</param>
    /// <param name="options">How it joins.</param>
    /// <param name="cancellation">Ends the joining.</param>
    /// <returns>The silo, and its port, to be given back after it.</returns>
    /// <exception cref="IOException">The address is not one of this machine, the port is in use, or the cluster does
    /// not answer.</exception>
    public static async Task<(IHost Silo, PortLock Port)> StartAsync(Func<int, IHost> build, ClusterOptions options,
        CancellationToken cancellation)
    {
        var address = options.OwnAddress;
        var port = (options.Port == 0 ? null : PortLock.Take(address, options.Port))
            ?? (options.Port == 0 || options.Store is null ? PortLock.TakeAny(address)
            : throw new IOException($"cannot listen for other instances on port {options.Port}: it is in use"));
        var silo = build(port.Port);
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        timeout.CancelAfter(options.JoinTimeout);
        try
        {
            await silo.StartAsync(timeout.Token).WaitAsync(timeout.Token);
            return (silo, port);
        }
        catch (Exception e)
        {
            _ = StopAsync(silo, port);
            cancellation.ThrowIfCancellationRequested();
            throw new IOException(e.GetBaseException() is SocketException or IOException
                ? $"cannot listen for other instances on port {port.Port}: {e.GetBaseException().Message}"
                : options.Store is null && port.Port != options.Port
                ? $"port {options.Port} is in use, and no instance of the cluster '{options.Name}' answers there"
                : $"cannot join the cluster '{options.Name}': {e.GetBaseException().Message}", e);
        }
    }

    /// <summary>Checks that the other instances serve the same.</summary>
    /// <exception cref="IOException">One serves something else.</exception>
    public static async Task CheckOthersAsync(InstanceServices instances, string fingerprint, ClusterOptions options)
    {
        foreach (var (address, report) in await Task.WhenAll(instances.Others.Select(AskAsync)))
            if (report is not null && report.Fingerprint != fingerprint)
                throw new IOException($"the cluster '{options.Name}' serves another model or configuration: "
                    + $"{InstanceServices.NameOf(address)} has {report.Fingerprint}, this instance {fingerprint}");

        async Task<(SiloAddress Address, InstanceReport? Report)> AskAsync(SiloAddress address)
        {
            try
            {
                return (address, await instances[address].StatusAsync([]));
            }
            catch (Exception)
            {
                return (address, null);                                   // it is gone
            }
        }
    }

    /// <summary>Stops a silo and tells the others; gives up telling them after a while.</summary>
    public static async Task StopAsync(IHost silo, PortLock port)
    {
        try
        {
            using var timeout = new CancellationTokenSource(s_stop);
            await silo.StopAsync(timeout.Token).WaitAsync(s_stop * 2);
        }
        catch (Exception)
        {
            // The others find out by themselves.
        }
        silo.Dispose();
        port.Dispose();
    }
}
