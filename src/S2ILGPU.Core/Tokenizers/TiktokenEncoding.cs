using System.Text.Json;

namespace S2ILGPU.Tokenizers;

/// <summary>What a <c>.tiktoken</c> file does not say, known by its name: how text is split, and the special
/// tokens.</summary>
/// <param name="Pattern">The regular expression of the pieces.</param>
/// <param name="SpecialTokens">Texts and ids.</param>
/// <seealso href="https://github.com/openai/tiktoken"/>
internal sealed record TiktokenEncoding(string Pattern, (string Text, int Id)[] SpecialTokens)
{
    private const string Contraction = "(?i:'s|'t|'re|'ve|'m|'ll|'d)", Upper = @"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]",
        Lower = @"[\p{Ll}\p{Lm}\p{Lo}\p{M}]";

    private static readonly TiktokenEncoding s_gpt2 =
        new(Pipeline.SplitPattern.Gpt2.Text, [(BytePairTokenizer.EndOfTextToken, 50256)]);

    /// <summary>Encodings by the name of their file, without its ending.</summary>
    public static IReadOnlyDictionary<string, TiktokenEncoding> ByName { get; } =
        new Dictionary<string, TiktokenEncoding>
        {
            ["gpt2"] = s_gpt2,
            ["r50k_base"] = s_gpt2,
            ["p50k_base"] = s_gpt2,
            ["cl100k_base"] = new(Contraction + @"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
                + @"|\s*[\r\n]+|\s+(?!\S)|\s+",
                [(BytePairTokenizer.EndOfTextToken, 100257), ("<|fim_prefix|>", 100258), ("<|fim_middle|>", 100259),
                    ("<|fim_suffix|>", 100260), ("<|endofprompt|>", 100276)]),
            ["o200k_base"] = new($@"[^\r\n\p{{L}}\p{{N}}]?{Upper}*{Lower}+{Contraction}?"
                + $@"|[^\r\n\p{{L}}\p{{N}}]?{Upper}+{Lower}*{Contraction}?"
                + @"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
                [(BytePairTokenizer.EndOfTextToken, 199999), ("<|endofprompt|>", 200018)]),
        };

    /// <summary>Special tokens that a model's tokenizer class adds, by the class that <c>tokenizer_config.json</c>
    /// names.</summary>
    public static IReadOnlyDictionary<string, (string Text, int Id)[]> ByClass { get; } =
        new Dictionary<string, (string Text, int Id)[]>
        {
            ["Phi3SmallTokenizer"] = [("<|system|>", 100261), ("<|user|>", 100262), ("<|assistant|>", 100263),
                ("<|end|>", 100266)],
        };

    /// <summary>The pipeline: pieces of <see cref="Pattern"/>, and nothing else.</summary>
    public TokenizerPipeline CreatePipeline() => TokenizerPipeline.Parse($$"""
        {"type":"Sequence","pretokenizers":[
        {"type":"Split","pattern":{"Regex":"{{JsonEncodedText.Encode(Pattern)}}"},"behavior":"Isolated","invert":false},
        {"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}]}
        """);
}
