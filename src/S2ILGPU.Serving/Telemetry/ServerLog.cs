using Microsoft.Extensions.Logging;

namespace S2ILGPU.Serving.Telemetry;

/// <summary>What the server logs. Texts of prompts and answers are in none of these.</summary>
internal static partial class ServerLog
{
    [LoggerMessage(1, LogLevel.Information, "Serving {Model}: up to {ContextTokens} tokens, {Sequences} sequences")]
    public static partial void Started(this ILogger logger, string model, int contextTokens, int sequences);

    [LoggerMessage(2, LogLevel.Information, "Draining: new requests are refused, {Requests} still run")]
    public static partial void Draining(this ILogger logger, int requests);

    [LoggerMessage(3, LogLevel.Information, "Stopped")]
    public static partial void Stopped(this ILogger logger);

    [LoggerMessage(4, LogLevel.Error, "The model failed; all requests are refused from now on")]
    public static partial void Failed(this ILogger logger, Exception failure);

    [LoggerMessage(5, LogLevel.Debug, "{Operation} {Id} began: {InputTokens} tokens in {Texts} texts")]
    public static partial void Began(this ILogger logger, string operation, string id, int inputTokens, int texts);

    [LoggerMessage(6, LogLevel.Information, "{Operation} {Id} ended: {InputTokens} tokens in, {OutputTokens} out, "
        + "{Seconds:0.000} s, queued {QueueSeconds:0.000} s, first token after {FirstTokenSeconds:0.000} s, {Finish}")]
    public static partial void Ended(this ILogger logger, string operation, string id, int inputTokens,
        int outputTokens, double seconds, double? queueSeconds, double? firstTokenSeconds, string finish);

    // A refusal may quote the request.
    [LoggerMessage(7, LogLevel.Warning, "Refused with {Status}: {Reason}")]
    public static partial void Refused(this ILogger logger, int status, string reason);

    [LoggerMessage(9, LogLevel.Error, "{Method} {Path} failed")]
    public static partial void RequestFailed(this ILogger logger, Exception failure, string method, string path);

    [LoggerMessage(8, LogLevel.Debug, "Refused: {Message}")]
    public static partial void RefusedBecause(this ILogger logger, string message);
}
