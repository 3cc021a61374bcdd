using System.Runtime.InteropServices;
using System.Text;

namespace S2ILGPU.Tokenizers;

/// <summary>A byte-level BPE tokenizer with GPT-2's splitting: text to token ids and back, without loss for any
/// bytes.</summary>
/// <remarks>Added tokens that are not special are found in every text, before it is split. Safe to share between
/// threads. Encoding keeps a cache of short pieces (at most some megabytes).</remarks>
/// <seealso href="https://huggingface.co/docs/tokenizers"/>
public sealed class BytePairTokenizer
{
    /// <summary>The token between two documents.</summary>
    public const string EndOfTextToken = "<|endoftext|>";

    private readonly PairTable _merges;
    private readonly int[] _byteIds = new int[256];
    private readonly bool[] _isSpecial;
    // What to look for in text, one list after the other, with and without special tokens.
    private readonly (byte[] Text, int Id)[][] _added, _addedPlain;
    private readonly PieceCache _cache = new();

    internal BytePairTokenizer(BytePairVocabulary vocabulary)
    {
        Vocabulary = vocabulary;
        var isAdded = new bool[vocabulary.Tokens.Count];
        _isSpecial = new bool[vocabulary.Tokens.Count];
        foreach (var token in vocabulary.AddedTokens)
            (isAdded[token.Id], _isSpecial[token.Id]) = (true, token.IsSpecial);
        for (int id = vocabulary.Tokens.Count - 1; id >= 0; id--)
            if (vocabulary.Tokens[id].Length == 1 && !isAdded[id])
                _byteIds[vocabulary.Tokens[id][0]] = id;
        _merges = new PairTable(vocabulary.Merges.Count);
        for (int rank = 0; rank < vocabulary.Merges.Count; rank++)
            _merges.TryAdd(vocabulary.Merges[rank].Left, vocabulary.Merges[rank].Right, rank,
                vocabulary.Merges[rank].Merged);
        _added = Lists(vocabulary.AddedTokens);
        _addedPlain = Lists([.. vocabulary.AddedTokens.Where(token => !token.IsSpecial)]);
        SpecialTokens = vocabulary.AddedTokens.Where(token => token.IsSpecial)
            .ToDictionary(token => token.Text, token => token.Id);
        EndOfText = vocabulary.AddedTokens.FirstOrDefault(token => token.Text == EndOfTextToken)?.Id;
    }

    /// <summary>The most token ids that a vocabulary may have.</summary>
    public const int MaxVocabularySize = 1 << 21;

    /// <summary>V, number of token ids: 0 to this exclusive.</summary>
    public int VocabularySize => Vocabulary.Tokens.Count;

    /// <summary>Id of <see cref="EndOfTextToken"/>; null when the vocabulary has none.</summary>
    public int? EndOfText { get; }

    /// <summary>The special tokens by text: added tokens that are signs of the format, as the end of a text.</summary>
    public IReadOnlyDictionary<string, int> SpecialTokens { get; }

    internal BytePairVocabulary Vocabulary { get; }

    /// <summary>Reads a Hugging Face <c>tokenizer.json</c> of a byte-level BPE tokenizer with GPT-2's
    /// splitting.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="FileNotFoundException">The file does not exist.</exception>
    /// <exception cref="InvalidDataException">The file is damaged, too large, or describes another kind of tokenizer;
    /// the message says what and where.</exception>
    public static BytePairTokenizer Load(string path) => new(TokenizerJsonReader.Read(path));

    /// <summary>Writes a Hugging Face <c>tokenizer.json</c>, replacing the file only when it is complete.</summary>
    /// <param name="path">The file to write.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Save(string path) =>
        Storage.AtomicFile.Write(path, stream => TokenizerJsonWriter.Write(stream, Vocabulary));

    /// <summary>Encodes text.</summary>
    /// <param name="text">Any text; half a surrogate pair becomes U+FFFD.</param>
    /// <param name="allowSpecial">Whether the text of a special token becomes that token. False for text from outside:
    /// it is then encoded like any other text.</param>
    /// <returns>The token ids.</returns>
    public int[] Encode(string text, bool allowSpecial = false)
    {
        ArgumentNullException.ThrowIfNull(text);
        return EncodeBytes(Encoding.UTF8.GetBytes(text), allowSpecial);
    }

    /// <summary>Encodes UTF-8 text or any other bytes.</summary>
    /// <param name="utf8">The bytes; need not be valid UTF-8.</param>
    /// <param name="allowSpecial">Whether the text of a special token becomes that token.</param>
    /// <returns>The token ids.</returns>
    public int[] EncodeBytes(ReadOnlySpan<byte> utf8, bool allowSpecial = false)
    {
        var ids = new List<int>(utf8.Length / 3 + 8);
        EncodeInto(utf8, ids, allowSpecial);
        return ids.ToArray();
    }

