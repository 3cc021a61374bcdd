using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;

namespace S2ILGPU.Inference;

/// <summary>Which pages of the pool hold the blocks of one layer, for each sequence and KV head. A page is given up as
/// soon as no query head of the group will read it again.</summary>
internal sealed class LayerPages
{
    private readonly BlockList[] _kept;                                           // [sequences, Hkv]
    private readonly long[] _used;                                                // pages of each KV head

    public LayerPages(AttentionPattern pattern, PageStore store, int sequences, int maxTokens)
    {
        (Pattern, Store) = (pattern, store);
        Table = new PageTable(sequences, pattern.KeyValueHeads, BlockLayout.BlocksOf(maxTokens, pattern.BlockTokens));
        _kept = new BlockList[sequences * pattern.KeyValueHeads];
        _used = new long[pattern.KeyValueHeads];
        for (int i = 0; i < _kept.Length; i++)
            _kept[i] = new BlockList();
    }

    public AttentionPattern Pattern { get; }

    public PageStore Store { get; }

    public PageTable Table { get; }

    private int Heads => Pattern.KeyValueHeads;

    /// <summary>The blocks of a head that have pages.</summary>
    public ReadOnlySpan<int> Kept(int sequence, int head) => _kept[sequence * Heads + head].Blocks;

    /// <summary>Pages of some KV heads over all sequences; one that is shared counts once.</summary>
    public long UsedPages(int firstHead, int heads)
    {
        long pages = 0;
        for (int head = firstHead; head < firstHead + heads; head++)
            pages += _used[head];
        return pages;
    }

    /// <summary>How many pages <see cref="Give"/> would take from the store for some KV heads.</summary>
    public int CountMissing(int sequence, in Sequence step, bool liveOnly, int firstHead, int heads)
    {
        int missing = 0;
        for (int head = firstHead; head < firstHead + heads; head++)
        {
            for (int block = FirstBlock(step); block < EndBlock(step); block++)
                if (IsMissing(sequence, head, block, step, liveOnly))
                    missing++;
            if (SharesFirst(sequence, head, step))
                missing++;
        }
        return missing;
    }

    /// <summary>Gives pages to the blocks of a sequence's new tokens; with <paramref name="liveOnly"/> only to those
    /// that later tokens may read. A page that is shared and will be written is copied.</summary>
    public void Give(int sequence, in Sequence step, bool liveOnly)
    {
        for (int head = 0; head < Heads; head++)
        {
            int first = FirstBlock(step);
            if (SharesFirst(sequence, head, step))
            {
                Table[sequence, head, first] = Store.CopyShared(Table[sequence, head, first]);
                _used[head]++;
            }
            for (int block = first; block < EndBlock(step); block++)
                if (IsMissing(sequence, head, block, step, liveOnly))
                    PutNew(sequence, head, block);
        }
    }

    /// <summary>Takes back the pages that no query head of their group reads from the next position on. Looks at the
    /// kept blocks only, and only when a block was completed.</summary>
    public void ReleaseDead(int sequence, in Sequence step)
    {
        int nextRow = step.KeyCount / Pattern.BlockTokens;
        if (nextRow != FirstBlock(step))
            ReleaseDead(sequence, nextRow);
    }

    /// <summary>Takes back the pages that no query head of their group reads from a row on.</summary>
    public void ReleaseDead(int sequence, int nextRow)
    {
        if (!Pattern.IsCacheEfficient)
            return;
        for (int head = 0; head < Heads; head++)
        {
            var kept = _kept[sequence * Heads + head];
            int stay = 0;
            for (int i = 0; i < kept.Count; i++)
                if (Pattern.MayStillRead(head, nextRow, kept.Blocks[i]))
                    kept.Move(i, stay++);
                else
                    Release(sequence, head, kept.Blocks[i]);
            kept.Cut(stay);
        }
    }

    /// <summary>Gives up the pages of a head's blocks before one, after each was shown.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="head">The KV head.</param>
    /// <param name="endBlock">The first block that stays.</param>
    /// <param name="show">Told the block and its page.</param>
    public void GiveAway(int sequence, int head, int endBlock, Action<int, int> show)
    {
        var kept = _kept[sequence * Heads + head];
        int gone = 0;
        for (; gone < kept.Count && kept.Blocks[gone] < endBlock; gone++)
        {
            show(kept.Blocks[gone], Table[sequence, head, kept.Blocks[gone]]);
            Release(sequence, head, kept.Blocks[gone]);
        }
        if (gone == 0)
            return;
        for (int i = gone; i < kept.Count; i++)
            kept.Move(i, i - gone);
        kept.Cut(kept.Count - gone);
    }

