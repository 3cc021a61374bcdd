using System.Runtime.InteropServices;
using S2ILGPU.Corpora;
using S2ILGPU.Tokenizers.Pipeline;

namespace S2ILGPU.Tokenizers;

/// <summary>Turns pieces into tokens: their symbols, merged. Safe to share between threads.</summary>
internal sealed class PieceEncoder
{
    private readonly PairTable _merges;
    private readonly Symbols _symbols;
    private readonly PieceCache _cache = new();
    // Cuts a piece where no merge can reach over: the same tokens, sooner, as pieces of a word's length are cached.
    private readonly PatternSplit? _words;
    // The tokens that a whole piece may be, where that comes before merging.
    private readonly Dictionary<byte[], int>.AlternateLookup<ReadOnlySpan<byte>>? _whole;

    public PieceEncoder(BytePairVocabulary vocabulary)
    {
        _merges = new PairTable(vocabulary.Merges.Count);
        for (int i = 0; i < vocabulary.Merges.Count; i++)
        {
            var (left, right, merged) = vocabulary.Merges[i];
            _merges.TryAdd(left, right, vocabulary.RanksAreIds ? merged : i, merged);
        }
        _symbols = Symbols.Of(vocabulary);
        if (vocabulary.IgnoresMerges)
            _whole = WholePieces(vocabulary).GetAlternateLookup<ReadOnlySpan<byte>>();
        else if (vocabulary.Pieces is { } pieces && HasWords(vocabulary, pieces))
            _words = new PatternSplit(SplitPattern.Parse("▁+[^▁]*|[^▁]+"), SplitBehavior.Isolated);
    }

    /// <summary>What adds the tokens of pieces to a list.</summary>
    public IPieceReader Into(List<int> destination)
    {
        var reader = new Reader(this, destination);
        return _words?.Before(reader) ?? reader;
    }

    private sealed class Reader(PieceEncoder encoder, List<int> destination) : IPieceReader
    {
        public void Read(ReadOnlySpan<byte> piece, bool isFirst) => encoder.Encode(piece, destination);
    }

    private void Encode(ReadOnlySpan<byte> piece, List<int> destination)
    {
        bool cached = piece.Length <= PieceCache.LongestPiece;
        int slot = cached ? PieceCache.SlotOf(piece) : 0;
        if (cached && _cache.TryGet(piece, slot, out var known))
        {
            destination.AddRange(known);
            return;
        }
        int first = destination.Count;
        if (_whole is { } whole && whole.TryGetValue(piece, out int id))
            destination.Add(id);
        else
        {
            CollectionsMarshal.SetCount(destination, first + piece.Length);
            var ids = CollectionsMarshal.AsSpan(destination)[first..];
            int count = _symbols.Fill(piece, ids);
            CollectionsMarshal.SetCount(destination, first + PieceMerger.Merge(_merges, ids[..count]));
        }
        if (cached)
            _cache.Set(piece, slot, CollectionsMarshal.AsSpan(destination)[first..]);
    }

    // Whether ▁ is a token, and begins no right side of a merge whose left side ends with another character. Dropped
    // characters would bring others together.
    private static bool HasWords(BytePairVocabulary vocabulary, IReadOnlyList<byte[]> pieces) =>
        vocabulary.UnknownToken is not null && pieces.Any(piece => piece.AsSpan().SequenceEqual("▁"u8))
        && !vocabulary.Merges.Any(merge => pieces[merge.Right].AsSpan().StartsWith("▁"u8)
            && !pieces[merge.Left].AsSpan().EndsWith("▁"u8));

    private static Dictionary<byte[], int> WholePieces(BytePairVocabulary vocabulary)
    {
        var added = vocabulary.AddedTokens.Select(token => token.Id).ToHashSet();
        var pieces = vocabulary.Pieces ?? vocabulary.Tokens;
        var whole = new Dictionary<byte[], int>(pieces.Count, new BytesComparer());
        for (int id = 0; id < pieces.Count; id++)
            if (pieces[id].Length > 0 && !added.Contains(id))
                whole.TryAdd(pieces[id], id);
        return whole;
    }
}

/// <summary>Compares strings of bytes by content.</summary>
internal sealed class BytesComparer : IEqualityComparer<byte[]>,
    IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>
{
    public bool Equals(byte[]? x, byte[]? y) => x.AsSpan().SequenceEqual(y);

    public bool Equals(ReadOnlySpan<byte> alternate, byte[] other) => alternate.SequenceEqual(other);

    public int GetHashCode(byte[] bytes) => GetHashCode(bytes.AsSpan());

    public int GetHashCode(ReadOnlySpan<byte> alternate) => (int)StableHash.OfBytes(alternate);

    public byte[] Create(ReadOnlySpan<byte> alternate) => alternate.ToArray();
}
