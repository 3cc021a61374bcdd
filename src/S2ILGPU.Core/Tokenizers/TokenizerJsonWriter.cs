using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace S2ILGPU.Tokenizers;

/// <summary>Writes Hugging Face's <c>tokenizer.json</c> for a BPE tokenizer.</summary>
internal static class TokenizerJsonWriter
{
    public static void Write(Stream stream, BytePairVocabulary vocabulary)
    {
        using var writer = new Utf8JsonWriter(stream,
            new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        writer.WriteStartObject();
        writer.WriteString("version", "1.0");
        writer.WriteNull("truncation");
        writer.WriteNull("padding");
        WriteAddedTokens(writer, vocabulary);
        foreach (var (part, json) in vocabulary.Pipeline.Json)
        {
            writer.WritePropertyName(part);
            writer.WriteRawValue(json);
        }
        WriteModel(writer, vocabulary);
        writer.WriteEndObject();
    }

    private static void WriteAddedTokens(Utf8JsonWriter writer, BytePairVocabulary vocabulary)
    {
        writer.WriteStartArray("added_tokens");
        foreach (var token in vocabulary.AddedTokens.OrderBy(token => token.Id))
        {
            writer.WriteStartObject();
            writer.WriteNumber("id", token.Id);
            writer.WriteString("content", token.Text);
            writer.WriteBoolean("single_word", token.IsSingleWord);
            writer.WriteBoolean("lstrip", token.StripsLeft);
            writer.WriteBoolean("rstrip", token.StripsRight);
            writer.WriteBoolean("normalized", token.IsNormalized);
            writer.WriteBoolean("special", token.IsSpecial);
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }

    private static void WriteModel(Utf8JsonWriter writer, BytePairVocabulary vocabulary)
    {
        writer.WriteStartObject("model");
        writer.WriteString("type", "BPE");
        string[] texts = TokenTexts(vocabulary);
        writer.WriteNull("dropout");
        writer.WriteString("unk_token", vocabulary.UnknownToken is { } unknown ? texts[unknown] : null);
        writer.WriteNull("continuing_subword_prefix");
        writer.WriteNull("end_of_word_suffix");
        writer.WriteBoolean("fuse_unk", vocabulary.FusesUnknown);
        writer.WriteBoolean("byte_fallback", vocabulary.HasByteFallback);
        writer.WriteBoolean("ignore_merges", vocabulary.IgnoresMerges);

        writer.WriteStartObject("vocab");
        for (int id = 0; id < texts.Length; id++)
            if (texts[id].Length > 0)
                writer.WriteNumber(texts[id], id);
        writer.WriteEndObject();
        writer.WriteStartArray("merges");
        bool hasSpaces = vocabulary.Merges.Any(merge => texts[merge.Merged].Contains(' '));
        foreach (var (left, right, _) in vocabulary.Merges)
            if (hasSpaces)
            {
                writer.WriteStartArray();
                writer.WriteStringValue(texts[left]);
                writer.WriteStringValue(texts[right]);
                writer.WriteEndArray();
            }
            else
                writer.WriteStringValue($"{texts[left]} {texts[right]}");
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static string[] TokenTexts(BytePairVocabulary vocabulary)
    {
        string[] texts = vocabulary.Pieces is { } pieces ? [.. pieces.Select(Encoding.UTF8.GetString)]
            : [.. vocabulary.Tokens.Select(bytes => ByteLevelAlphabet.Encode(bytes))];
        // In model.vocab a character that is an added token, not special, would become one of pieces too.
        foreach (var token in vocabulary.AddedTokens.Where(token => token.IsSpecial || vocabulary.Pieces is null))
            texts[token.Id] = token.Text;
        return texts;
    }
}
