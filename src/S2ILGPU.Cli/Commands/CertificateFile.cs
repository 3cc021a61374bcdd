using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace S2ILGPU.Cli.Commands;

/// <summary>The files of a server's certificate.</summary>
internal static class CertificateFile
{
    /// <summary>Reads a certificate with its private key, and the others that the file has.</summary>
    /// <param name="path">PEM, or PFX without a password.</param>
    /// <param name="keyPath">The key of a PEM certificate; null where it is in the same file.</param>
    /// <exception cref="InvalidDataException">A file is damaged, or holds another key.</exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    public static X509Certificate2Collection Load(string path, string? keyPath)
    {
        byte[] bytes = File.ReadAllBytes(path);
        string? key = keyPath is null ? null : File.ReadAllText(keyPath);
        bool isPem = bytes.AsSpan().IndexOf("-----BEGIN "u8) >= 0;
        if (!isPem && key is not null)
            throw new InvalidDataException($"{path} is not PEM, --certificate-key is of no use beside PFX");
        try
        {
            return isPem ? Pem(Encoding.UTF8.GetString(bytes), key) : Pfx(bytes);
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new InvalidDataException($"{path}{(keyPath is null ? "" : $" and {keyPath}")}: not a certificate "
                + $"with its private key: {e.Message.Split(" (Parameter ")[0]}", e);
        }
    }

    private static X509Certificate2Collection Pem(string text, string? key)
    {
        using var own = X509Certificate2.CreateFromPem(text, key ?? text);
        var others = new X509Certificate2Collection();
        others.ImportFromPem(text);
        others[0].Dispose();
        // Windows uses no key for TLS that was never in a PFX.
        return [X509CertificateLoader.LoadPkcs12(own.Export(X509ContentType.Pfx), password: null),
            .. others.Skip(1)];
    }

    private static X509Certificate2Collection Pfx(byte[] bytes)
    {
        var all = X509CertificateLoader.LoadPkcs12Collection(bytes, password: null);
        return all.Any(certificate => certificate.HasPrivateKey) ? all
            : throw new CryptographicException("no private key in it");
    }
}
