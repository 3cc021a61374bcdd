using S2ILGPU.Storage;
using S2ILGPU.Tokenizers.Pipeline;

namespace S2ILGPU.Tokenizers;

/// <summary>How text becomes pieces, before tokens are merged, and how tokens become text.</summary>
internal sealed record TokenizerPipeline
{
    private const string ByteLevelJson = """
        {"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}
        """;

    /// <summary>GPT-2's, which is also that of the trainer: byte-level, split by
    /// <see cref="SplitPattern.Gpt2"/>.</summary>
    public static TokenizerPipeline Gpt2 { get; } = Parse(ByteLevelJson);

    /// <summary>Rewrites text between added tokens, one after the other.</summary>
    public required IReadOnlyList<Normalizer> Normalizers { get; init; }

    /// <summary>Split normalized text into pieces, one after the other.</summary>
    public required IReadOnlyList<PreTokenizer> PreTokenizers { get; init; }

    /// <summary>Whether the vocabulary spells tokens in the byte-level alphabet, and not as text.</summary>
    public required bool IsByteLevel { get; init; }

    /// <summary>The ids that a prompt begins with.</summary>
    public required IReadOnlyList<int> Prefix { get; init; }

    /// <summary>The ids that a text ends with where special tokens are wanted.</summary>
    public required IReadOnlyList<int> Suffix { get; init; }

    /// <summary>What to replace in the text of each token.</summary>
    public required IReadOnlyList<Normalizer> DecodedReplacements { get; init; }

    /// <summary>Whether tokens like <c>&lt;0x0A></c> stand for bytes.</summary>
    public required bool DecodesBytes { get; init; }

    /// <summary>Whether a decoded text loses one space at its start, because encoding put it there.</summary>
    public required bool StripsSpace { get; init; }

    /// <summary>The parts of the file by name, as it spells them.</summary>
    public required IReadOnlyDictionary<string, string> Json { get; init; }

    /// <summary>A byte-level pipeline without any other step.</summary>
    /// <param name="preTokenizer">The pre-tokenizer as JSON.</param>
    public static TokenizerPipeline Parse(string preTokenizer)
    {
        string json = $$"""{"pre_tokenizer":{{preTokenizer}},"decoder":{{ByteLevelJson}}}""";
        return JsonValue.Parse(System.Text.Encoding.UTF8.GetBytes(json), "pipeline", TokenizerPipelineReader.Read);
    }

    /// <summary>A text after all <see cref="Normalizers"/>.</summary>
    public ReadOnlySpan<byte> Normalize(ReadOnlySpan<byte> text)
    {
        foreach (var step in Normalizers)
            text = step.Normalize(text);
        return text;
    }

    /// <summary>A reader of normalized text that splits it by all <see cref="PreTokenizers"/>.</summary>
    /// <param name="pieces">Receives the pieces.</param>
    public IPieceReader Before(IPieceReader pieces) =>
        PreTokenizers.Reverse().Aggregate(pieces, (next, step) => step.Before(next));
}
