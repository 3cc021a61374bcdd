using System.Net;
using System.Net.Sockets;

namespace S2ILGPU.Cluster.Membership;

/// <summary>The address of this machine for other machines, where none was named.</summary>
internal static class OwnAddress
{
    /// <summary>The first address of this machine's name that other machines reach.</summary>
    /// <exception cref="IOException">There is none.</exception>
    public static IPAddress Find()
    {
        try
        {
            return Among(Dns.GetHostAddresses(Dns.GetHostName(), AddressFamily.InterNetwork));
        }
        catch (SocketException e)
        {
            throw NoAddress($" ({e.Message})", e);
        }
    }

    /// <summary>The first of some addresses that other machines reach: many systems give their own name 127.0.1.1 or
    /// 127.0.0.1.</summary>
    /// <exception cref="IOException">There is none.</exception>
    public static IPAddress Among(IEnumerable<IPAddress> found) =>
        found.FirstOrDefault(address => !IPAddress.IsLoopback(address)) ?? throw NoAddress("", null);

    private static IOException NoAddress(string why, Exception? inner) =>
        new($"this machine's name has no IPv4 address that others reach{why}: name one with --cluster-address", inner);
}
