using S2ILGPU.Corpora;

namespace S2ILGPU.Tokenizers;

/// <summary>Remembers the tokens of short pieces: a direct-mapped table of immutable entries, safe to use from several
/// threads without locks.</summary>
internal sealed class PieceCache
{
    public const int LongestPiece = 40;

    private const int Size = 1 << 15;

    private readonly Entry?[] _entries = new Entry?[Size];

    private sealed record Entry(byte[] Piece, int[] Ids);

    public bool TryGet(ReadOnlySpan<byte> piece, int slot, out ReadOnlySpan<int> ids)
    {
        var entry = _entries[slot];
        bool found = entry is not null && piece.SequenceEqual(entry.Piece);
        ids = found ? entry!.Ids : default;
        return found;
    }

    public void Set(ReadOnlySpan<byte> piece, int slot, ReadOnlySpan<int> ids) =>
        _entries[slot] = new Entry(piece.ToArray(), ids.ToArray());

    public static int SlotOf(ReadOnlySpan<byte> piece) => (int)(StableHash.OfBytes(piece) & Size - 1);
}
