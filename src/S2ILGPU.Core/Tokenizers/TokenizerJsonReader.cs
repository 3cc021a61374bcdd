using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace S2ILGPU.Tokenizers;

/// <summary>Reads Hugging Face's <c>tokenizer.json</c>: a BPE model over the byte-level alphabet with GPT-2's
/// splitting. Whatever would change the ids and is not supported is an error, not ignored.</summary>
/// <remarks>Truncation and padding settings do not belong to the tokens and are not applied.</remarks>
internal sealed class TokenizerJsonReader
{
    private const int MaxFileBytes = 1 << 27, MaxTokens = 1 << 21, MaxQuoted = 200;

    private readonly string _file;
    private readonly Dictionary<string, int> _ids = [];
    private readonly Dictionary<string, int> _specials = [];

    private TokenizerJsonReader(string file) => _file = file;

    public static BytePairVocabulary Read(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!File.Exists(path))
            throw new FileNotFoundException(Directory.Exists(path) ? $"{path} is a folder, not a tokenizer.json"
                : $"{path} does not exist", path);
        long bytes = new FileInfo(path).Length;
        if (bytes > MaxFileBytes)
            throw new InvalidDataException(
                $"{path}: {bytes} bytes are too many for a tokenizer.json, at most {MaxFileBytes} are read");
        return Parse(path, File.ReadAllBytes(path));
    }

    /// <exception cref="InvalidDataException">The text is not a tokenizer that is supported.</exception>
    public static BytePairVocabulary Parse(string file, byte[] json)
    {
        var reader = new TokenizerJsonReader(file);
        if (!Utf8.IsValid(json))
            throw reader.Bad("the file is not valid UTF-8");
        try
        {
            ReadOnlyMemory<byte> text = json.AsSpan().StartsWith("\uFEFF"u8) ? json.AsMemory(3) : json;
            using var document = JsonDocument.Parse(text, new JsonDocumentOptions { AllowDuplicateProperties = false });
            return reader.ReadTokenizer(document.RootElement);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{file}: not valid JSON: {e.Message}", e);
        }
        catch (InvalidOperationException e)
        {
            // Thrown for an escape of half a surrogate pair, which the JSON check does not see; kinds of values are
            // checked before they are read.
            throw new InvalidDataException($"{file}: a string holds an escape that is no character", e);
        }
    }

    private InvalidDataException Bad(string what) => new($"{_file}: {what}");

    private BytePairVocabulary ReadTokenizer(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object)
            throw Bad($"a tokenizer must be a JSON object, got {Quote(root)}");
        if (Optional(root, "normalizer") is { } normalizer)
            throw Bad($"normalizer {Quote(normalizer)} is not supported, only none");
        CheckPreTokenizer(root);
        foreach (string part in (string[])["decoder", "post_processor"])
            if (Optional(root, part) is { } value && TypeOf(value) != "ByteLevel")
                throw Bad($"{part} {Quote(value)} is not supported, only ByteLevel or none");

        var model = Required(root, "model", "model", JsonValueKind.Object);
        CheckModel(model);
        ReadVocabulary(Required(model, "vocab", "model.vocab", JsonValueKind.Object));
        if (Optional(root, "added_tokens") is { } added)
            ReadAddedTokens(added);
        byte[][] tokens = TokensById();
        var merges = ReadMerges(Required(model, "merges", "model.merges", JsonValueKind.Array), tokens);
        return new BytePairVocabulary { Tokens = tokens, Merges = merges, SpecialTokens = _specials };
    }

    // ByteLevel with its own regex, or a Split by the same regex before a ByteLevel without.
    private void CheckPreTokenizer(JsonElement root)
    {
        var pre = Required(root, "pre_tokenizer", "pre_tokenizer", JsonValueKind.Object);
        JsonElement[] steps = TypeOf(pre) == "Sequence"
            ? [.. Required(pre, "pretokenizers", "pre_tokenizer.pretokenizers", JsonValueKind.Array)
            .EnumerateArray()] : [pre];
        if (steps.Length is 0 or > 2 || TypeOf(steps[^1]) != "ByteLevel"
            || (steps.Length == 2 && TypeOf(steps[0]) != "Split"))
            throw Bad(
                $"pre_tokenizer {Quote(pre)} is not supported, only ByteLevel, or a Split by GPT-2's pattern and "
                + $"ByteLevel");
        if (IsTrue(steps[^1], "add_prefix_space", otherwise: true))
            throw Bad($"pre_tokenizer {Quote(steps[^1])}: add_prefix_space must be false");
        if (IsTrue(steps[^1], "use_regex", otherwise: true) != (steps.Length == 1))
            throw Bad($"pre_tokenizer {Quote(pre)}: exactly one step must split by GPT-2's pattern");
        if (steps.Length == 2)
            CheckSplit(steps[0]);
    }

    private void CheckSplit(JsonElement split)
    {
        var pattern = Required(split, "pattern", "pre_tokenizer Split.pattern", JsonValueKind.Object);
        string found = Optional(pattern, "Regex") is { ValueKind: JsonValueKind.String } regex ? regex.GetString()!
            : Quote(pattern);
        if (found != PieceScanner.Pattern)
            throw Bad(
                $"pre_tokenizer: splitting by the pattern {found} is not supported, only by GPT-2's "
                + $"{PieceScanner.Pattern}");
        if (Optional(split, "behavior") is not { ValueKind: JsonValueKind.String } behavior
            || behavior.GetString() != "Isolated"
            || IsTrue(split, "invert", otherwise: false))
            throw Bad($"pre_tokenizer {Quote(split)} is not supported: behavior must be Isolated, invert false");
    }

    private void CheckModel(JsonElement model)
    {
        if (Optional(model, "type") is { } type
            && (type.ValueKind != JsonValueKind.String || type.GetString() != "BPE"))
            throw Bad($"model.type {Quote(type)} is not supported, only BPE");
        foreach (string affix in (string[])["continuing_subword_prefix", "end_of_word_suffix"])
            if (Optional(model, affix) is { } value
                && (value.ValueKind != JsonValueKind.String || value.GetString() != ""))
                throw Bad($"model.{affix} {Quote(value)} is not supported, only none");
        foreach (string flag in (string[])["byte_fallback", "ignore_merges"])
            if (IsTrue(model, flag, otherwise: false))
                throw Bad($"model.{flag} true is not supported");
        if (Optional(model, "dropout") is { } dropout
            && (dropout.ValueKind != JsonValueKind.Number || dropout.GetDouble() != 0))
            throw Bad($"model.dropout {Quote(dropout)} is not supported, only none");
    }

    private void ReadVocabulary(JsonElement vocabulary)
    {
        foreach (var token in vocabulary.EnumerateObject())
        {
            if (token.Value.ValueKind != JsonValueKind.Number || !token.Value.TryGetInt32(out int id) || id < 0)
                throw Bad(
                    $"model.vocab: the id of '{token.Name}' must be a non-negative integer, got {Quote(token.Value)}");
            if (token.Name.Length == 0 || _ids.Count == MaxTokens || !_ids.TryAdd(token.Name, id))
                throw Bad(
                    $"model.vocab: token '{token.Name}' is empty, stands twice, or is one more than the {MaxTokens} "
                    + $"allowed");
        }
    }

    private void ReadAddedTokens(JsonElement added)
    {
        if (added.ValueKind != JsonValueKind.Array)
            throw Bad($"added_tokens must be an array, got {Quote(added)}");
        foreach (var token in added.EnumerateArray())
        {
            string where = $"added_tokens[{_specials.Count}]";
            if (token.ValueKind != JsonValueKind.Object)
                throw Bad($"{where} must be an object, got {Quote(token)}");
            string content = Required(token, "content", $"{where}.content", JsonValueKind.String).GetString()!;
            var number = Required(token, "id", $"{where}.id", JsonValueKind.Number);
            if (!number.TryGetInt32(out int id) || id < 0 || content.Length == 0)
                throw Bad($"{where} needs a text and a non-negative integer as id, got {Quote(token)}");
            foreach (string flag in (string[])["single_word", "lstrip", "rstrip"])
                if (IsTrue(token, flag, otherwise: false))
                    throw Bad($"{where} '{content}': {flag} true is not supported");
            if (_ids.TryGetValue(content, out int known) && known != id)
                throw Bad($"{where} '{content}' has the id {id}, but {known} in model.vocab");
            if (_specials.Count == MaxTokens || !_specials.TryAdd(content, id))
                throw Bad($"{where} '{content}' stands twice, or is one more than the {MaxTokens} allowed");
        }
    }

    // The bytes of every token; ids must be 0 to their number, and every single byte must be a token.
    private byte[][] TokensById()
    {
        var all = new Dictionary<string, int>(_ids);
        foreach (var (text, id) in _specials)
            all[text] = id;
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
            bool special = _specials.ContainsKey(text);
            tokens[id] = (special ? Encoding.UTF8.GetBytes(text) : ByteLevelAlphabet.TryDecode(text))
                ?? throw Bad($"model.vocab: token '{text}' holds a character that is not in the byte-level alphabet");
            if (tokens[id].Length == 1 && !special)
                isByte[tokens[id][0]] = true;
        }
        if (Array.IndexOf(isByte, false) is >= 0 and int missing)
            throw Bad(
                $"model.vocab lacks the token '{ByteLevelAlphabet.Encode([(byte)missing])}' of the single byte "
                + $"0x{missing:X2}: "
                + "not every text could be encoded");
        return tokens;
    }

    private List<(int, int, int)> ReadMerges(JsonElement array, byte[][] tokens)
    {
        var merges = new List<(int, int, int)>(Math.Min(array.GetArrayLength(), MaxTokens));
        var pairs = new HashSet<(int, int)>();
        foreach (var merge in array.EnumerateArray())
        {
            var (left, right) = Sides(merge, merges.Count);
            if (!_ids.TryGetValue(left, out int leftId) || !_ids.TryGetValue(right, out int rightId)
                || !_ids.TryGetValue(left + right, out int merged))
                throw Bad(
                    $"model.merges[{merges.Count}]: '{left}', '{right}' and '{left + right}' must all be in model.vocab");
            if (!tokens[merged].AsSpan().SequenceEqual([.. tokens[leftId], .. tokens[rightId]]))
                throw Bad(
                    $"model.merges[{merges.Count}]: '{left + right}' is an added token with other bytes than '{left}' "
                    + $"and '{right}' make");
            if (!pairs.Add((leftId, rightId)))
                throw Bad($"model.merges[{merges.Count}]: '{left}' and '{right}' are merged twice");
            merges.Add((leftId, rightId, merged));
        }
        return merges;
    }

    // "a b" as written until 2024, ["a", "b"] since.
    private (string Left, string Right) Sides(JsonElement merge, int index)
    {
        string[] sides = merge.ValueKind switch
        {
            JsonValueKind.String => merge.GetString()!.Split(' '),
            JsonValueKind.Array =>
                [.. merge.EnumerateArray().Where(side => side.ValueKind == JsonValueKind.String)
                .Select(side => side.GetString()!)],
            _ => [],
        };
        bool isPair = sides.Length == 2 && (merge.ValueKind == JsonValueKind.String || merge.GetArrayLength() == 2);
        return isPair ? (sides[0], sides[1])
            : throw Bad($"model.merges[{index}] must be \"left right\" or [\"left\", \"right\"], got {Quote(merge)}");
    }

    // A member that is there and not null.
    private static JsonElement? Optional(JsonElement parent, string name) =>
        parent.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    private JsonElement Required(JsonElement parent, string name, string where, JsonValueKind kind)
    {
        if (Optional(parent, name) is { } value && value.ValueKind == kind)
            return value;
        string article = kind is JsonValueKind.Array or JsonValueKind.Object ? "an" : "a";
        string found = parent.TryGetProperty(name, out var other) ? Quote(other) : "nothing";
        throw Bad($"{where} must be {article} {kind.ToString().ToLowerInvariant()}, got {found}");
    }

    private bool IsTrue(JsonElement parent, string name, bool otherwise) => Optional(parent, name) switch
    {
        null => otherwise,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        { } value => throw Bad($"{name} must be true or false, got {Quote(value)}"),
    };

    private static string? TypeOf(JsonElement part) =>
        part.ValueKind == JsonValueKind.Object && Optional(part, "type") is { ValueKind: JsonValueKind.String } type
        ? type.GetString() : null;

    private static string Quote(JsonElement value)
    {
        string text = value.GetRawText();
        return text.Length <= MaxQuoted ? text : text[..MaxQuoted] + "...";
    }
}
