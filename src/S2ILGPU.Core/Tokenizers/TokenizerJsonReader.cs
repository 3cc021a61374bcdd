using System.Text;
using S2ILGPU.Storage;

namespace S2ILGPU.Tokenizers;

/// <summary>Reads Hugging Face's <c>tokenizer.json</c>: a BPE model over the byte-level alphabet with GPT-2's
/// splitting. Whatever would change the ids and is not supported is an error, not ignored.</summary>
/// <remarks>Truncation and padding settings do not belong to the tokens and are not applied.</remarks>
internal sealed class TokenizerJsonReader
{
    private const int MaxFileBytes = 1 << 27;

    private readonly string _file;
    private readonly Dictionary<string, int> _ids = [];
    private readonly Dictionary<string, AddedToken> _added = [];

    private TokenizerJsonReader(string file) => _file = file;

    public static BytePairVocabulary Read(string path) => JsonValue.Read(path, "a tokenizer.json", MaxFileBytes, root =>
        new TokenizerJsonReader(path).ReadTokenizer(root));

    /// <exception cref="InvalidDataException">The text is not a tokenizer that is supported.</exception>
    public static BytePairVocabulary Parse(string file, byte[] json) =>
        JsonValue.Parse(json, file, root => new TokenizerJsonReader(file).ReadTokenizer(root));

    private InvalidDataException Bad(string what) => new($"{_file}: {what}");

    private BytePairVocabulary ReadTokenizer(JsonValue root)
    {
        if (root.Find("normalizer") is { } normalizer)
            throw normalizer.Bad($"{normalizer.Quoted} is not supported, only none");
        CheckPreTokenizer(root.Member("pre_tokenizer"));
        foreach (string part in (ReadOnlySpan<string>)["decoder", "post_processor"])
            if (root.Find(part) is { } value && TypeOf(value) != "ByteLevel")
                throw value.Bad($"{value.Quoted} is not supported, only ByteLevel or none");

        var model = root.Member("model").Object();
        CheckModel(model);
        ReadVocabulary(model.Member("vocab"));
        if (root.Find("added_tokens") is { } added)
            foreach (var token in added.Items())
                ReadAddedToken(token);
        byte[][] tokens = TokensById();
        var merges = ReadMerges(model.Member("merges"), tokens);
        return new BytePairVocabulary { Tokens = tokens, Merges = merges, AddedTokens = [.. _added.Values] };
    }

    // ByteLevel with its own regex, or a Split by the same regex before a ByteLevel without.
    private static void CheckPreTokenizer(JsonValue pre)
    {
        JsonValue[] steps = TypeOf(pre) == "Sequence" ? [.. pre.Member("pretokenizers").Items()] : [pre.Object()];
        if (steps.Length is 0 or > 2 || TypeOf(steps[^1]) != "ByteLevel"
            || (steps.Length == 2 && TypeOf(steps[0]) != "Split"))
            throw pre.Bad(
                $"{pre.Quoted} is not supported, only ByteLevel, or a Split by GPT-2's pattern and ByteLevel");
        if (steps[^1].Boolean("add_prefix_space", absent: true))
            throw steps[^1].Bad($"{steps[^1].Quoted}: add_prefix_space must be false");
        if (steps[^1].Boolean("use_regex", absent: true) != (steps.Length == 1))
            throw pre.Bad($"{pre.Quoted}: exactly one step must split by GPT-2's pattern");
        if (steps.Length == 2)
            CheckSplit(steps[0]);
    }

    private static void CheckSplit(JsonValue split)
    {
        var pattern = split.Member("pattern").Object();
        string found = pattern.Find("Regex") is { IsText: true } regex ? regex.Text() : pattern.Quoted;
        if (found != PieceScanner.Pattern)
            throw pattern.Bad($"{found} is not supported, only splitting by GPT-2's {PieceScanner.Pattern}");
        split.Choice("behavior", null, "Isolated");
        if (split.Boolean("invert", absent: false))
            throw split.Member("invert").Wrong("false");
    }

    private static void CheckModel(JsonValue model)
    {
        model.Choice("type", "BPE", "BPE");
        foreach (string affix in (ReadOnlySpan<string>)["continuing_subword_prefix", "end_of_word_suffix"])
            if (model.Find(affix) is { } value && value.Text() != "")
                throw value.Wrong("null or empty");
        foreach (string flag in (ReadOnlySpan<string>)["byte_fallback", "ignore_merges"])
            if (model.Boolean(flag, absent: false))
                throw model.Member(flag).Wrong("false");
        if (model.Find("dropout") is { } dropout && dropout.Number() != 0)
            throw dropout.Wrong("null or 0");
    }

