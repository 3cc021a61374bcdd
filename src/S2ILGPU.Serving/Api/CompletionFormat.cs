using System.Text.Json;
using S2ILGPU.Scheduling;
using S2ILGPU.Tokenizers;
using S2ILGPU.Tools;

namespace S2ILGPU.Serving.Api;

/// <summary>Answers of <c>/v1/completions</c>.</summary>
internal sealed class CompletionFormat(BytePairTokenizer tokenizer) : AnswerFormat(tokenizer)
{
    public override string IdPrefix => "cmpl-";

    public override string ObjectName(bool isChunk) => "text_completion";

    public override void WriteWhole(Utf8JsonWriter writer, AnswerPiece piece) =>
        writer.WriteString("text", piece.Content);

    public override void WritePiece(Utf8JsonWriter writer, AnswerPiece piece, bool isFirst) =>
        WriteWhole(writer, piece);

    public override void WriteLogProbabilities(Utf8JsonWriter writer, IReadOnlyList<GeneratedToken> tokens,
        int textOffset)
    {
        writer.WriteStartObject();
        writer.WriteStartArray("tokens");
        foreach (var token in tokens)
            writer.WriteStringValue(NameOf(token.Token!.Value));
        writer.WriteEndArray();
        writer.WriteStartArray("token_logprobs");
        foreach (var token in tokens)
            writer.WriteNumberValue(Finite(token.LogProbability!.Value));
        writer.WriteEndArray();
        writer.WriteStartArray("top_logprobs");
        foreach (var token in tokens)
        {
            // Tokens that are parts of a character may have one name.
            writer.WriteStartObject();
            foreach (var top in token.Top.DistinctBy(t => NameOf(t.Token)))
                writer.WriteNumber(NameOf(top.Token), Finite(top.LogProbability));
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
        writer.WriteStartArray("text_offset");
        foreach (var token in tokens)
        {
            writer.WriteNumberValue(textOffset);
            textOffset += token.Text.Length;
        }
        writer.WriteEndArray();
        writer.WriteEndObject();
    }
}
