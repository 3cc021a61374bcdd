using Microsoft.Extensions.Logging;

namespace S2ILGPU.Cli.Invocation;

/// <summary>Writes log messages as lines such as <c>warning: text</c>, like the notes of the tool.</summary>
/// <remarks>Thread-safe.</remarks>
/// <typeparam name="T">Whose messages.</typeparam>
/// <param name="output">Where to.</param>
/// <param name="least">The lowest level that is written.</param>
internal sealed class LineLogger<T>(TextWriter output, LogLevel least) : ILogger<T>
{
    private readonly Lock _gate = new();

    /// <inheritdoc/>
    public bool IsEnabled(LogLevel logLevel) => logLevel >= least;

    /// <inheritdoc/>
    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    /// <inheritdoc/>
    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
        Func<TState, Exception?, string> formatter)
    {
        if (!IsEnabled(logLevel))
            return;
        string level = logLevel >= LogLevel.Error ? "error" : logLevel == LogLevel.Warning ? "warning" : "note";
        lock (_gate)
        {
            output.WriteLine($"{level}: {formatter(state, exception)}"
                + (exception is null ? "" : $": {exception.Message}"));
            output.Flush();
        }
    }
}
