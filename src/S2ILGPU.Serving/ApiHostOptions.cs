using System.Net;
using System.Security.Cryptography.X509Certificates;

namespace S2ILGPU.Serving;

/// <summary>Where and how an <see cref="ApiHost"/> listens. An immutable value; defaults here.</summary>
public sealed record ApiHostOptions
{
    /// <summary>The address; loopback, the default, is reached from this machine only.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>The port; 0 for any that is free.</summary>
    public int Port { get; init; } = 8080;

    /// <summary>The most connections that are open at a time: the next one is closed at once, so that clients cannot
    /// take all descriptors of the process. Each that waits for an answer has one of its own under HTTP/1.1.</summary>
    public int MaxConnections { get; init; } = 4096;

    /// <summary>A certificate with its private key, for HTTPS, and those between it and its root; null for HTTP. Not
    /// disposed.</summary>
    public X509Certificate2Collection? Certificates { get; init; }

    internal void Validate()
    {
        ArgumentNullException.ThrowIfNull(Address);
        if (Port is < IPEndPoint.MinPort or > IPEndPoint.MaxPort)
            throw new ArgumentException($"the port must be from 0 to {IPEndPoint.MaxPort}, got {Port}");
        if (MaxConnections < 1)
            throw new ArgumentException($"the number of connections must be at least 1, got {MaxConnections}");
        if (Certificates is not null && !Certificates.Any(certificate => certificate.HasPrivateKey))
            throw new ArgumentException("none of the certificates has a private key");
    }
}
