using System.Runtime.InteropServices;
using System.Text;

namespace S2ILGPU.Tokenizers;

/// <summary>A byte-level BPE tokenizer with GPT-2's splitting: text to token ids and back, without loss for any
/// bytes.</summary>
/// <remarks>Safe to share between threads. Encoding keeps a cache of short pieces (at most some megabytes).</remarks>
/// <seealso href="https://huggingface.co/docs/tokenizers"/>
public sealed class BytePairTokenizer
{
    /// <summary>The token between two documents.</summary>
    public const string EndOfTextToken = "<|endoftext|>";

    private readonly PairTable _merges;
    private readonly int[] _byteIds = new int[256];
    private readonly bool[] _isSpecial;
    private readonly (byte[] Text, int Id)[] _specials;
    private readonly PieceCache _cache = new();

    internal BytePairTokenizer(BytePairVocabulary vocabulary)
    {
        Vocabulary = vocabulary;
        _isSpecial = new bool[vocabulary.Tokens.Count];
        foreach (int id in vocabulary.SpecialTokens.Values)
            _isSpecial[id] = true;
        for (int id = vocabulary.Tokens.Count - 1; id >= 0; id--)
            if (vocabulary.Tokens[id].Length == 1 && !_isSpecial[id])
                _byteIds[vocabulary.Tokens[id][0]] = id;
        _merges = new PairTable(vocabulary.Merges.Count);
        for (int rank = 0; rank < vocabulary.Merges.Count; rank++)
            _merges.TryAdd(vocabulary.Merges[rank].Left, vocabulary.Merges[rank].Right, rank,
                vocabulary.Merges[rank].Merged);
        // Longest first, so that of two special tokens that begin alike the longer one is found.
        _specials = [.. vocabulary.SpecialTokens.Select(p => (Encoding.UTF8.GetBytes(p.Key), p.Value))
            .OrderByDescending(p => p.Item1.Length)];
        EndOfText = vocabulary.SpecialTokens.TryGetValue(EndOfTextToken, out int endOfText) ? endOfText : null;
    }

    /// <summary>V, number of token ids: 0 to this exclusive.</summary>
    public int VocabularySize => Vocabulary.Tokens.Count;

    /// <summary>Id of <see cref="EndOfTextToken"/>; null when the vocabulary has none.</summary>
    public int? EndOfText { get; }

    /// <summary>The special tokens by text.</summary>
    public IReadOnlyDictionary<string, int> SpecialTokens => Vocabulary.SpecialTokens;

    internal BytePairVocabulary Vocabulary { get; }

    /// <summary>Reads a Hugging Face <c>tokenizer.json</c> of a byte-level BPE tokenizer with GPT-2's
    /// splitting.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
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
        return Encode(Encoding.UTF8.GetBytes(text), allowSpecial);
    }

    /// <summary>Encodes UTF-8 text or any other bytes.</summary>
    /// <param name="utf8">The bytes; need not be valid UTF-8.</param>
    /// <param name="allowSpecial">Whether the text of a special token becomes that token.</param>
    /// <returns>The token ids.</returns>
    public int[] Encode(ReadOnlySpan<byte> utf8, bool allowSpecial = false)
    {
        var ids = new List<int>(utf8.Length / 3 + 8);
        Encode(utf8, ids, allowSpecial);
        return ids.ToArray();
    }

    /// <summary>Encodes UTF-8 text or any other bytes into a list.</summary>
    /// <param name="utf8">The bytes; need not be valid UTF-8.</param>
    /// <param name="destination">Receives the token ids at its end.</param>
    /// <param name="allowSpecial">Whether the text of a special token becomes that token.</param>
    /// <remarks>O(bytes) for ordinary text; a single piece of n bytes (a run without any break) costs O(n log
    /// n).</remarks>
    public void Encode(ReadOnlySpan<byte> utf8, List<int> destination, bool allowSpecial = false)
    {
        ArgumentNullException.ThrowIfNull(destination);
        if (!allowSpecial || _specials.Length == 0)
        {
            EncodePlain(utf8, destination);
            return;
        }
        var finder = new SpecialTokenFinder(_specials);
        int start = 0;
        while (finder.TryFindNext(utf8, start, out int position, out var special))
        {
            EncodePlain(utf8[start..position], destination);
            destination.Add(special.Id);
            start = position + special.Text.Length;
        }
        EncodePlain(utf8[start..], destination);
    }

    /// <summary>The bytes that tokens stand for; of a special token, its text.</summary>
    /// <param name="ids">Token ids, 0 to <see cref="VocabularySize"/> exclusive.</param>
    /// <exception cref="ArgumentOutOfRangeException">An id is not in the vocabulary.</exception>
    public byte[] DecodeBytes(ReadOnlySpan<int> ids)
    {
        int length = 0;
        foreach (int id in ids)
            length = checked(length + TokenBytes(id).Length);
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
    /// <exception cref="ArgumentOutOfRangeException">An id is not in the vocabulary.</exception>
    public string Decode(ReadOnlySpan<int> ids) => Encoding.UTF8.GetString(DecodeBytes(ids));

    /// <summary>The bytes that one token stands for; of a special token, its text.</summary>
    /// <param name="id">Token id, 0 to <see cref="VocabularySize"/> exclusive.</param>
    /// <exception cref="ArgumentOutOfRangeException">The id is not in the vocabulary.</exception>
    public ReadOnlySpan<byte> TokenBytes(int id)
    {
        if ((uint)id >= (uint)VocabularySize)
            throw new ArgumentOutOfRangeException(nameof(id),
                $"token id {id} is not in the vocabulary of {VocabularySize}");
        return Vocabulary.Tokens[id];
    }

    /// <summary>Whether a token is one of <see cref="SpecialTokens"/>.</summary>
    /// <param name="id">Token id.</param>
    public bool IsSpecial(int id) => (uint)id < (uint)_isSpecial.Length && _isSpecial[id];

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
