using System.Text.Encodings.Web;
using System.Text.Json;

namespace S2ILGPU.Tokenizers;

/// <summary>Writes Hugging Face's <c>tokenizer.json</c> for a byte-level BPE tokenizer.</summary>
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
        writer.WriteNull("normalizer");
        WriteByteLevel(writer, "pre_tokenizer");
        writer.WriteNull("post_processor");
        WriteByteLevel(writer, "decoder");
        WriteModel(writer, vocabulary);
        writer.WriteEndObject();
    }

    private static void WriteAddedTokens(Utf8JsonWriter writer, BytePairVocabulary vocabulary)
    {
        writer.WriteStartArray("added_tokens");
        foreach (var (text, id) in vocabulary.SpecialTokens.OrderBy(p => p.Value))
        {
            writer.WriteStartObject();
            writer.WriteNumber("id", id);
            writer.WriteString("content", text);
            foreach (string flag in (string[])["single_word", "lstrip", "rstrip", "normalized"])
                writer.WriteBoolean(flag, false);
            writer.WriteBoolean("special", true);
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }

    private static void WriteByteLevel(Utf8JsonWriter writer, string name)
    {
        writer.WriteStartObject(name);
        writer.WriteString("type", "ByteLevel");
        writer.WriteBoolean("add_prefix_space", false);
        writer.WriteBoolean("trim_offsets", true);
        writer.WriteBoolean("use_regex", true);
        writer.WriteEndObject();
    }

    private static void WriteModel(Utf8JsonWriter writer, BytePairVocabulary vocabulary)
    {
        writer.WriteStartObject("model");
        writer.WriteString("type", "BPE");
        foreach (string option in (string[])["dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix"])
            writer.WriteNull(option);
        foreach (string flag in (string[])["fuse_unk", "byte_fallback", "ignore_merges"])
            writer.WriteBoolean(flag, false);

        string[] texts = TokenTexts(vocabulary);
        writer.WriteStartObject("vocab");
        for (int id = 0; id < texts.Length; id++)
            writer.WriteNumber(texts[id], id);
        writer.WriteEndObject();
        writer.WriteStartArray("merges");
        foreach (var (left, right, _) in vocabulary.Merges)
            writer.WriteStringValue($"{texts[left]} {texts[right]}");
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static string[] TokenTexts(BytePairVocabulary vocabulary)
    {
        var texts = vocabulary.Tokens.Select(bytes => ByteLevelAlphabet.Encode(bytes)).ToArray();
        foreach (var (text, id) in vocabulary.SpecialTokens)
            texts[id] = text;
        return texts;
    }
}
