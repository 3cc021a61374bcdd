using Microsoft.Extensions.Logging;

namespace S2ILGPU.Serving.Telemetry;

/// <summary>Gives what the HTTP server itself logs, its errors and refused connections, to the log of the model's
/// server.</summary>
/// <param name="target">The log; not disposed.</param>
internal sealed class HostLog(ILogger target) : ILoggerProvider
{
    private const string Connections = "Microsoft.AspNetCore.Server.Kestrel.Connections";

    /// <summary>Makes it the only log of a host. Warnings are of connections alone: others are of settings that this
    /// host does not read.</summary>
    public static void Use(ILoggingBuilder logging, ILogger target)
    {
        logging.ClearProviders();
        logging.AddProvider(new HostLog(target));
        logging.AddFilter((category, level) =>
            level >= (category == Connections ? LogLevel.Warning : LogLevel.Error));
    }

    public ILogger CreateLogger(string categoryName) => target;

    public void Dispose()
    {
    }
}
