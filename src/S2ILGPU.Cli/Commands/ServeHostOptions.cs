using System.CommandLine;
using System.Net;
using S2ILGPU.Serving;

namespace S2ILGPU.Cli.Commands;

/// <summary>The options that say where <c>s2 serve</c> listens, and how.</summary>
internal sealed class ServeHostOptions
{
    private static readonly ApiHostOptions s_defaults = new();

    private readonly Option<string?> _host = Options.Text("--host", "ADDRESS",
        "Address to listen on; the default is reached from this machine only", unset: "127.0.0.1");

    private readonly Option<int> _port = Options.Number("--port", s_defaults.Port,
        "Port to listen on; 0 for any that is free", least: 0, most: 65535);

    private readonly Option<string?> _certificate = Options.Text("--certificate", "FILE",
        "Certificate for HTTPS: PEM, with those between it and its root behind it, or PFX without a password",
        unset: "none: HTTP");

    private readonly Option<string?> _key = Options.Text("--certificate-key", "FILE",
        "Private key of a PEM certificate, not encrypted", unset: "in the file of the certificate");

    private readonly Option<int> _connections = Options.Number("--max-connections", s_defaults.MaxConnections,
        "The most connections that are open at a time; the next one is closed", least: 1);

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[_host, _port, _certificate, _key, _connections])
            command.Add(option);
    }

    /// <summary>What was given, with the certificates read.</summary>
    /// <exception cref="ArgumentException">The address is none, or there is a key without a certificate.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, or holds another key.</exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    public ApiHostOptions Read(ParseResult parsed)
    {
        var (certificate, key) = (parsed.GetValue(_certificate), parsed.GetValue(_key));
        if (certificate is null && key is not null)
            throw new ArgumentException("--certificate-key needs --certificate FILE");
        return new ApiHostOptions
        {
            Address = NetworkAddress.Parse("--host", parsed.GetValue(_host)) ?? IPAddress.Loopback,
            Port = parsed.GetValue(_port),
            MaxConnections = parsed.GetValue(_connections),
            Certificates = certificate is null ? null : CertificateFile.Load(certificate, key),
        };
    }
}
