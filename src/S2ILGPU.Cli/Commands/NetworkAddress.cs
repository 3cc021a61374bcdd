using System.Net;
using System.Net.Sockets;

namespace S2ILGPU.Cli.Commands;

/// <summary>Addresses of this machine and others, as options name them.</summary>
internal static class NetworkAddress
{
    /// <summary>The address of a name or the address itself; null where the option is left out.</summary>
    /// <exception cref="ArgumentException">It is neither an address nor a known name.</exception>
    public static IPAddress? Parse(string option, string? text)
    {
        if (text is null)
            return null;
        if (text == "localhost")
            return IPAddress.Loopback;
        if (IPAddress.TryParse(text, out var address))
            return address;
        try
        {
            return Dns.GetHostAddresses(text)[0];
        }
        catch (SocketException)
        {
            throw new ArgumentException($"{option}: {text} is neither an address nor a known name");
        }
    }
}
