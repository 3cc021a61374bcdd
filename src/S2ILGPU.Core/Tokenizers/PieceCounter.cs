using S2ILGPU.Corpora;
using S2ILGPU.Tokenizers.Pipeline;

namespace S2ILGPU.Tokenizers;

/// <summary>Counts how often each piece of text occurs: a hash table over one arena of bytes.</summary>
internal sealed class PieceCounter : IPieceReader
{
    // Longer pieces (runs of letters or dashes without a break) are counted in parts of this many bytes, so that no
    // merge has to walk through a megabyte.
    private const int LongestPiece = 64;

    private static readonly PatternSplit s_split = new(SplitPattern.Gpt2, SplitBehavior.Isolated);

    private int[] _slots = new int[1 << 12]; // piece index + 1, 0 when free
    private Piece[] _pieces = new Piece[1 << 11];
    private byte[] _arena = new byte[1 << 16];
    private int _arenaBytes;

    private struct Piece
    {
        public ulong Hash;
        public int Start, Length;
        public long Count;
    }

    /// <summary>Number of different pieces.</summary>
    public int Count { get; private set; }

    public ReadOnlySpan<byte> Bytes(int piece) => _arena.AsSpan(_pieces[piece].Start, _pieces[piece].Length);

    public long Occurrences(int piece) => _pieces[piece].Count;

    public void AddText(ReadOnlySpan<byte> text) => s_split.Split(text, isFirst: true, this);

    void IPieceReader.Read(ReadOnlySpan<byte> piece, bool isFirst)
    {
        for (int start = 0; start < piece.Length; start += LongestPiece)
            AddPiece(piece[start..Math.Min(piece.Length, start + LongestPiece)]);
    }

    private void AddPiece(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length == 1)
            return; // nothing to merge in it
        ulong hash = StableHash.OfBytes(bytes);
        int slot = (int)hash & _slots.Length - 1;
        for (; _slots[slot] != 0; slot = slot + 1 & _slots.Length - 1)
        {
            ref var piece = ref _pieces[_slots[slot] - 1];
            if (piece.Hash == hash && bytes.SequenceEqual(_arena.AsSpan(piece.Start, piece.Length)))
            {
                piece.Count++;
                return;
            }
        }
        _slots[slot] = Append(bytes, hash) + 1;
        if (Count * 2 > _slots.Length)
            GrowSlots();
    }

    private int Append(ReadOnlySpan<byte> bytes, ulong hash)
    {
        if (_arenaBytes + bytes.Length > _arena.Length)
            GrowArena(bytes.Length);
        if (Count == _pieces.Length)
            Array.Resize(ref _pieces, Count * 2);
        bytes.CopyTo(_arena.AsSpan(_arenaBytes));
        _pieces[Count] = new Piece { Hash = hash, Start = _arenaBytes, Length = bytes.Length, Count = 1 };
        _arenaBytes += bytes.Length;
        return Count++;
    }

    private void GrowArena(int bytes)
    {
        if (_arenaBytes + (long)bytes > Array.MaxLength)
            throw new InvalidDataException(
                $"the text has {Count} different pieces of {_arenaBytes} bytes together, more "
                + $"than the {Array.MaxLength} bytes of an array: learn from less text");
        Array.Resize(ref _arena, (int)Math.Min(_arena.Length * 2L, Array.MaxLength));
    }

    private void GrowSlots()
    {
        _slots = new int[_slots.Length * 2];
        for (int piece = 0; piece < Count; piece++)
        {
            int slot = (int)_pieces[piece].Hash & _slots.Length - 1;
            while (_slots[slot] != 0)
                slot = slot + 1 & _slots.Length - 1;
            _slots[slot] = piece + 1;
        }
    }
}
