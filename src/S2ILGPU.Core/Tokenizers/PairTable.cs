using System.Numerics;

namespace S2ILGPU.Tokenizers;

/// <summary>The merges of a tokenizer: from a pair of token ids to (rank, merged id), as an open-addressing hash table
/// without objects.</summary>
internal sealed class PairTable
{
    /// <summary>What <see cref="Find"/> returns for a pair that is not merged; larger than every merge.</summary>
    public const long None = long.MaxValue;

    private const ulong Empty = ulong.MaxValue;

    private readonly ulong[] _keys;
    private readonly long[] _merges;
    private readonly int _shift;

    public PairTable(int capacity)
    {
        int size = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, capacity * 2L));
        _shift = 64 - BitOperations.Log2((uint)size);
        _keys = new ulong[size];
        _merges = new long[size];
        Array.Fill(_keys, Empty);
    }

    /// <summary>The merge of a pair, ordered by rank: read it with <see cref="Rank"/> and <see cref="Id"/>.</summary>
    public long Find(int left, int right)
    {
        ulong key = Key(left, right);
        for (int slot = SlotOf(key); ; slot = slot + 1 & _keys.Length - 1)
            if (_keys[slot] == key)
                return _merges[slot];
            else if (_keys[slot] == Empty)
                return None;
    }

    /// <summary>Adds a merge, or returns false when the pair has one.</summary>
    public bool TryAdd(int left, int right, int rank, int id)
    {
        ulong key = Key(left, right);
        int slot = SlotOf(key);
        for (; _keys[slot] != Empty; slot = slot + 1 & _keys.Length - 1)
            if (_keys[slot] == key)
                return false;
        _keys[slot] = key;
        _merges[slot] = (long)rank << 32 | (uint)id;
        return true;
    }

    public static int Rank(long merge) => (int)(merge >> 32);

    public static int Id(long merge) => (int)merge;

    private static ulong Key(int left, int right) => (ulong)(uint)left << 32 | (uint)right;

    private int SlotOf(ulong key) => (int)((key ^ key >> 29) * 0x9E3779B97F4A7C15 >> _shift);
}
