using System.Runtime.InteropServices;

namespace S2ILGPU.Tokenizers;

/// <summary>How often each pair of neighbouring tokens occurs in the counted pieces, kept up to date while pairs are
/// merged.</summary>
/// <remarks>A merge costs the pieces that hold the pair, not the corpus: each pair knows its pieces, and the queue of
/// pairs is corrected only when a pair comes up.</remarks>
internal sealed class PairCounts
{
    private readonly Dictionary<long, Pair> _pairs = [];
    private readonly PriorityQueue<long, (long NegativeCount, long Pair)> _queue = new();
    private readonly int[] _ids;         // the tokens of all pieces, each piece in its own range
    private readonly int[] _pieceStarts; // [pieces + 1]
    private readonly int[] _pieceTokens; // number of tokens left in a piece
    private readonly long[] _occurrences;
    private readonly HashSet<long> _changed = [];

    private sealed class Pair
    {
        public long Count;
        public readonly List<int> Pieces = [];
    }

    public PairCounts(PieceCounter pieces)
    {
        _pieceStarts = new int[pieces.Count + 1];
        _pieceTokens = new int[pieces.Count];
        _occurrences = new long[pieces.Count];
        for (int piece = 0; piece < pieces.Count; piece++)
        {
            _pieceTokens[piece] = pieces.Bytes(piece).Length;
            _pieceStarts[piece + 1] = checked(_pieceStarts[piece] + _pieceTokens[piece]);
            _occurrences[piece] = pieces.Occurrences(piece);
        }
        _ids = new int[_pieceStarts[^1]];
        for (int piece = 0; piece < pieces.Count; piece++)
        {
            var tokens = Tokens(piece);
            for (int i = 0; i < tokens.Length; i++)
                tokens[i] = pieces.Bytes(piece)[i];
            for (int i = 0; i + 1 < tokens.Length; i++)
                Change(tokens[i], tokens[i + 1], piece, _occurrences[piece]);
        }
        QueueChanged();
    }

    /// <summary>The pair that occurs most often, of equals the one with the smallest left id, then the smallest right
    /// id; false when none occurs twice.</summary>
    public bool TryTakeBest(out int left, out int right)
    {
        while (_queue.TryDequeue(out long key, out var priority))
        {
            if (!_pairs.TryGetValue(key, out var pair) || pair.Count != -priority.NegativeCount)
                continue; // out of date: the pair was merged, or another entry of it is in the queue
            (left, right) = ((int)(key >> 32), (int)key);
            return pair.Count >= 2;
        }
        (left, right) = (0, 0);
        return false;
    }

    /// <summary>Merges a pair everywhere.</summary>
    public void Merge(int left, int right, int merged)
    {
        var pair = _pairs[Key(left, right)];
        foreach (int piece in pair.Pieces)
            MergeInPiece(piece, left, right, merged);
        _pairs.Remove(Key(left, right));
        _changed.Remove(Key(left, right));
        QueueChanged();
    }

    private Span<int> Tokens(int piece) => _ids.AsSpan(_pieceStarts[piece], _pieceTokens[piece]);

    // From left to right, as the encoder does; the tokens move up over the gaps. A piece that lost the pair since it
    // was listed stays as it is.
    private void MergeInPiece(int piece, int left, int right, int merged)
    {
        var tokens = Tokens(piece);
        long occurrences = _occurrences[piece];
        int count = 0;
        for (int i = 0; i < tokens.Length; i++)
        {
            if (tokens[i] != left || i + 1 == tokens.Length || tokens[i + 1] != right)
            {
                tokens[count++] = tokens[i];
                continue;
            }
            if (count > 0)
            {
                Change(tokens[count - 1], left, piece, -occurrences);
                Change(tokens[count - 1], merged, piece, occurrences);
            }
            if (i + 2 < tokens.Length)
            {
                Change(right, tokens[i + 2], piece, -occurrences);
                Change(merged, tokens[i + 2], piece, occurrences);
            }
            tokens[count++] = merged;
            i++;
        }
        _pieceTokens[piece] = count;
    }

    private void Change(int left, int right, int piece, long by)
    {
        long key = Key(left, right);
        ref var pair = ref CollectionsMarshal.GetValueRefOrAddDefault(_pairs, key, out _);
        pair ??= new Pair();
        pair.Count += by;
        if (by > 0 && (pair.Pieces.Count == 0 || pair.Pieces[^1] != piece))
            pair.Pieces.Add(piece);
        _changed.Add(key);
    }

    private void QueueChanged()
    {
        foreach (long key in _changed)
            if (_pairs[key].Count > 0)
                _queue.Enqueue(key, (-_pairs[key].Count, key));
        _changed.Clear();
    }

    private static long Key(int left, int right) => (long)left << 32 | (uint)right;
}
