using System.Text;
using System.Text.Json.Nodes;
using S2ILGPU.Tokenizers;

namespace S2ILGPU.Core.Tests.Tokenizers;

/// <summary>Small random <c>tokenizer.json</c> files of the kinds that models come with: vocabulary and added tokens
/// are drawn, the other parts are those of the model that the kind is named after.</summary>
internal static class RandomTokenizer
{
    public const string Llama3Pattern = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
        + @"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    public const string Qwen2Pattern = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
        + @"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    // Two signs for a space, which merges may make, and a letter, which a vocabulary may have: not special, because
    // ours makes no special token of pieces of text, and the reference does.
    private const string Spaces = "▁▁", Letter = "\u01CE";

    private const string ByteLevel = """
        {"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}
        """;

    private const string LlamaDecoder = """
        {"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},
        {"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]}
        """;

    private const string Template = """
        {"type":"TemplateProcessing",
        "single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],
        "pair":[{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"B","type_id":1}}],
        "special_tokens":{"<s>":{"id":"<s>","ids":[ID],"tokens":["<s>"]}}}
        """;

    /// <summary>The kinds, by the model or the setting that they are like.</summary>
    public static string[] Kinds { get; } =
    [
        "gpt2", "gpt2 with a prefix space", "llama3", "qwen2", "deepseek", "starcoder", "split", "llama2",
        "llama2 not legacy", "metaspace", "metaspace without bytes", "gemma",
    ];

    /// <summary>Draws a file.</summary>
    /// <param name="kind">One of <see cref="Kinds"/>.</param>
    /// <param name="random">What to draw from.</param>
    public static JsonObject Draw(string kind, Random random)
    {
        bool isByteLevel = Array.IndexOf(Kinds, kind) < Array.IndexOf(Kinds, "llama2");
        var json = new JsonObject { ["version"] = "1.0", ["truncation"] = null, ["padding"] = null };
        var model = isByteLevel ? DrawByteLevel(random) : DrawCharacters(random, kind != "metaspace without bytes");
        json["added_tokens"] = DrawAddedTokens(model["vocab"]!.AsObject(), random);
        int begin = json["added_tokens"]!.AsArray().First(t => (string?)t!["content"] == "<s>")!["id"]!.GetValue<int>();
        string template = Template.Replace("ID", begin.ToString());
        (string? normalizer, string? preTokenizer, string? post) = Parts(kind, random);
        json["normalizer"] = Parse(normalizer);
        json["pre_tokenizer"] = Parse(preTokenizer);
        json["post_processor"] = Parse(post?.Replace("TEMPLATE", template));
        json["decoder"] = Parse(isByteLevel ? ByteLevel : kind.StartsWith("metaspace") ? preTokenizer : LlamaDecoder);
        model["ignore_merges"] = kind == "llama3";
        json["model"] = model;
        return json;
    }

    private static (string? Normalizer, string? PreTokenizer, string? Post) Parts(string kind, Random random)
    {
        string behavior = ((string[])["Removed", "Isolated", "Contiguous", "MergedWithPrevious", "MergedWithNext"])
            [random.Next(5)];
        string scheme = ((string[])["always", "first", "never"])[random.Next(3)];
        string metaspace(bool splits, string scheme) => $$"""
            {"type":"Metaspace","replacement":"▁","prepend_scheme":"{{scheme}}","split":{{(splits ? "true" : "false")}}}
            """;
        return kind switch
        {
            "gpt2" => (null, ByteLevel.Replace("x\":false", "x\":true"), ByteLevel),
            "gpt2 with a prefix space" => (null, ByteLevel.Replace("false", "true"), ByteLevel),
            "llama3" => (null, Sequence(Split(Llama3Pattern), ByteLevel),
                $$"""{"type":"Sequence","processors":[{{ByteLevel}},TEMPLATE]}"""),
            "qwen2" => ("""{"type":"NFC"}""", Sequence(Split(Qwen2Pattern), ByteLevel), ByteLevel),
            "deepseek" => (null, Sequence(Split(@"\p{N}{1,3}"), Split("[一-龥぀-ゟ゠-ヿ]+"),
                Split(@"[!""#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
                    + @"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"), ByteLevel), null),
            "starcoder" => (null, Sequence($$"""
                {"type":"Digits","individual_digits":{{(random.Next(2) == 0 ? "true" : "false")}}}
                """, ByteLevel.Replace("x\":false", "x\":true")), null),
            "split" => (null, Sequence(Split(((string[])[@"\s+", @"\w+|[^\w\s]+", "[aeiou]", @"\d"])[random.Next(4)],
                behavior, random.Next(2) == 0), ByteLevel), null),
            "llama2" => ("""
                {"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},
                {"type":"Replace","pattern":{"String":" "},"content":"▁"}]}
                """, null, "TEMPLATE"),
            "llama2 not legacy" => (null, metaspace(false, "first"), "TEMPLATE"),
            "gemma" => ("""{"type":"Replace","pattern":{"String":" "},"content":"▁"}""",
                """{"type":"Split","pattern":{"String":" "},"behavior":"MergedWithPrevious","invert":false}""",
                "TEMPLATE"),
            _ => (null, metaspace(random.Next(2) == 0, scheme), null),
        };
    }

    private static string Sequence(params string[] steps) =>
        $$"""{"type":"Sequence","pretokenizers":[{{string.Join(',', steps)}}]}""";

