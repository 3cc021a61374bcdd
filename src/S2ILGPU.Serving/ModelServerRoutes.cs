using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using S2ILGPU.Serving.Api;
using S2ILGPU.Serving.Web;

namespace S2ILGPU.Serving;

/// <summary>The routes of a server in an ASP.NET Core application.</summary>
public static class ModelServerRoutes
{
    private static readonly string[] s_read = ["GET", "HEAD"];

    /// <summary>Maps <c>/v1/models</c>, <c>/v1/models/NAME</c>, <c>/v1/completions</c>, <c>/v1/chat/completions</c>,
    /// <c>/health</c>, <c>/ready</c>, <c>/metrics</c>; every other route below <c>/v1</c> gets OpenAI's error for
    /// unknown ones.</summary>
    /// <param name="routes">The application.</param>
    /// <param name="server">What answers; not disposed.</param>
    /// <returns>The application.</returns>
    /// <remarks>The API key guards <c>/v1</c>; the other three routes are open.</remarks>
    public static IEndpointRouteBuilder MapS2Api(this IEndpointRouteBuilder routes, ModelServer server)
    {
        ArgumentNullException.ThrowIfNull(routes);
        ArgumentNullException.ThrowIfNull(server);
        var handlers = new Handlers(server);
        routes.MapMethods("/health", s_read, handlers.Guard(handlers.HealthAsync, needsKey: false));
        routes.MapMethods("/ready", s_read, handlers.Guard(handlers.ReadyAsync, needsKey: false));
        routes.MapMethods("/metrics", s_read, handlers.Guard(handlers.MetricsAsync, needsKey: false));
        Map("/v1/models", s_read, handlers.ModelsAsync);
        Map("/v1/models/{**model}", s_read, handlers.ModelsAsync);
        Map("/v1/completions", ["POST"], handlers.CompletionsAsync);
        Map("/v1/chat/completions", ["POST"], handlers.ChatAsync);
        routes.MapFallback("/v1/{**path}", handlers.Guard(handlers.UnknownAsync));
        return routes;

        // The fallback has every method, so that the others of an address need a route of their own.
        void Map(string address, string[] methods, RequestDelegate handler)
        {
            routes.MapMethods(address, methods, handlers.Guard(handler));
            routes.Map(address, handlers.Guard(Handlers.WrongMethod(string.Join(", ", methods))));
        }
    }

    /// <summary>Maps a web page at <c>/</c>: a chat, and a live picture of the cache, whose numbers are at
    /// <c>/cache</c>. It needs the routes of <see cref="MapS2Api"/> beside it.</summary>
    /// <param name="routes">The application.</param>
    /// <param name="server">What the page shows; not disposed.</param>
    /// <returns>The application.</returns>
    /// <remarks>The API key guards <c>/cache</c>; the page asks for it. Everything that the page loads comes from this
    /// server.</remarks>
    public static IEndpointRouteBuilder MapS2WebPage(this IEndpointRouteBuilder routes, ModelServer server)
    {
        ArgumentNullException.ThrowIfNull(routes);
        ArgumentNullException.ThrowIfNull(server);
        var handlers = new Handlers(server);
        foreach (var file in WebFile.All)
            routes.MapMethods($"/{file.Address}", s_read,
                handlers.Guard(file.WriteAsync, needsKey: false, isCounted: false));
        routes.MapMethods("/cache", s_read, handlers.Guard(handlers.CacheAsync, isCounted: false));
        return routes;
    }
}
