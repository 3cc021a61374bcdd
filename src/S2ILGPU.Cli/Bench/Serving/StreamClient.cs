using System.Buffers;
using System.Diagnostics;
using System.IO.Pipelines;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;

namespace S2ILGPU.Cli.Bench.Serving;

/// <summary>A streamed text as its client received it.</summary>
/// <param name="Prompt">Number of the prompt.</param>
/// <param name="Text">The text as received.</param>
/// <param name="IsComplete">Whether the stream ended with <c>[DONE]</c>; false where the client left.</param>
/// <param name="HasLeft">Whether the client cut the connection on purpose.</param>
/// <param name="Arrivals">Seconds from the request to each piece.</param>
/// <param name="Error">What went wrong; null where nothing did.</param>
internal sealed record StreamedText(int Prompt, string Text, bool IsComplete, bool HasLeft,
    IReadOnlyList<double> Arrivals, string? Error)
{
    /// <summary>Tokens of the text, as the server counts them; 0 where the stream was cut.</summary>
    public int Tokens { get; init; }
}

/// <summary>A client of <c>/v1/completions</c> that streams one text after the other.</summary>
/// <param name="http">Connections to the server.</param>
/// <param name="maxTokens">The most tokens of a text.</param>
internal sealed class StreamClient(HttpClient http, int maxTokens)
{
    /// <summary>Streams the continuation of a prompt.</summary>
    /// <param name="number">Number of the prompt.</param>
    /// <param name="prompt">The prompt.</param>
    /// <param name="leaveAfter">Characters after which the client cuts the connection; null to stay.</param>
    /// <param name="cancellation">Ends the run.</param>
    public async Task<StreamedText> AskAsync(int number, string prompt, int? leaveAfter, CancellationToken cancellation)
    {
        var text = new StringBuilder();
        var arrivals = new List<double>();
        long start = Stopwatch.GetTimestamp();
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/completions")
            {
                Content = JsonContent.Create(new Dictionary<string, object>
                {
                    ["model"] = ServeLoad.ModelName,
                    ["prompt"] = prompt,
                    ["max_tokens"] = maxTokens,
                    ["temperature"] = 0,
                    ["stream"] = true,
                    ["stream_options"] = new Dictionary<string, object> { ["include_usage"] = true },
                }),
            };
            using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
            if (!response.IsSuccessStatusCode)
                return Ended(error: $"status {(int)response.StatusCode}");
            var lines = PipeReader.Create(await response.Content.ReadAsStreamAsync(cancellation));
            int tokens = 0;
            for (bool isOpen = true; isOpen;)
            {
                var read = await lines.ReadAsync(cancellation);
                isOpen = !read.IsCompleted;
                var bytes = read.Buffer;
                while (TakeLine(ref bytes) is { } line)
                {
                    if (line.AsSpan().SequenceEqual("data: [DONE]"u8))
                        return Ended(isComplete: true) with { Tokens = tokens };
                    if (!line.AsSpan().StartsWith("data: "u8))
                        continue;
                    if (TakeText(line.AsSpan("data: ".Length), text, ref tokens))
                        arrivals.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
                    if (text.Length >= leaveAfter)
                        return Ended(hasLeft: true);
                }
                lines.AdvanceTo(bytes.Start, bytes.End);
            }
            return Ended(error: "the stream ended early");
        }
        catch (Exception e) when (e is HttpRequestException or IOException or JsonException)
        {
            return Ended(error: e.Message);
        }

        StreamedText Ended(bool isComplete = false, bool hasLeft = false, string? error = null) =>
            new(number, text.ToString(), isComplete, hasLeft, arrivals, error);
    }

    // null where no whole line is left.
    private static byte[]? TakeLine(ref ReadOnlySequence<byte> bytes)
    {
        if (bytes.PositionOf((byte)'\n') is not { } end)
            return null;
        byte[] line = bytes.Slice(0, end).ToArray();
        bytes = bytes.Slice(bytes.GetPosition(1, end));
        return line;
    }

    // Reads the two fields that it needs: the clients share the cores of the server. False for a chunk without text.
    private static bool TakeText(ReadOnlySpan<byte> chunk, StringBuilder text, ref int tokens)
    {
        var json = new Utf8JsonReader(chunk);
        bool hasText = false;
        while (json.Read())
            if (json.TokenType == JsonTokenType.PropertyName && json.ValueTextEquals("text"u8) && json.Read())
            {
                text.Append(json.GetString());
                hasText = true;
            }
            else if (json.TokenType == JsonTokenType.PropertyName && json.ValueTextEquals("completion_tokens"u8)
                && json.Read())
                tokens = json.GetInt32();
        return hasText;
    }
}