    /// <summary>The page of a block of a head, a new one where it has none and is behind all that have.</summary>
    /// <exception cref="ArgumentException">Later blocks have pages, and this one has not.</exception>
    public int PageOf(int sequence, int head, int block)
    {
        if (Table[sequence, head, block] == PageTable.None)
        {
            if (Kept(sequence, head) is { Length: > 0 } kept && kept[^1] > block)
                throw new ArgumentException($"block {block} of head {head} comes after block {kept[^1]}");
            PutNew(sequence, head, block);
        }
        return Table[sequence, head, block];
    }

    /// <summary>Whether every block that a row reads before one has a page.</summary>
    public bool HasFar(int sequence, int row, int endBlock)
    {
        for (int head = 0; head < Heads; head++)
            for (int block = 0; block < endBlock; block++)
                if (Table[sequence, head, block] == PageTable.None && Pattern.MayStillRead(head, row, block))
                    return false;
        return true;
    }

    /// <summary>Tokens whose keys and values a step reads, over all KV heads: those of the pages that it has.</summary>
    public long CountReads(int sequence, in Sequence step)
    {
        long pages = 0;
        for (int head = 0; head < Heads; head++)
            pages += Kept(sequence, head).Length;
        int ofLast = EndBlock(step) * Pattern.BlockTokens - step.KeyCount;
        return pages * Pattern.BlockTokens - (long)Heads * ofLast;
    }

    /// <summary>How many pages a sequence has for itself; those with several owners are added to a set.</summary>
    public long CountUnshared(int sequence, HashSet<int> shared)
    {
        long unshared = 0;
        for (int head = 0; head < Heads; head++)
            foreach (int block in Kept(sequence, head))
                if (Table[sequence, head, block] is var page && Store.IsShared(page))
                    shared.Add(page);
                else
                    unshared++;
        return unshared;
    }

    /// <summary>Takes back all pages of a sequence.</summary>
    public void Clear(int sequence)
    {
        for (int head = 0; head < Heads; head++)
        {
            foreach (int block in Kept(sequence, head))
                Release(sequence, head, block);
            _kept[sequence * Heads + head].Cut(0);
        }
    }

    /// <summary>The pages of a sequence, with one owner more.</summary>
    public KeptPage[] Share(int sequence)
    {
        var pages = new List<KeptPage>();
        for (int head = 0; head < Heads; head++)
            foreach (int block in Kept(sequence, head))
            {
                pages.Add(new KeptPage(head, block, Table[sequence, head, block]));
                Store.Share(pages[^1].Page);
            }
        return [.. pages];
    }

    /// <summary>Gives shared pages to a sequence that has none; each gets one owner more.</summary>
    public void Adopt(int sequence, KeptPage[] pages)
    {
        foreach (var (head, block, page) in pages)
        {
            Store.Share(page);
            Put(sequence, head, block, page);
        }
    }

    /// <summary>Takes an owner of shared pages away.</summary>
    public void Drop(KeptPage[] pages)
    {
        foreach (var kept in pages)
            Release(kept.Head, kept.Page);
    }

    private int FirstBlock(in Sequence step) => step.FirstQueryPosition / Pattern.BlockTokens;

    private int EndBlock(in Sequence step) => BlockLayout.BlocksOf(step.KeyCount, Pattern.BlockTokens);

    private bool IsMissing(int sequence, int head, int block, in Sequence step, bool liveOnly) =>
        Table[sequence, head, block] == PageTable.None
        && (!liveOnly || Pattern.MayStillRead(head, step.KeyCount / Pattern.BlockTokens, block));

    // Whether the first block has a page already, which other sequences read too.
    private bool SharesFirst(int sequence, int head, in Sequence step) =>
        Table[sequence, head, FirstBlock(step)] is var page && page != PageTable.None && Store.IsShared(page);

    private void Put(int sequence, int head, int block, int page)
    {
        Table[sequence, head, block] = page;
        _kept[sequence * Heads + head].Add(block);
    }

    private void PutNew(int sequence, int head, int block)
    {
        Put(sequence, head, block, Store.Take());
        _used[head]++;
    }

    private void Release(int sequence, int head, int block)
    {
        Release(head, Table[sequence, head, block]);
        Table[sequence, head, block] = PageTable.None;
    }

    private void Release(int head, int page)
    {
        if (Store.Release(page))
            _used[head]--;
    }
}

/// <summary>A page of a KV head's block.</summary>
internal readonly record struct KeptPage(int Head, int Block, int Page);
