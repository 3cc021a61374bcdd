using System.Text;

namespace S2ILGPU.Tokenizers;

/// <summary>A BPE tokenizer, byte-level as GPT-2's and Llama 3's or over characters as Llama 2's: text to token ids and
/// back.</summary>
/// <remarks>A byte-level tokenizer without a normalizer loses nothing, of any bytes. Added tokens that are not special
/// are found in every text, before it is split. Safe to share between threads. Encoding keeps a cache of short pieces
/// (at most some megabytes).</remarks>
/// <seealso href="https://huggingface.co/docs/tokenizers"/>
public sealed class BytePairTokenizer
{
    /// <summary>The token between two documents.</summary>
    public const string EndOfTextToken = "<|endoftext|>";

    // Where nothing else ends a document: the names of that token in models of other makers.
    private static readonly string[] s_endNames = [EndOfTextToken, "<|end_of_text|>", "</s>"];

    // The names, for messages.
    internal static string EndNames => string.Join(", ", s_endNames);

    private readonly PieceEncoder _encoder;
    private readonly bool[] _isAdded, _isSpecial;
    private readonly AddedTokens _all, _plain;

    internal BytePairTokenizer(BytePairVocabulary vocabulary)
    {
        Vocabulary = vocabulary;
        _encoder = new PieceEncoder(vocabulary);
        (_isAdded, _isSpecial) = (new bool[vocabulary.Tokens.Count], new bool[vocabulary.Tokens.Count]);
        foreach (var token in vocabulary.AddedTokens)
            (_isAdded[token.Id], _isSpecial[token.Id]) = (true, token.IsSpecial);
        _all = new AddedTokens(vocabulary.AddedTokens, vocabulary.Pipeline);
        _plain = new AddedTokens(vocabulary.AddedTokens.Where(token => !token.IsSpecial), vocabulary.Pipeline);
        SpecialTokens = vocabulary.AddedTokens.Where(token => token.IsSpecial)
            .ToDictionary(token => token.Text, token => token.Id);
        EndOfText = s_endNames.Select(name => vocabulary.AddedTokens.FirstOrDefault(token => token.Text == name)?.Id)
            .FirstOrDefault(id => id is not null);
    }

    /// <summary>The most token ids that a vocabulary may have.</summary>
    public const int MaxVocabularySize = 1 << 21;

    // Ids that a file may leave out, beside as many as it has: a small damaged file shall not cost much memory.
    internal const int MaxVocabularyGap = 1 << 17;

    /// <summary>V, number of token ids: 0 to this exclusive.</summary>
    public int VocabularySize => Vocabulary.Tokens.Count;

    /// <summary>Id of the token between two documents: <see cref="EndOfTextToken"/>, else <c>&lt;|end_of_text|></c>,
    /// else <c>&lt;/s></c>; null when the vocabulary has none of them.</summary>
    public int? EndOfText { get; }

    /// <summary>Ids of the special tokens that a text begins with, as the file's post-processor says; empty for most
    /// models.</summary>
    public IReadOnlyList<int> Prefix => Vocabulary.Pipeline.Prefix;

    /// <summary>The special tokens by text: added tokens that are signs of the format, as the end of a text.</summary>
    public IReadOnlyDictionary<string, int> SpecialTokens { get; }

    internal BytePairVocabulary Vocabulary { get; }

    /// <summary>Reads a Hugging Face <c>tokenizer.json</c> of a BPE tokenizer, or the <c>.tiktoken</c> file of a known
    /// encoding.</summary>
    /// <param name="path">The file. Beside a <c>.tiktoken</c> file, <c>tokenizer_config.json</c> is read too.</param>
    /// <exception cref="FileNotFoundException">The file does not exist.</exception>
    /// <exception cref="InvalidDataException">The file is damaged, too large, or describes another kind of tokenizer;
    /// the message says what and where.</exception>
    public static BytePairTokenizer Load(string path) => new(TokenizerFiles.Read(path));

    /// <summary>Writes a Hugging Face <c>tokenizer.json</c>, replacing the file only when it is complete.</summary>
    /// <param name="path">The file to write.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Save(string path) =>
        Storage.AtomicFile.Write(path, stream => TokenizerJsonWriter.Write(stream, Vocabulary));

    /// <summary>Encodes text.</summary>
    /// <param name="text">Any text; half a surrogate pair becomes U+FFFD.</param>
    /// <param name="allowSpecial">Whether the text of a special token becomes that token. False for text from outside:
    /// it is then encoded like any other text.</param>
    /// <param name="addSpecial">Whether the ids of <see cref="Prefix"/> come first, and those that the file puts after
    /// a text last: true for a prompt, false for a part of one.</param>
    /// <returns>The token ids.</returns>
    public int[] Encode(string text, bool allowSpecial = false, bool addSpecial = false)
    {
        ArgumentNullException.ThrowIfNull(text);
        int[] ids = EncodeBytes(Encoding.UTF8.GetBytes(text), allowSpecial);
        return addSpecial ? [.. Prefix, .. ids, .. Vocabulary.Pipeline.Suffix] : ids;
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
        (allowSpecial ? _all : _plain).Split(utf8, Vocabulary.Pipeline.Before(_encoder.Into(destination)), destination);
    }

    /// <summary>The bytes that tokens stand for; of an added token, its text.</summary>
    /// <param name="ids">Token ids, 0 to <see cref="VocabularySize"/> exclusive, of a text from its beginning: where
    /// encoding puts a space in front, decoding takes it away.</param>
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
        return bytes[PrefixBytes(ids)..];
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

    /// <summary>Bytes that a text which begins with these tokens loses: a space that encoding put in front.</summary>
    internal int PrefixBytes(ReadOnlySpan<int> ids) => Vocabulary.Pipeline.StripsSpace && ids.Length > 0
        && !_isAdded[ids[0]] && TokenBytes(ids[0]) is [(byte)' ', ..] ? 1 : 0;

    /// <summary>Whether a token is one of <see cref="SpecialTokens"/>.</summary>
    /// <param name="id">Token id.</param>
    public bool IsSpecial(int id) => (uint)id < (uint)_isSpecial.Length && _isSpecial[id];
}
