using System.Text;
using S2ILGPU.Storage;
using S2ILGPU.Tokenizers.Pipeline;

namespace S2ILGPU.Tokenizers;

/// <summary>Reads the parts of a <c>tokenizer.json</c> beside the model: normalizer, pre-tokenizer, post-processor,
/// decoder. What would change the ids and is not supported is an error.</summary>
internal static class TokenizerPipelineReader
{
    private static readonly string[] s_parts = ["normalizer", "pre_tokenizer", "post_processor", "decoder"];

    public static TokenizerPipeline Read(JsonValue root)
    {
        var preTokenizers = new List<PreTokenizer>();
        bool isByteLevel = root.Find("pre_tokenizer") is { } pre && ReadPreTokenizer(pre, preTokenizers);
        var normalizers = new List<Normalizer>();
        if (root.Find("normalizer") is { } normalizer)
            ReadNormalizer(normalizer, normalizers);
        var (prefix, suffix) = (new List<int>(), new List<int>());
        if (root.Find("post_processor") is { } post)
            ReadPostProcessor(post, prefix, suffix);
        var decoder = new Decoder(isByteLevel);
        if (root.Find("decoder") is { } steps)
            decoder.Read(steps);
        return new TokenizerPipeline
        {
            Normalizers = normalizers,
            PreTokenizers = preTokenizers,
            IsByteLevel = isByteLevel,
            Prefix = prefix,
            Suffix = suffix,
            DecodedReplacements = decoder.Replacements,
            DecodesBytes = decoder.DecodesBytes,
            StripsSpace = decoder.StripsSpace,
            Json = s_parts.ToDictionary(part => part, part => root.Find(part)?.Raw ?? "null"),
        };
    }

    private static void ReadNormalizer(JsonValue value, List<Normalizer> steps)
    {
        switch (TypeOf(value))
        {
            case "Sequence":
                foreach (var step in value.Member("normalizers").Items())
                    ReadNormalizer(step, steps);
                break;
            case "NFC":
                steps.Add(new CanonicalComposition());
                break;
            case "Prepend":
                steps.Add(new Prefix(Utf8(value, "prepend")));
                break;
            case "Replace":
                steps.Add(new Replacement(ReadPattern(value), Utf8(value, "content")));
                break;
            default:
                throw NotSupported(value, "Sequence, NFC, Prepend and Replace");
        }
    }

    // Whether the last step is ByteLevel.
    private static bool ReadPreTokenizer(JsonValue value, List<PreTokenizer> steps)
    {
        switch (TypeOf(value))
        {
            case "Sequence":
                bool isByteLevel = false;
                foreach (var step in value.Member("pretokenizers").Items())
                    isByteLevel = !isByteLevel ? ReadPreTokenizer(step, steps)
                        : throw step.Bad("comes after a ByteLevel, which must be the last");
                return isByteLevel;
            case "ByteLevel":
                if (value.Boolean("add_prefix_space", absent: true))
                    steps.Add(new SpacePrefix([(byte)' '], PrefixScheme.Always));
                if (value.Boolean("use_regex", absent: true))
                    steps.Add(new PatternSplit(SplitPattern.Gpt2, SplitBehavior.Isolated));
                return true;
            case "Split":
                var behavior = Enum.Parse<SplitBehavior>(
                    value.Choice("behavior", null, Enum.GetNames<SplitBehavior>()));
                steps.Add(new PatternSplit(ReadPattern(value), behavior, value.Boolean("invert", absent: false)));
                break;
            case "Digits":
                string digits = value.Boolean("individual_digits", absent: false) ? @"\p{N}" : @"\p{N}+";
                steps.Add(new PatternSplit(SplitPattern.Parse(digits), SplitBehavior.Isolated));
                break;
            case "Metaspace":
                string space = value.Text("replacement");
                steps.Add(new SpacePrefix(Encoding.UTF8.GetBytes(space), ReadPrefixScheme(value)));
                if (value.Boolean("split", absent: true))
                    steps.Add(new PatternSplit(SplitPattern.Literal(space), SplitBehavior.MergedWithNext));
                break;
            default:
                throw NotSupported(value, "Sequence, ByteLevel, Split, Digits and Metaspace");
        }
        return false;
    }

