using System.Text.Json;
using S2ILGPU.Scheduling;
using S2ILGPU.Tokenizers;
using S2ILGPU.Tools;

namespace S2ILGPU.Serving.Api;

/// <summary>Answers of <c>/v1/chat/completions</c>.</summary>
/// <param name="tokenizer">The tokenizer.</param>
/// <param name="readers">What finds calls of tools, for each text; null where text is all there is.</param>
internal sealed class ChatFormat(BytePairTokenizer tokenizer, IReadOnlyList<ToolCallReader?> readers)
    : AnswerFormat(tokenizer)
{
    public override string IdPrefix => "chatcmpl-";

    public override string ObjectName(bool isChunk) => isChunk ? "chat.completion.chunk" : "chat.completion";

    public override AnswerPiece Read(int choice, string text, bool isLast) =>
        readers[choice]?.Read(text, isLast) ?? base.Read(choice, text, isLast);

    public override string StopReason(int choice) => readers[choice] is { Calls: > 0 } ? "tool_calls" : "stop";

    public override void WriteWhole(Utf8JsonWriter writer, AnswerPiece piece)
    {
        writer.WriteStartObject("message");
        writer.WriteString("role", "assistant");
        WriteContent(writer, piece);
        writer.WriteNull("refusal");
        WriteCalls(writer, piece.Calls, hasIndex: false);
        writer.WriteEndObject();
    }

    public override void WritePiece(Utf8JsonWriter writer, AnswerPiece piece, bool isFirst)
    {
        writer.WriteStartObject("delta");
        if (isFirst)
            writer.WriteString("role", "assistant");
        WriteContent(writer, piece);
        WriteCalls(writer, piece.Calls, hasIndex: true);
        writer.WriteEndObject();
    }

    // null beside calls
    private static void WriteContent(Utf8JsonWriter writer, AnswerPiece piece) =>
        writer.WriteString("content", piece.Content.Length == 0 && piece.Calls.Count > 0 ? null : piece.Content);

    private static void WriteCalls(Utf8JsonWriter writer, IReadOnlyList<ToolCallPiece> calls, bool hasIndex)
    {
        if (calls.Count == 0)
            return;
        writer.WriteStartArray("tool_calls");
        foreach (var call in calls)
        {
            writer.WriteStartObject();
            if (hasIndex)
                writer.WriteNumber("index", call.Index);
            if (call.Id is not null)
            {
                writer.WriteString("id", call.Id);
                writer.WriteString("type", "function");
            }
            writer.WriteStartObject("function");
            if (call.Name is not null)
                writer.WriteString("name", call.Name);
            writer.WriteString("arguments", call.Arguments);
            writer.WriteEndObject();
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }

    public override void WriteLogProbabilities(Utf8JsonWriter writer, IReadOnlyList<GeneratedToken> tokens,
        int textOffset)
    {
        writer.WriteStartObject();
        writer.WriteStartArray("content");
        foreach (var token in tokens)
        {
            writer.WriteStartObject();
            WriteToken(writer, token.Token!.Value, token.LogProbability!.Value);
            writer.WriteStartArray("top_logprobs");
            foreach (var top in token.Top)
            {
                writer.WriteStartObject();
                WriteToken(writer, top.Token, top.LogProbability);
                writer.WriteEndObject();
            }
            writer.WriteEndArray();
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
        writer.WriteNull("refusal");
        writer.WriteEndObject();
    }

    private void WriteToken(Utf8JsonWriter writer, int token, float logProbability)
    {
        writer.WriteString("token", NameOf(token));
        writer.WriteNumber("logprob", Finite(logProbability));
        writer.WriteStartArray("bytes");
        foreach (byte b in BytesOf(token))
            writer.WriteNumberValue(b);
        writer.WriteEndArray();
    }
}