    private static string Split(string pattern, string behavior = "Isolated", bool isInverted = false) => new JsonObject
    {
        ["type"] = "Split",
        ["pattern"] = new JsonObject { ["Regex"] = pattern },
        ["behavior"] = behavior,
        ["invert"] = isInverted,
    }.ToJsonString();

    private static JsonNode? Parse(string? json) => json is null ? null : JsonNode.Parse(json);

    private static JsonObject DrawByteLevel(Random random)
    {
        var trainer = new BytePairTrainer();
        for (int i = 0; i < 200; i++)
            trainer.Add(Encoding.UTF8.GetBytes(RandomUnicode.Draw(random, hasHalves: false)));
        var tokenizer = trainer.Build(257 + random.Next(200));
        var vocabulary = new JsonObject();
        for (int id = 0; id < tokenizer.VocabularySize - 1; id++)
            vocabulary[ByteLevelAlphabet.Encode(tokenizer.TokenBytes(id))] = id;
        var texts = vocabulary.Select(member => member.Key).ToArray();
        return Model(vocabulary, tokenizer.Vocabulary.Merges.Select(merge => (texts[merge.Left], texts[merge.Right])));
    }

    private static JsonObject DrawCharacters(Random random, bool hasBytes)
    {
        var vocabulary = new JsonObject { ["<unk>"] = 0 };
        for (int b = 0; hasBytes && b < 256; b++)
            vocabulary[$"<0x{b:X2}>"] = vocabulary.Count;
        // Merged inside words, or over them: then a merge may reach over the beginning of a word.
        bool hasWords = random.Next(2) == 0;
        var pieces = Enumerable.Range(0, 300)
            .Select(_ => RandomUnicode.Draw(random, hasHalves: false).Replace(' ', '▁'))
            .SelectMany(text => hasWords ? text.Replace("▁", "\0▁").Split('\0') : [text])
            .Select(text => text.EnumerateRunes().Select(rune => rune.ToString()).ToList()).ToList();
        foreach (string character in pieces.SelectMany(piece => piece).Append("▁").Distinct().ToArray())
            if (character == "▁" || random.Next(4) > 0)
                vocabulary[character] = vocabulary.Count;
        var merges = new List<(string, string)>();
        for (int n = random.Next(150); n >= 0; n--)
            Learn(pieces, vocabulary, merges);
        var model = Model(vocabulary, merges);
        model["unk_token"] = hasBytes || random.Next(3) > 0 ? "<unk>" : null;
        model["fuse_unk"] = random.Next(2) == 0;
        model["byte_fallback"] = hasBytes;
        return model;
    }

    // The most frequent pair of neighbours becomes a token.
    private static void Learn(List<List<string>> pieces, JsonObject vocabulary, List<(string, string)> merges)
    {
        var known = pieces.SelectMany(piece => piece.Zip(piece.Skip(1)))
            .Where(pair => vocabulary.ContainsKey(pair.First) && vocabulary.ContainsKey(pair.Second)
                && !merges.Contains(pair));
        var best = known.CountBy(pair => pair).OrderByDescending(pair => pair.Value)
            .ThenBy(pair => pair.Key.First + pair.Key.Second, StringComparer.Ordinal).FirstOrDefault();
        if (best.Value < 2)
            return;
        var (left, right) = best.Key;
        merges.Add((left, right));
        if (!vocabulary.ContainsKey(left + right))
            vocabulary[left + right] = vocabulary.Count;
        foreach (var piece in pieces)
            for (int i = 0; i + 1 < piece.Count; i++)
                if (piece[i] == left && piece[i + 1] == right)
                {
                    piece[i] += right;
                    piece.RemoveAt(i + 1);
                }
    }

    private static JsonObject Model(JsonObject vocabulary, IEnumerable<(string Left, string Right)> merges) => new()
    {
        ["type"] = "BPE",
        ["dropout"] = null,
        ["unk_token"] = null,
        ["continuing_subword_prefix"] = null,
        ["end_of_word_suffix"] = null,
        ["fuse_unk"] = false,
        ["byte_fallback"] = false,
        ["vocab"] = vocabulary,
        ["merges"] = new JsonArray([.. merges.Select(merge => new JsonArray(merge.Left, merge.Right))]),
    };

    private static JsonArray DrawAddedTokens(JsonObject vocabulary, Random random)
    {
        // Tokens of white space beside tokens that strip it make the reference panic. Normalized, those of two spaces
        // are one text, and so are the two of one letter with a mark.
        bool strips = random.Next(2) == 0;
        string[] texts = ["<s>", "</s>", "<|", "'s", "the", "數", "<0x0A>x", "<|user|>", "HTTP", Spaces, Letter,
            "a\u030C", .. strips ? (string[])[] : ["  ", "▁ ", "\n\n"]];
        random.Shuffle(texts);
        var added = new JsonArray();
        int next = vocabulary.Count;
        foreach (string text in texts.Where(text => text[0] == '<' || random.Next(2) == 0))
            added.Add(new JsonObject
            {
                ["id"] = vocabulary[text]?.GetValue<int>() ?? next++,
                ["content"] = text,
                ["single_word"] = random.Next(4) == 0,
                ["lstrip"] = strips && random.Next(2) == 0,
                ["rstrip"] = strips && random.Next(2) == 0,
                ["normalized"] = random.Next(2) == 0,
                ["special"] = text is not (Spaces or Letter) && random.Next(2) == 0,
            });
        return added;
    }
}
