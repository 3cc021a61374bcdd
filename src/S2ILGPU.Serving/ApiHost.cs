using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace S2ILGPU.Serving;

/// <summary>An HTTP server that has the routes of a <see cref="ModelServer"/> and nothing else.</summary>
/// <remarks>It listens to no signal and logs nothing; its owner ends it.</remarks>
public sealed class ApiHost : IAsyncDisposable
{
    private readonly WebApplication _application;
    private readonly ModelServer _server;

    private ApiHost(WebApplication application, ModelServer server) => (_application, _server) = (application, server);

    /// <summary>Where it listens, as in <c>http://127.0.0.1:8080</c>.</summary>
    public string Address => _application.Services.GetRequiredService<IServer>().Features
        .Get<IServerAddressesFeature>()!.Addresses.First();

    /// <summary>Starts to listen.</summary>
    /// <param name="server">What answers; not disposed.</param>
    /// <param name="address">The address; loopback is reached from this machine only.</param>
    /// <param name="port">The port; 0 for any that is free.</param>
    /// <exception cref="IOException">The port is in use, or the address is not one of this machine.</exception>
    public static async Task<ApiHost> StartAsync(ModelServer server, IPAddress address, int port)
    {
        ArgumentNullException.ThrowIfNull(server);
        ArgumentNullException.ThrowIfNull(address);
        // Settings of a folder that happens to be the current one are not ours.
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions
        {
            ContentRootPath = AppContext.BaseDirectory,
        });
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<IHostLifetime, OwnerLifetime>();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            // RequestBody counts, and says so in OpenAI's words.
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Listen(address, port);
        });
        var application = builder.Build();
        application.MapS2Api(server);
        application.MapS2WebPage(server);
        try
        {
            await application.StartAsync();
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            await application.DisposeAsync();
            throw new IOException($"cannot listen on {new IPEndPoint(address, port)}: {e.GetBaseException().Message}");
        }
        return new ApiHost(application, server);
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
