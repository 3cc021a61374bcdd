using System.Net;
using System.Net.Sockets;

namespace S2ILGPU.Cluster.Membership;

/// <summary>A port that one silo of this machine has for itself. Orleans opens its port such that a second silo can
/// open it too and gets half of the connections, so a file that is open without sharing stands for the port; the
/// system closes it when the process ends, however it ends.</summary>
internal sealed class PortLock : IDisposable
{
    private readonly FileStream _file;

    private PortLock(FileStream file, int port) => (_file, Port) = (file, port);

    public int Port { get; }

    /// <summary>The port, or null where another silo or another program has it.</summary>
    /// <exception cref="IOException">The address is not one of this machine, or may not be listened on.</exception>
    public static PortLock? Take(IPAddress address, int port)
    {
        FileStream? file = null;
        try
        {
            // A file of another user could not be opened.
            string name = $"s2-cluster-port-{port}-{Environment.UserName}";
            file = new FileStream(Path.Combine(Path.GetTempPath(), name), FileMode.OpenOrCreate, FileAccess.ReadWrite,
                FileShare.None);
            using var listener = new TcpListener(address, port);
            listener.Start();
            return new PortLock(file, port);
        }
        catch (Exception e) when (e is IOException
            or SocketException { SocketErrorCode: SocketError.AddressAlreadyInUse })
        {
            file?.Dispose();
            return null;
        }
        catch (SocketException e)
        {
            file?.Dispose();
            throw CannotListen(address, port, e);
        }
    }

    /// <summary>A port that no one uses.</summary>
    /// <exception cref="IOException">The address is not one of this machine.</exception>
    public static PortLock TakeAny(IPAddress address)
    {
        while (true)
        {
            if (Take(address, FreePort(address)) is { } taken)
                return taken;
        }
    }

    public void Dispose() => _file.Dispose();

    private static int FreePort(IPAddress address)
    {
        using var listener = new TcpListener(address, 0);
        try
        {
            listener.Start();
        }
        catch (SocketException e)
        {
            throw CannotListen(address, 0, e);
        }
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static IOException CannotListen(IPAddress address, int port, SocketException e) =>
        new($"cannot listen for other instances on {new IPEndPoint(address, port)}: {e.Message}", e);
}
