using System.Buffers;
using System.IO.Pipelines;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using S2ILGPU.Models;
using S2ILGPU.Scheduling;
using S2ILGPU.Tools;

namespace S2ILGPU.Serving.Api;

/// <summary>Writes what a generation gives: whole, or as server-sent events.</summary>
internal sealed class Answer(AnswerFormat format, ModelServer server, Generation generation, bool hasLogProbabilities)
{
    /// <summary>Text is not escaped for HTML, which it does not go into.</summary>
    public static readonly JsonWriterOptions JsonOptions =
        new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly string _id = format.IdPrefix + generation.Id;
    private readonly long _created = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
    private Utf8JsonWriter? _writer;
    private int _completionTokens;
    private SampleCertificate? _sample;

    /// <summary>Writes the whole answer when the last text has ended.</summary>
    public async Task WriteWholeAsync(HttpContext http)
    {
        var texts = Enumerable.Range(0, generation.Texts).Select(_ => new List<GeneratedToken>()).ToArray();
        while (await generation.WaitToReadAsync(http.RequestAborted))
            while (generation.TryRead(out var token))
            {
                Count(token);
                texts[token.Choice].Add(token);
            }
        http.Response.ContentType = "application/json";
        WriteJson(http.Response.BodyWriter, isChunk: false, writer =>
        {
            writer.WriteStartArray("choices");
            for (int choice = 0; choice < texts.Length; choice++)
            {
                writer.WriteStartObject();
                format.WriteWhole(writer,
                    format.Read(choice, string.Concat(texts[choice].Select(token => token.Text)), isLast: true));
                WriteRest(writer, choice, texts[choice], 0);
                writer.WriteEndObject();
            }
            writer.WriteEndArray();
            WriteUsage(writer);
        });
        await http.Response.BodyWriter.FlushAsync(http.RequestAborted);
    }

    /// <summary>Writes what comes as events, the first at once and the others after
    /// <see cref="ModelServerOptions.StreamInterval"/>, and <c>[DONE]</c>.</summary>
    /// <param name="http">The connection.</param>
    /// <param name="hasUsage">Whether a last chunk counts the tokens.</param>
    public async Task WriteStreamAsync(HttpContext http, bool hasUsage)
    {
        var texts = Enumerable.Range(0, generation.Texts).Select(_ => new StreamedText()).ToArray();
        http.Response.ContentType = "text/event-stream";
        http.Response.Headers.CacheControl = "no-cache";
        http.Response.Headers["X-Accel-Buffering"] = "no";                // nginx would hold events back
        var body = http.Response.BodyWriter;
        await body.FlushAsync(http.RequestAborted);
        try
        {
            while (await generation.WaitToReadAsync(http.RequestAborted))
            {
                bool isWritten = TakeWaiting(body, texts, hasUsage);
                // The rest of a text that has ended is there or comes at once, for one event.
                if (generation.HasEnded)
                    continue;
                isWritten |= WriteTaken(body, texts, hasUsage);
                if (!isWritten)
                    continue;
                await body.FlushAsync(http.RequestAborted);
                await generation.PauseAsync(http.RequestAborted);
            }
            WriteTaken(body, texts, hasUsage);
            if (hasUsage)
                WriteEvent(body, writer =>
                {
                    writer.WriteStartArray("choices");
                    writer.WriteEndArray();
                    WriteUsage(writer);
                });
        }
        catch (ApiException e)
        {
            // The status is sent, so the error is an event.
            WriteTaken(body, texts, hasUsage);
            body.Write("data: "u8);
            body.Write(ErrorBody.Json(e).Span);
            body.Write("\n\n"u8);
        }
        body.Write("data: [DONE]\n\n"u8);
        await body.FlushAsync(http.RequestAborted);
    }

    // Takes all tokens that are there; whether events were written, one for each token where there is no interval.
    private bool TakeWaiting(PipeWriter body, StreamedText[] texts, bool hasUsage)
    {
        bool isWritten = false;
        while (generation.TryRead(out var token))
        {
            Count(token);
            texts[token.Choice].Tokens.Add(token);
            if (server.Options.StreamInterval == TimeSpan.Zero)
                isWritten |= WriteTaken(body, texts[token.Choice], hasUsage);
        }
        return isWritten;
    }

    private bool WriteTaken(PipeWriter body, StreamedText[] texts, bool hasUsage)
    {
        bool isWritten = false;
        foreach (var text in texts)
            isWritten |= WriteTaken(body, text, hasUsage);
        return isWritten;
    }

