using System.Buffers.Text;
using System.Text;
using S2ILGPU.Storage;

namespace S2ILGPU.Tokenizers;

/// <summary>Reads tiktoken's files: a line per token, its bytes in base64 and its rank, which is its id.</summary>
/// <remarks>Any two neighbours merge that make a token together, those first that make the lowest rank, so merges are
/// all ways to cut a token in two tokens.</remarks>
internal sealed class TiktokenReader
{
    /// <summary>How the names of such files end.</summary>
    public const string FileEnding = ".tiktoken";

    private const int MaxFileBytes = 1 << 27, MaxTokenBytes = 1 << 12;

    private readonly string _path;
    private readonly Dictionary<byte[], int> _ids = new(new BytesComparer());

    private TiktokenReader(string path) => _path = path;

    /// <summary>Reads a file, with the special tokens that <c>tokenizer_config.json</c> beside it names.</summary>
    /// <exception cref="FileNotFoundException">The file does not exist.</exception>
    /// <exception cref="InvalidDataException">It is damaged, or its name is not that of a known encoding.</exception>
    public static BytePairVocabulary Read(string path)
    {
        byte[] content = FileContent.Read(path, "a vocabulary", MaxFileBytes);
        string configuration = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, "tokenizer_config.json");
        (string, int)[] added = !File.Exists(configuration) ? []
            : JsonValue.Read(configuration, "a configuration", MaxFileBytes, ReadConfiguration);
        return Parse(path, content, added);
    }

    /// <param name="path">The file's name, which names the encoding.</param>
    /// <param name="content">Its lines.</param>
    /// <param name="added">More special tokens.</param>
    /// <exception cref="InvalidDataException">As for <see cref="Read"/>.</exception>
    public static BytePairVocabulary Parse(string path, ReadOnlySpan<byte> content, (string, int)[] added)
    {
        if (!TiktokenEncoding.ByName.TryGetValue(Path.GetFileNameWithoutExtension(path), out var encoding))
            throw new InvalidDataException($"{path}: how this encoding splits text is not known, only that of "
                + $"{string.Join(", ", TiktokenEncoding.ByName.Keys)}; use the model's tokenizer.json");
        return new TiktokenReader(path).ReadVocabulary(content, encoding, added);
    }

    private static (string, int)[] ReadConfiguration(JsonValue root)
    {
        var added = root.Find("added_tokens_decoder") is not { } list ? [] : list.Members()
            .Select(member => (member.Value.Text("content"), int.TryParse(member.Name, out int id) ? id
                : throw member.Value.Bad("has a name that is not an id"))).ToList();
        string kind = root.Find("tokenizer_class") is { IsText: true } name ? name.Text() : "";
        return [.. added, .. TiktokenEncoding.ByClass.GetValueOrDefault(kind, [])];
    }

    private BytePairVocabulary ReadVocabulary(ReadOnlySpan<byte> content, TiktokenEncoding encoding,
        (string, int)[] added)
    {
        int line = 0;
        foreach (var range in content.Split((byte)'\n'))
            ReadLine(content[range].TrimEnd((byte)'\r'), ++line);
        AddedToken[] special = [.. encoding.SpecialTokens.Concat(added).DistinctBy(token => token.Item1)
            .Select(token => new AddedToken(token.Item1, token.Item2, IsSpecial: true, IsNormalized: false))];
        int last = _ids.Values.Concat(special.Select(token => token.Id)).Max();
        if (last >= 2 * _ids.Count + BytePairTokenizer.MaxVocabularyGap)
            throw Bad($"a token has the id {last}, but there are only {_ids.Count} lines");
        byte[][] tokens = new byte[last + 1][];
        Array.Fill(tokens, []);
        foreach (var (bytes, id) in _ids.Concat(special.Select(token =>
            KeyValuePair.Create(Encoding.UTF8.GetBytes(token.Text), token.Id))))
            tokens[id] = tokens[id].Length == 0 ? bytes : throw Bad($"two tokens have the id {id}");
        for (int b = 0; b < 256; b++)
            if (!_ids.ContainsKey([(byte)b]))
                throw Bad($"lacks the token of the single byte 0x{b:X2}: not every text could be encoded");
        return new BytePairVocabulary
        {
            Tokens = tokens,
            Merges = [.. Merges().OrderBy(merge => merge.Merged).ThenBy(merge => merge.Left)],
            RanksAreIds = true,
            AddedTokens = special,
            IgnoresMerges = true,
            Pipeline = encoding.CreatePipeline(),
        };
    }

    private void ReadLine(ReadOnlySpan<byte> line, int number)
    {
        if (line.IsEmpty)
            return;
        int space = line.IndexOf((byte)' ');
        byte[] bytes = new byte[Math.Max(0, space)];
        if (space <= 0 || Base64.DecodeFromUtf8(line[..space], bytes, out _, out int length)
            != System.Buffers.OperationStatus.Done || length is 0 or > MaxTokenBytes
            || !Utf8Parser.TryParse(line[(space + 1)..], out int rank, out int digits)
            || digits != line.Length - space - 1 || rank is < 0 or >= BytePairTokenizer.MaxVocabularySize)
            throw Bad($"line {number} is not a token in base64 and its rank");
        if (!_ids.TryAdd(bytes[..length], rank))
            throw Bad($"line {number} has a token a second time");
    }

    private IEnumerable<(int Left, int Right, int Merged)> Merges()
    {
        var merges = new List<(int, int, int)>(3 * _ids.Count);
        var ids = _ids.GetAlternateLookup<ReadOnlySpan<byte>>();
        foreach (var (bytes, merged) in _ids)
            for (int cut = 1; cut < bytes.Length; cut++)
                if (ids.TryGetValue(bytes.AsSpan(0, cut), out int left)
                    && ids.TryGetValue(bytes.AsSpan(cut), out int right))
                    merges.Add((left, right, merged));
        return merges;
    }

    private InvalidDataException Bad(string what) => new($"{_path}: {what}");
}