    /// <summary>Encodes UTF-8 text or any other bytes into a list.</summary>
    /// <param name="utf8">The bytes; need not be valid UTF-8.</param>
    /// <param name="destination">Receives the token ids at its end.</param>
    /// <param name="allowSpecial">Whether the text of a special token becomes that token.</param>
    /// <remarks>O(bytes) for ordinary text; a single piece of n bytes (a run without any break) costs O(n log
    /// n).</remarks>
    public void EncodeInto(ReadOnlySpan<byte> utf8, List<int> destination, bool allowSpecial = false)
    {
        ArgumentNullException.ThrowIfNull(destination);
        EncodeAdded(utf8, destination, allowSpecial ? _added : _addedPlain);
    }

    /// <summary>The bytes that tokens stand for; of an added token, its text.</summary>
    /// <param name="ids">Token ids, 0 to <see cref="VocabularySize"/> exclusive.</param>
    /// <exception cref="ArgumentException">An id is not in the vocabulary.</exception>
    public byte[] DecodeBytes(ReadOnlySpan<int> ids)
    {
        long length = 0;
        foreach (int id in ids)
            length += TokenBytes(id).Length;
        if (length > Array.MaxLength)
            throw new ArgumentException(
                $"{ids.Length} tokens stand for {length} bytes, more than the {Array.MaxLength} of an array");
        var bytes = new byte[length];
        int position = 0;
        foreach (int id in ids)
        {
            TokenBytes(id).CopyTo(bytes.AsSpan(position));
            position += TokenBytes(id).Length;
        }
        return bytes;
    }

    /// <summary>The text that tokens stand for; bytes that are no valid UTF-8 become U+FFFD.</summary>
    /// <param name="ids">Token ids, 0 to <see cref="VocabularySize"/> exclusive.</param>
    /// <exception cref="ArgumentException">An id is not in the vocabulary.</exception>
    public string Decode(ReadOnlySpan<int> ids) => Encoding.UTF8.GetString(DecodeBytes(ids));

    /// <summary>The bytes that one token stands for; of an added token, its text.</summary>
    /// <param name="id">Token id, 0 to <see cref="VocabularySize"/> exclusive.</param>
    /// <exception cref="ArgumentException">The id is not in the vocabulary.</exception>
    public ReadOnlySpan<byte> TokenBytes(int id)
    {
        if ((uint)id >= (uint)VocabularySize)
            throw new ArgumentException($"token id {id} is not in the vocabulary of {VocabularySize}");
        return Vocabulary.Tokens[id];
    }

    /// <summary>Whether a token is one of <see cref="SpecialTokens"/>.</summary>
    /// <param name="id">Token id.</param>
    public bool IsSpecial(int id) => (uint)id < (uint)_isSpecial.Length && _isSpecial[id];

    // Those that are not normalized first; the rest of each list is looked for between what was found before. Longest
    // first, so that of two tokens that begin at the same place the longer one is found.
    private static (byte[] Text, int Id)[][] Lists(IReadOnlyList<AddedToken> tokens) =>
        [.. tokens.GroupBy(token => token.IsNormalized).OrderBy(group => group.Key)
            .Select(group => group.Select(token => (Text: Encoding.UTF8.GetBytes(token.Text), token.Id))
                .OrderByDescending(token => token.Text.Length).ToArray())];

    private void EncodeAdded(ReadOnlySpan<byte> utf8, List<int> destination,
        ReadOnlySpan<(byte[] Text, int Id)[]> lists)
    {
        if (lists.IsEmpty)
        {
            EncodePlain(utf8, destination);
            return;
        }
        var finder = new AddedTokenFinder(lists[0]);
        int start = 0;
        while (finder.TryFindNext(utf8, start, out int position, out var token))
        {
            EncodeAdded(utf8[start..position], destination, lists[1..]);
            destination.Add(token.Id);
            start = position + token.Text.Length;
        }
        EncodeAdded(utf8[start..], destination, lists[1..]);
    }

    private void EncodePlain(ReadOnlySpan<byte> utf8, List<int> destination)
    {
        for (int start = 0; start < utf8.Length;)
        {
            int end = PieceScanner.NextEnd(utf8, start);
            EncodePiece(utf8[start..end], destination);
            start = end;
        }
    }

    private void EncodePiece(ReadOnlySpan<byte> piece, List<int> destination)
    {
        if (piece.Length == 1)
        {
            destination.Add(_byteIds[piece[0]]);
            return;
        }
        bool cached = piece.Length <= PieceCache.LongestPiece;
        int slot = cached ? PieceCache.SlotOf(piece) : 0;
        if (cached && _cache.TryGet(piece, slot, out var known))
        {
            destination.AddRange(known);
            return;
        }
        int first = destination.Count;
        CollectionsMarshal.SetCount(destination, first + piece.Length);
        var ids = CollectionsMarshal.AsSpan(destination)[first..];
        for (int i = 0; i < piece.Length; i++)
            ids[i] = _byteIds[piece[i]];
        int count = PieceMerger.Merge(_merges, ids);
        CollectionsMarshal.SetCount(destination, first + count);
        if (cached)
            _cache.Set(piece, slot, ids[..count]);
    }
}