    // Writes an event with the tokens of a text that were taken, where these say something.
    private bool WriteTaken(PipeWriter body, StreamedText text, bool hasUsage)
    {
        if (text.Tokens is not [.., var last])
            return false;
        // A token may be a part of a character, or held back for a stop string or a call.
        string added = text.Tokens.Count == 1 ? last.Text : string.Concat(text.Tokens.Select(token => token.Text));
        var piece = format.Read(last.Choice, added, last.Finish is not null);
        bool isWritten = !piece.IsEmpty || last.Finish is not null || hasLogProbabilities;
        if (isWritten)
            WriteEvent(body, writer => WriteChoice(writer, text, piece, hasUsage));
        text.Forget(added.Length, isWritten);
        return isWritten;
    }

    private void Count(GeneratedToken token)
    {
        _completionTokens += token.Token is null ? 0 : 1;
        if (token.Sample is { } sample)
            _sample = (_sample ?? default).Join(sample);
    }

    private void WriteChoice(Utf8JsonWriter writer, StreamedText text, AnswerPiece piece, bool hasUsage)
    {
        writer.WriteStartArray("choices");
        writer.WriteStartObject();
        format.WritePiece(writer, piece, text.IsFirst);
        WriteRest(writer, text.Tokens[^1].Choice, text.Tokens, text.Offset);
        writer.WriteEndObject();
        writer.WriteEndArray();
        if (hasUsage)
            writer.WriteNull("usage");
    }

    private void WriteRest(Utf8JsonWriter writer, int choice, IReadOnlyList<GeneratedToken> tokens, int textOffset)
    {
        writer.WriteNumber("index", choice);
        writer.WritePropertyName("logprobs");
        if (hasLogProbabilities)
            format.WriteLogProbabilities(writer, [.. tokens.Where(t => t.LogProbability is not null)], textOffset);
        else
            writer.WriteNullValue();
        writer.WriteString("finish_reason", tokens[^1].Finish switch
        {
            null => null,
            FinishReason.Stop => format.StopReason(choice),
            FinishReason.Failed => "error",
            _ => "length",
        });
    }

    private void WriteUsage(Utf8JsonWriter writer)
    {
        writer.WriteStartObject("usage");
        writer.WriteNumber("prompt_tokens", generation.PromptTokens);
        writer.WriteNumber("completion_tokens", _completionTokens);
        writer.WriteNumber("total_tokens", generation.PromptTokens + _completionTokens);
        if (server.SampleFigures is not null)
            WriteSample(writer);
        writer.WriteEndObject();
    }

    // An extension of the API: null where all passes over the prompts were dense.
    private void WriteSample(Utf8JsonWriter writer)
    {
        if (_sample is not { } sample)
        {
            writer.WriteNull("sample_attention");
            return;
        }
        writer.WriteStartObject("sample_attention");
        writer.WriteNumber("kept_blocks", sample.KeptFraction);
        if (sample.Audit.Rows > 0)
        {
            writer.WriteNumber("kept_probability_least", sample.Audit.Least);
            writer.WriteNumber("kept_probability_mean", sample.Audit.Mean);
        }
        writer.WriteEndObject();
    }

    private void WriteEvent(PipeWriter body, Action<Utf8JsonWriter> content)
    {
        body.Write("data: "u8);
        WriteJson(body, isChunk: true, content);
        body.Write("\n\n"u8);
    }

    private void WriteJson(PipeWriter body, bool isChunk, Action<Utf8JsonWriter> content)
    {
        var writer = _writer ??= new Utf8JsonWriter(body, JsonOptions);
        writer.Reset();
        writer.WriteStartObject();
        writer.WriteString("id", _id);
        writer.WriteString("object", format.ObjectName(isChunk));
        writer.WriteNumber("created", _created);
        writer.WriteString("model", server.Options.ModelName);
        content(writer);
        writer.WriteEndObject();
        writer.Flush();
    }

    // A text of a stream: the tokens that its next event has.
    private sealed class StreamedText
    {
        public List<GeneratedToken> Tokens { get; } = [];

        // Characters before these tokens.
        public int Offset { get; private set; }

        // Whether no event was written yet.
        public bool IsFirst { get; private set; } = true;

        public void Forget(int length, bool isWritten)
        {
            Tokens.Clear();
            Offset += length;
            IsFirst &= !isWritten;
        }
    }
}