    private void ReadVocabulary(JsonValue vocabulary)
    {
        foreach (var (text, value) in vocabulary.Members())
        {
            if (text.Length == 0 || _ids.Count == BytePairTokenizer.MaxVocabularySize
                || !_ids.TryAdd(text, IdOf(value)))
                throw Bad($"model.vocab: token '{text}' is empty, stands twice, or is one more than the "
                    + $"{BytePairTokenizer.MaxVocabularySize} allowed");
        }
    }

    private void ReadAddedToken(JsonValue token)
    {
        string text = token.Text("content");
        int id = IdOf(token.Member("id"));
        if (text.Length == 0)
            throw token.Member("content").Wrong("a text that is not empty");
        foreach (string flag in (ReadOnlySpan<string>)["single_word", "lstrip", "rstrip"])
            if (token.Boolean(flag, absent: false))
                throw token.Bad($"'{text}': {flag} true is not supported");
        if (_ids.TryGetValue(text, out int known) && known != id)
            throw token.Bad($"'{text}' has the id {id}, but {known} in model.vocab");
        // A token that does not say what it is counts as a sign of the format: text from outside never becomes it.
        var added = new AddedToken(text, id, token.Boolean("special", absent: true),
            token.Boolean("normalized", absent: false));
        if (_added.Count == BytePairTokenizer.MaxVocabularySize || !_added.TryAdd(text, added))
            throw token.Bad(
                $"'{text}' stands twice, or is one more than the {BytePairTokenizer.MaxVocabularySize} allowed");
    }

    // The bytes of every token; ids must be 0 to their number, and every single byte must be a token.
    private byte[][] TokensById()
    {
        var all = new Dictionary<string, int>(_ids);
        foreach (var (text, added) in _added)
            all[text] = added.Id;
        var tokens = new byte[all.Count][];
        var isByte = new bool[256];
        foreach (var (text, id) in all)
        {
            if (id >= tokens.Length)
                throw Bad(
                    $"the token '{text}' has the id {id}, but there are only {tokens.Length} tokens: ids must leave "
                    + $"no gap");
            if (tokens[id] is not null)
                throw Bad($"two tokens have the id {id}; one of them is '{text}'");
            bool isAdded = _added.ContainsKey(text);
            tokens[id] = (isAdded ? Encoding.UTF8.GetBytes(text) : ByteLevelAlphabet.TryDecode(text))
                ?? throw Bad($"model.vocab: token '{text}' holds a character that is not in the byte-level alphabet");
            if (tokens[id].Length == 1 && !isAdded)
                isByte[tokens[id][0]] = true;
        }
        if (Array.IndexOf(isByte, false) is >= 0 and int missing)
            throw Bad(
                $"model.vocab lacks the token '{ByteLevelAlphabet.Encode([(byte)missing])}' of the single byte "
                + $"0x{missing:X2}: not every text could be encoded");
        return tokens;
    }

    private List<(int, int, int)> ReadMerges(JsonValue array, byte[][] tokens)
    {
        var merges = new List<(int, int, int)>(Math.Min(array.Count, BytePairTokenizer.MaxVocabularySize));
        var pairs = new HashSet<(int, int)>();
        foreach (var merge in array.Items())
        {
            var (left, right) = Sides(merge);
            if (!_ids.TryGetValue(left, out int leftId) || !_ids.TryGetValue(right, out int rightId)
                || !_ids.TryGetValue(left + right, out int merged))
                throw merge.Bad($"names '{left}', '{right}' and '{left + right}', which must all be in model.vocab");
            if (!tokens[merged].AsSpan().SequenceEqual([.. tokens[leftId], .. tokens[rightId]]))
                throw merge.Bad(
                    $"makes '{left + right}', an added token with other bytes than '{left}' and '{right}' make");
            if (!pairs.Add((leftId, rightId)))
                throw merge.Bad($"merges '{left}' and '{right}' a second time");
            merges.Add((leftId, rightId, merged));
        }
        return merges;
    }

    // "a b" as written until 2024, ["a", "b"] since.
    private static (string Left, string Right) Sides(JsonValue merge)
    {
        string[] sides = merge.IsText ? merge.Text().Split(' ')
            : merge.IsArray && merge.Items().All(side => side.IsText) ? [.. merge.Items().Select(side => side.Text())]
            : [];
        return sides.Length == 2 ? (sides[0], sides[1]) : throw merge.Wrong("\"left right\" or [\"left\", \"right\"]");
    }

    private static int IdOf(JsonValue value) => value.LongOrNull() is { } id and >= 0 and <= int.MaxValue ? (int)id
        : throw value.Wrong("a non-negative integer");

    private static string? TypeOf(JsonValue part) =>
        part.IsObject && part.Find("type") is { IsText: true } type ? type.Text() : null;
}
