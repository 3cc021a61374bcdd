namespace S2ILGPU.Serving.Api;

/// <summary>A request that is refused, with what OpenAI's API says about it.</summary>
/// <param name="status">HTTP status.</param>
/// <param name="message">What is wrong, with the values.</param>
/// <param name="parameter">The field; null where none is to blame.</param>
/// <param name="code">A word for programs; null for none.</param>
/// <param name="type">The kind of error.</param>
internal sealed class ApiException(int status, string message, string? parameter = null, string? code = null,
    string type = "invalid_request_error") : Exception(message)
{
    public int Status => status;

    public string? Parameter => parameter;

    public string? Code => code;

    public string Type => type;

    /// <summary>What is wrong, without values of the request: the code or the kind of error, and the field.</summary>
    public string Reason => parameter is null ? code ?? type : $"{code ?? type} {parameter}";

    public static ApiException Invalid(string parameter, string message) => new(400, message, parameter);

    public static ApiException Unsupported(string parameter, string message) =>
        new(400, message, parameter, "unsupported_parameter");

    public static ApiException ContextExceeded(int contextTokens, int promptTokens) => new(400,
        $"This model's maximum context length is {contextTokens} tokens. However, the prompt has {promptTokens} "
        + "tokens.",
        "prompt", "context_length_exceeded");

    public static ApiException BodyTooLarge(int maxBytes) =>
        new(413, $"the body is larger than {maxBytes} bytes", code: "request_too_large");

    public static ApiException QueueFull(string message) =>
        new(429, message, code: "rate_limit_exceeded", type: "requests");

    /// <summary>An error that is not the request's; the log has it.</summary>
    public static ApiException ServerFailed() =>
        new(500, "The server had an error while it processed the request", type: "server_error");

    public static ApiException Unavailable(string message) => new(503, message, type: "server_error");
}
