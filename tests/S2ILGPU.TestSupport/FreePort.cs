using System.Net;
using System.Net.Sockets;

namespace S2ILGPU.TestSupport;

/// <summary>Ports for programs that must know them before they listen, or listen there again.</summary>
public static class FreePort
{
    /// <summary>A free port of the loopback address, below those that systems hand out by themselves, which another
    /// program could get before this one is used.</summary>
    public static int Find()
    {
        while (true)
            try
            {
                int port = Random.Shared.Next(20_000, 32_000);
                using var listener = new TcpListener(IPAddress.Loopback, port);
                listener.Start();
                return port;
            }
            catch (SocketException)
            {
                // in use
            }
    }
}
