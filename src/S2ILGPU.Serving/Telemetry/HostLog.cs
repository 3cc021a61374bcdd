using Microsoft.Extensions.Logging;

namespace S2ILGPU.Serving.Telemetry;

/// <summary>Gives what the HTTP server itself logs, its errors and refused connections, to the log of the model's
/// server.</summary>
/// <param name="target">The log; not disposed.</param>
internal sealed class HostLog(ILogger target) : ILoggerProvider
{
    private const string Connections = "Microsoft.AspNetCore.Server.Kestrel.Connections";

    private volatile bool _hasStarted;

    /// <summary>Makes it the only log of a host. Warnings are of connections alone: others are of settings that this
    /// host does not read.</summary>
    public static HostLog Use(ILoggingBuilder logging, ILogger target)
    {
        var log = new HostLog(target);
        logging.ClearProviders();
        logging.AddProvider(log);
        logging.AddFilter((category, level) => log._hasStarted
            && level >= (category == Connections ? LogLevel.Warning : LogLevel.Error));
        return log;
    }

    /// <summary>Begins to log. What fails before is an exception of the start, which says it once.</summary>
    public void Begin() => _hasStarted = true;

    public ILogger CreateLogger(string categoryName) => target;

    public void Dispose()
    {
    }
}
