using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using S2ILGPU.Serving.Telemetry;

namespace S2ILGPU.Serving;

/// <summary>An HTTP server that has the routes of a <see cref="ModelServer"/> and nothing else.</summary>
/// <remarks>It listens to no signal; its owner ends it. Errors of connections go to the log of the
/// <see cref="ModelServer"/>.</remarks>
public sealed class ApiHost : IAsyncDisposable
{
    private readonly WebApplication _application;
    private readonly ModelServer _server;

    private ApiHost(WebApplication application, ModelServer server) => (_application, _server) = (application, server);

    /// <summary>Where it listens, as in <c>http://127.0.0.1:8080</c>, or <c>https://</c> with a certificate.</summary>
    public string Address => _application.Services.GetRequiredService<IServer>().Features
        .Get<IServerAddressesFeature>()!.Addresses.First();

    /// <summary>Starts to listen.</summary>
    /// <param name="server">What answers; not disposed.</param>
    /// <param name="options">Where, and how.</param>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    /// <exception cref="IOException">The port is in use, or the address is not one of this machine.</exception>
    public static async Task<ApiHost> StartAsync(ModelServer server, ApiHostOptions options)
    {
        ArgumentNullException.ThrowIfNull(server);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        // Settings of a folder that happens to be the current one are not ours.
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions
        {
            ContentRootPath = AppContext.BaseDirectory,
        });
        var log = HostLog.Use(builder.Logging, server.Logger);
        builder.Services.AddSingleton<IHostLifetime, OwnerLifetime>();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            // RequestBody counts, and says so in OpenAI's words.
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.MaxConcurrentConnections = options.MaxConnections;
            kestrel.Listen(options.Address, options.Port, listen => UseCertificates(listen, options.Certificates));
        });
        var application = builder.Build();
        application.MapS2Api(server);
        application.MapS2WebPage(server);
        try
        {
            await application.StartAsync();
            log.Begin();
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            await application.DisposeAsync();
            throw new IOException($"cannot listen on {new IPEndPoint(options.Address, options.Port)}: "
                + e.GetBaseException().Message);
        }
        return new ApiHost(application, server);
    }

    // Clients know roots only, so the certificates between go with the server's own.
    private static void UseCertificates(ListenOptions listen, X509Certificate2Collection? certificates)
    {
        if (certificates is null)
            return;
        var own = certificates.First(certificate => certificate.HasPrivateKey);
        listen.UseHttps(new HttpsConnectionAdapterOptions
        {
            ServerCertificate = own,
            ServerCertificateChain = [.. certificates.Where(certificate => certificate != own)],
        });
    }

    /// <summary>Refuses new requests, lets running ones finish, and stops to listen.</summary>
    public async Task DrainAsync()
    {
        await _server.DrainAsync();
        await _application.StopAsync();
    }

    /// <summary>Stops to listen; connections that are open are cut.</summary>
    public ValueTask DisposeAsync() => _application.DisposeAsync();
}
