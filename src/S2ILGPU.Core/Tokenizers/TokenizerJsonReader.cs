using System.Text;
using S2ILGPU.Storage;

namespace S2ILGPU.Tokenizers;

/// <summary>Reads Hugging Face's <c>tokenizer.json</c> of a BPE model. Whatever would change the ids and is not
/// supported is an error, not ignored.</summary>
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
        var model = root.Member("model").Object();
        CheckModel(model);
        var pipeline = TokenizerPipelineReader.Read(root);
        ReadVocabulary(model.Member("vocab"));
        if (root.Find("added_tokens") is { } list)
            foreach (var token in list.Items())
                ReadAddedToken(token);
        string[] texts = TextsById();
        byte[][] tokens = [.. texts.Select(text => BytesOf(text, pipeline))];
        if (pipeline.IsByteLevel)
            CheckBytes();
        foreach (int added in (int[])[.. pipeline.Prefix, .. pipeline.Suffix])
            if ((uint)added >= (uint)tokens.Length)
                throw root.Member("post_processor").Bad($"adds the id {added}, the last token is {tokens.Length - 1}");
        return new BytePairVocabulary
        {
            Tokens = tokens,
            Pieces = pipeline.IsByteLevel ? null : [.. texts.Select(PieceOf)],
            Merges = ReadMerges(model.Member("merges"), tokens),
            AddedTokens = [.. _added.Values],
            IgnoresMerges = model.Boolean("ignore_merges", absent: false),
            HasByteFallback = model.Boolean("byte_fallback", absent: false),
            UnknownToken = model.Find("unk_token") is not { } unknown ? null
                : _ids.TryGetValue(unknown.Text(), out int id) ? id : throw unknown.Wrong("a token of model.vocab"),
            FusesUnknown = model.Boolean("fuse_unk", absent: false),
            Pipeline = pipeline,
        };
    }

    private static void CheckModel(JsonValue model)
    {
        if (model.Find("type") is { } type && type.Text() is var kind and not "BPE")
            throw type.Bad($"{kind} is a kind of tokenizer that is not supported, only BPE");
        foreach (string affix in (ReadOnlySpan<string>)["continuing_subword_prefix", "end_of_word_suffix"])
            if (model.Find(affix) is { } value && value.Text() != "")
                throw value.Wrong("null or empty");
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
        if (_ids.TryGetValue(text, out int known) && known != id)
            throw token.Bad($"'{text}' has the id {id}, but {known} in model.vocab");
        // A token that does not say what it is counts as a sign of the format: text from outside never becomes it.
        var added = new AddedToken(text, id, token.Boolean("special", absent: true),
            token.Boolean("normalized", absent: false), token.Boolean("single_word", absent: false),
            token.Boolean("lstrip", absent: false), token.Boolean("rstrip", absent: false));
        if (_added.Count == BytePairTokenizer.MaxVocabularySize || !_added.TryAdd(text, added))
            throw token.Bad(
                $"'{text}' stands twice, or is one more than the {BytePairTokenizer.MaxVocabularySize} allowed");
    }

    // The text of every token; empty where an id has none. Some models leave ids out, but not most of them.
    private string[] TextsById()
    {
        var all = new Dictionary<string, int>(_ids);
        foreach (var (text, added) in _added)
            all[text] = added.Id;
        var last = all.Append(KeyValuePair.Create("", -1)).MaxBy(token => token.Value);
        if (last.Value >= 2 * all.Count + BytePairTokenizer.MaxVocabularyGap)
            throw Bad($"the token '{last.Key}' has the id {last.Value}, but there are only {all.Count} tokens");
        string[] texts = new string[last.Value + 1];
        Array.Fill(texts, "");
        foreach (var (text, id) in all)
            texts[id] = texts[id].Length == 0 ? text
                : throw Bad($"two tokens have the id {id}: '{texts[id]}' and '{text}'");
        return texts;
    }

    private byte[] PieceOf(string text) =>
        _ids.ContainsKey(text) && _added.GetValueOrDefault(text) is null or { IsSpecial: false }
            ? Encoding.UTF8.GetBytes(text) : [];

    // A byte-level token with other characters stands for its text, as an added token does. What a decoder replaces, it
    // replaces in added tokens too: Gemma 3 has runs of the sign for a space among them.
    private byte[] BytesOf(string text, TokenizerPipeline pipeline)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        var added = _added.GetValueOrDefault(text);
        if (added is not null && (added.IsSpecial || pipeline.IsByteLevel))
            return utf8;
        if (pipeline.IsByteLevel)
            return ByteLevelAlphabet.TryDecode(text) ?? utf8;
        if (added is null && pipeline.DecodesBytes && CharacterSymbols.TryByte(utf8) is { } value)
            return [value];
        return pipeline.DecodedReplacements.Aggregate(utf8, (bytes, step) => step.Normalize(bytes).ToArray());
    }

    private void CheckBytes()
    {
        for (int b = 0; b < 256; b++)
            if (!_ids.ContainsKey(ByteLevelAlphabet.Encode([(byte)b])))
                throw Bad(
                    $"model.vocab lacks the token '{ByteLevelAlphabet.Encode([(byte)b])}' of the single byte 0x{b:X2}: "
                    + "not every text could be encoded");
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
            if (_added.ContainsKey(left + right)
                && !tokens[merged].AsSpan().SequenceEqual([.. tokens[leftId], .. tokens[rightId]]))
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

    private static int IdOf(JsonValue value) =>
        value.LongOrNull() is { } id and >= 0 and < BytePairTokenizer.MaxVocabularySize ? (int)id
        : throw value.Wrong($"an integer from 0 to {BytePairTokenizer.MaxVocabularySize - 1}");
}
