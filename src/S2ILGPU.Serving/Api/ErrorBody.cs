using System.Buffers;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace S2ILGPU.Serving.Api;

/// <summary>Errors as OpenAI's API writes them.</summary>
internal static class ErrorBody
{
    /// <summary><c>{"error": {"message", "type", "param", "code"}}</c>.</summary>
    public static ReadOnlyMemory<byte> Json(ApiException error)
    {
        var bytes = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(bytes, Answer.JsonOptions))
        {
            writer.WriteStartObject();
            writer.WriteStartObject("error");
            writer.WriteString("message", error.Message);
            writer.WriteString("type", error.Type);
            writer.WriteString("param", error.Parameter);
            writer.WriteString("code", error.Code);
            writer.WriteEndObject();
            writer.WriteEndObject();
        }
        return bytes.WrittenMemory;
    }

    /// <summary>Answers a request with an error.</summary>
    public static async Task WriteAsync(HttpContext http, ApiException error)
    {
        http.Response.StatusCode = error.Status;
        http.Response.ContentType = "application/json";
        if (error.Status is 429 or 503)
            http.Response.Headers.RetryAfter = "1";
        await http.Response.Body.WriteAsync(Json(error), http.RequestAborted);
    }
}
