using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.Extensions.Logging;
using Xunit;

namespace S2ILGPU.Serving.Tests;

/// <summary>Where and how the server listens.</summary>
public sealed class HostTests
{
    [Fact]
    public async Task A_certificate_makes_it_https()
    {
        using var certificate = Certificate();
        await using var server = await TestServer.StartAsync(host: o => o with { Certificates = [certificate] });
        Assert.StartsWith("https://127.0.0.1:", server.Host.Address);
        string? shown = null;
        using var client = new HttpClient(new HttpClientHandler
        {
            ServerCertificateCustomValidationCallback = (_, other, _, _) =>
            {
                shown = other!.Thumbprint;
                return true;
            },
        });
        Assert.Equal("ok\n", await client.GetStringAsync($"{server.Host.Address}/health",
            TestContext.Current.CancellationToken));
        Assert.Equal(certificate.Thumbprint, shown);
    }

    [Fact]
    public async Task Connections_beyond_the_most_are_closed_and_logged()
    {
        var log = new Recorder();
        await using var server = await TestServer.StartAsync(logger: log, host: o => o with { MaxConnections = 1 });
        using var first = await ConnectAsync(server);
        Assert.NotEqual(0, await ReadAsync(first));
        using var second = await ConnectAsync(server);
        Assert.Equal(0, await ReadAsync(second));
        Assert.Contains(log.Warnings, text => text.Contains("the maximum number of concurrent connections"));
    }

    [Fact]
    public async Task Options_out_of_their_range_are_refused()
    {
        await using var server = await TestServer.StartAsync();
        using var certificate = Certificate();
        using var withoutKey = X509CertificateLoader.LoadCertificate(certificate.RawData);
        foreach (var (options, message) in ((ApiHostOptions, string)[])[
            (new() { Port = -1 }, "the port must be from 0 to 65535, got -1"),
            (new() { MaxConnections = 0 }, "the number of connections must be at least 1, got 0"),
            (new() { Certificates = [withoutKey] }, "none of the certificates has a private key")])
            Assert.Equal(message, (await Assert.ThrowsAsync<ArgumentException>(() =>
                ApiHost.StartAsync(server.Server, options))).Message);
        foreach (var (change, message) in ((Func<ModelServerOptions, ModelServerOptions>, string)[])[
            (o => o with { ApiKey = "" }, "the API key is empty; leave it out for none"),
            (o => o with { RequestTimeout = TimeSpan.Zero }, "the time of a request must be above 0, got 00:00:00")])
            Assert.Equal(message, (await Assert.ThrowsAsync<ArgumentException>(() =>
                TestServer.StartAsync(change))).Message);
    }

    private static X509Certificate2 Certificate()
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var now = DateTimeOffset.UtcNow;
        using var certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        return X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pfx), password: null);
    }

    private static async Task<TcpClient> ConnectAsync(TestServer server)
    {
        var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, new Uri(server.Host.Address).Port,
            TestContext.Current.CancellationToken);
        return client;
    }

    // Bytes of an answer; 0 where the server has closed the connection.
    private static async Task<int> ReadAsync(TcpClient client)
    {
        try
        {
            var stream = client.GetStream();
            await stream.WriteAsync(Encoding.ASCII.GetBytes("GET /health HTTP/1.1\r\nHost: x\r\n\r\n"),
                TestContext.Current.CancellationToken);
            return await stream.ReadAsync(new byte[100], TestContext.Current.CancellationToken);
        }
        catch (IOException)
        {
            return 0;
        }
    }

    private sealed class Recorder : ILogger<ModelServer>
    {
        public ConcurrentQueue<string> Warnings { get; } = [];

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            if (logLevel == LogLevel.Warning)
                Warnings.Enqueue(formatter(state, exception));
        }
    }
}
