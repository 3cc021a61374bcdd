using System.Collections.Concurrent;
using S2ILGPU.Inference;

namespace S2ILGPU.Scheduling;

/// <summary>The pages that continuations of some prefixes read, found by the prefixes' tokens. A prefix ends where a
/// chunk ends, and keeps what each head reads from there on. The one that was not used for the longest time goes
/// first.</summary>
/// <remarks>One thread changes it; any thread may ask for <see cref="KeptTokens"/>.</remarks>
internal sealed class PrefixCache(KeyValueCache cache, int capacity, int chunkTokens)
{
    private readonly ConcurrentDictionary<ulong, LinkedListNode<Prefix>> _byHash = [];
    private readonly LinkedList<Prefix> _byUse = [];                              // the least recently used first

    public int Count => _byUse.Count;

    /// <summary>The longest prefix that is kept, of at most so many tokens; null for none.</summary>
    public SavedSequence? Find(ReadOnlySpan<int> tokens, int mostTokens)
    {
        LinkedListNode<Prefix>? found = null;
        foreach (ulong hash in Hashes(tokens[..mostTokens]))
            if (_byHash.TryGetValue(hash, out var node) && tokens[..mostTokens].StartsWith(node.Value.Tokens))
                found = node;
        if (found is null)
            return null;
        Use(found);
        return found.Value.Saved;
    }

    /// <summary>A hash of the tokens up to the end of each whole chunk.</summary>
    public ulong[] Hashes(ReadOnlySpan<int> tokens)
    {
        ulong[] hashes = new ulong[tokens.Length / chunkTokens];
        ulong hash = HashStart;
        for (int chunk = 0; chunk < hashes.Length; chunk++)
            hashes[chunk] = hash = Hash(hash, tokens.Slice(chunk * chunkTokens, chunkTokens));
        return hashes;
    }

    /// <summary>Tokens of the longest prefix that is kept, by the hashes of the chunks' ends.</summary>
    public int KeptTokens(ReadOnlySpan<ulong> hashes)
    {
        int chunks = hashes.Length;
        while (chunks > 0 && !_byHash.ContainsKey(hashes[chunks - 1]))
            chunks--;
        return chunks * chunkTokens;
    }

    /// <summary>Keeps the pages of a sequence whose tokens so far are a prefix that ends with a chunk.</summary>
    public void Keep(ReadOnlySpan<int> tokens, int sequence)
    {
        if (capacity == 0 || tokens.Length == 0 || tokens.Length % chunkTokens != 0)
            return;
        ulong hash = Hashes(tokens)[^1];
        if (_byHash.TryGetValue(hash, out var known))
        {
            Use(known);
            return;
        }
        if (Count == capacity)
            DropOldest();
        _byHash[hash] = _byUse.AddLast(new Prefix(hash, tokens.ToArray(), cache.Save(sequence)));
    }

    /// <summary>Gives the pages of the least recently used prefix back; false when there is none.</summary>
    public bool DropOldest()
    {
        if (_byUse.First is not { Value: var oldest })
            return false;
        _byUse.RemoveFirst();
        _byHash.TryRemove(oldest.Hash, out _);
        cache.Drop(oldest.Saved);
        return true;
    }

    private const ulong HashStart = 14695981039346656037;

    // FNV-1a, with whole tokens for bytes. Tokens are compared too, so that equal hashes do no harm.
    private static ulong Hash(ulong hash, ReadOnlySpan<int> tokens)
    {
        foreach (int token in tokens)
            hash = (hash ^ (uint)token) * 1099511628211;
        return hash;
    }

    private void Use(LinkedListNode<Prefix> node)
    {
        _byUse.Remove(node);
        _byUse.AddLast(node);
    }

    private sealed record Prefix(ulong Hash, int[] Tokens, SavedSequence Saved);
}