    // Files from before 2024 have add_prefix_space alone.
    private static PrefixScheme ReadPrefixScheme(JsonValue value) =>
        value.Choice("prepend_scheme", value.Boolean("add_prefix_space", absent: true) ? "always" : "never", "always",
            "first", "never") switch
        {
            "always" => PrefixScheme.Always,
            "first" => PrefixScheme.First,
            _ => PrefixScheme.Never,
        };

    // Of these only a template changes ids: ByteLevel trims offsets, which are not computed here.
    private static void ReadPostProcessor(JsonValue value, List<int> prefix, List<int> suffix)
    {
        switch (TypeOf(value))
        {
            case "Sequence":
                foreach (var step in value.Member("processors").Items())
                    ReadPostProcessor(step, prefix, suffix);
                break;
            case "ByteLevel":
                break;
            case "TemplateProcessing":
                ReadTemplate(value, prefix, suffix);
                break;
            default:
                throw NotSupported(value, "Sequence, ByteLevel and TemplateProcessing");
        }
    }

    private static void ReadTemplate(JsonValue value, List<int> prefix, List<int> suffix)
    {
        var (before, after) = (new List<int>(), new List<int>());
        bool isAfter = false;
        foreach (var item in value.Member("single").Items())
            if (item.Find("SpecialToken") is { } special)
                foreach (var id in value.Member("special_tokens").Member(special.Text("id")).Member("ids").Items())
                    (isAfter ? after : before).Add(id.Integer());
            else if (!isAfter && item.Find("Sequence") is { } text && text.Text("id") == "A")
                isAfter = true;
            else
                throw item.Wrong("a SpecialToken, or once the Sequence A");
        if (!isAfter)
            throw value.Member("single").Wrong("a template with the Sequence A");
        prefix.InsertRange(0, before);
        suffix.AddRange(after);
    }

    private sealed class Decoder(bool isByteLevel)
    {
        public List<Normalizer> Replacements { get; } = [];

        public bool DecodesBytes { get; private set; }

        public bool StripsSpace { get; private set; }

        public void Read(JsonValue value)
        {
            string? type = TypeOf(value);
            if (isByteLevel != (type == "ByteLevel") && type != "Sequence")
                throw value.Bad($"{value.Quoted} does not fit the pre_tokenizer: both are ByteLevel, or none");
            switch (type)
            {
                case "Sequence":
                    foreach (var step in value.Member("decoders").Items())
                        Read(step);
                    break;
                case "ByteLevel" or "Fuse":
                    break;
                case "ByteFallback":
                    DecodesBytes = true;
                    break;
                case "Replace":
                    Replacements.Add(new Replacement(ReadPattern(value), Utf8(value, "content")));
                    break;
                case "Metaspace":
                    Replacements.Add(new Replacement(SplitPattern.Literal(value.Text("replacement")), [(byte)' ']));
                    StripsSpace |= ReadPrefixScheme(value) != PrefixScheme.Never;
                    break;
                case "Strip" when value.Text("content") == " " && value.Integer("stop") == 0
                    && value.Integer("start") is 0 or 1:
                    StripsSpace |= value.Integer("start") == 1;
                    break;
                default:
                    throw NotSupported(value, "Sequence, ByteLevel, ByteFallback, Fuse, Replace, Metaspace and a Strip "
                        + "of one space at the start");
            }
        }
    }

    private static SplitPattern ReadPattern(JsonValue value)
    {
        var pattern = value.Member("pattern").Object();
        if (pattern.Find("String") is { } literal)
            return SplitPattern.Literal(literal.Text() is { Length: > 0 } text ? text
                : throw literal.Wrong("a text that is not empty"));
        var regex = pattern.Member("Regex");
        try
        {
            return SplitPattern.Parse(regex.Text());
        }
        catch (FormatException e)
        {
            throw regex.Bad($"{regex.Text()} is not supported: {e.Message}");
        }
    }

    private static byte[] Utf8(JsonValue value, string name) => Encoding.UTF8.GetBytes(value.Text(name));

    private static Exception NotSupported(JsonValue value, string known) =>
        value.Bad($"{value.Quoted} is not supported, only {known}");

    private static string? TypeOf(JsonValue part) =>
        part.IsObject && part.Find("type") is { IsText: true } type ? type.Text() : null;
}
