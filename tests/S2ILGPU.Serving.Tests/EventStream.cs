using System.Text.Json;

namespace S2ILGPU.Serving.Tests;

/// <summary>Reads server-sent events.</summary>
internal static class EventStream
{
    /// <summary>The chunks of a whole stream; it must end with [DONE].</summary>
    public static async Task<List<JsonElement>> ReadAsync(HttpResponseMessage response)
    {
        string[] events = (await response.Content.ReadAsStringAsync()).Split("\n\n");
        Xunit.Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        Xunit.Assert.Equal(["data: [DONE]", ""], events[^2..]);
        return [.. events[..^2].Select(e => JsonDocument.Parse(e["data: ".Length..]).RootElement)];
    }

    /// <summary>The text of a choice.</summary>
    public static string Text(IEnumerable<JsonElement> chunks, int choice = 0) => string.Concat(
        from chunk in chunks
        from part in chunk.GetProperty("choices").EnumerateArray()
        where part.GetProperty("index").GetInt32() == choice
        select part.TryGetProperty("delta", out var delta) ? delta.GetProperty("content").GetString()
            : part.GetProperty("text").GetString());
}
