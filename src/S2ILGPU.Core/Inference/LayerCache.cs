using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;

namespace S2ILGPU.Inference;

/// <summary>Counts the pages of all layers together.</summary>
internal sealed class PageCounter
{
    public long Used { get; private set; }

    public long Peak { get; private set; }

    public void Add(int pages)
    {
        Used += pages;
        Peak = Math.Max(Peak, Used);
    }
}

/// <summary>Keys and values of one layer in pages [P, blockTokens, D]; each page holds one block of one KV head, and a
/// head's dead pages are used again.</summary>
internal sealed class LayerCache : IDisposable
{
    private const int SmallestGrowth = 16;

    private readonly IEngine _engine;
    private readonly AttentionPattern _pattern;
    private readonly PageCounter _counter;
    private readonly ElementType _elementType;
    private readonly int _headDim;
    private readonly Stack<int> _free = new();

    public LayerCache(IEngine engine, AttentionPattern pattern, int headDim, ElementType elementType, int sequences,
        int maxTokens, PageCounter counter)
    {
        (_engine, _pattern, _headDim, _elementType, _counter) = (engine, pattern, headDim, elementType, counter);
        Table = new PageTable(sequences, pattern.KeyValueHeads, BlockLayout.BlocksOf(maxTokens, pattern.BlockTokens));
        (Keys, Values) = (NewPages(0), NewPages(0));
    }

    public PageTable Table { get; }

    public Tensor Keys { get; private set; }

    public Tensor Values { get; private set; }

    public int UsedPages => Keys.Shape[0] - _free.Count;

    public long PageBytes => 2L * _pattern.BlockTokens * _headDim * _elementType.SizeBytes();

    public long ReservedBytes => Keys.Shape[0] * PageBytes;

    /// <summary>Gives pages to the blocks of new tokens; with <paramref name="liveOnly"/> only to those that later
    /// tokens may read.</summary>
    public void Reserve(SequenceBatch sequences, bool liveOnly)
    {
        int missing = CountMissing(sequences, liveOnly);
        if (missing > _free.Count)
            Grow(missing - _free.Count);
        for (int i = 0; i < sequences.Sequences.Length; i++)
            for (int head = 0; head < Table.KeyValueHeads; head++)
                for (int block = FirstBlock(sequences.Sequences[i]); block < EndBlock(sequences.Sequences[i]); block++)
                    if (IsMissing(sequences.Sequences[i], i, head, block, liveOnly))
                        Table[i, head, block] = _free.Pop();
        _counter.Add(missing);
    }

    /// <summary>How many pages <see cref="Reserve"/> would give out.</summary>
    public int CountMissing(SequenceBatch sequences, bool liveOnly)
    {
        int missing = 0;
        for (int i = 0; i < sequences.Sequences.Length; i++)
            for (int head = 0; head < Table.KeyValueHeads; head++)
                for (int block = FirstBlock(sequences.Sequences[i]); block < EndBlock(sequences.Sequences[i]); block++)
                    if (IsMissing(sequences.Sequences[i], i, head, block, liveOnly))
                        missing++;
        return missing;
    }

    /// <summary>Takes back the pages that no query head of their group reads from the next position on.</summary>
    public void ReleaseDead(SequenceBatch sequences)
    {
        for (int i = 0; i < sequences.Sequences.Length; i++)
        {
            var s = sequences.Sequences[i];
            int nextRow = s.KeyCount / _pattern.BlockTokens;
            if (s.QueryCount == 0 || nextRow == FirstBlock(s)) // still in the same block: nothing died
                continue;
            for (int head = 0; head < Table.KeyValueHeads; head++)
                for (int block = 0; block < nextRow; block++)
                    if (Table[i, head, block] != PageTable.None && !_pattern.MayStillRead(head, nextRow, block))
                        Release(i, head, block);
        }
    }

    /// <summary>Takes back all pages of a sequence.</summary>
    public void Clear(int sequence)
    {
        for (int head = 0; head < Table.KeyValueHeads; head++)
            for (int block = 0; block < Table.MaxBlocks; block++)
                if (Table[sequence, head, block] != PageTable.None)
                    Release(sequence, head, block);
    }

    public void Dispose()
    {
        Keys.Dispose();
        Values.Dispose();
    }

    private int FirstBlock(Sequence s) => s.FirstQueryPosition / _pattern.BlockTokens;

    private int EndBlock(Sequence s) => s.QueryCount == 0 ? 0 : BlockLayout.BlocksOf(s.KeyCount, _pattern.BlockTokens);

    private bool IsMissing(Sequence s, int sequence, int head, int block, bool liveOnly) =>
        Table[sequence, head, block] == PageTable.None
        && (!liveOnly || _pattern.MayStillRead(head, s.KeyCount / _pattern.BlockTokens, block));

    private void Release(int sequence, int head, int block)
    {
        _free.Push(Table[sequence, head, block]);
        Table[sequence, head, block] = PageTable.None;
        _counter.Add(-1);
    }

    private void Grow(int pages)
    {
        int old = Keys.Shape[0];
        if (old + (long)pages > int.MaxValue)
            throw new InvalidOperationException(
                $"the key/value cache has {old} pages in a layer, {pages} more are beyond the "
                + $"{int.MaxValue} of a tensor");
        int capacity = (int)Math.Min(int.MaxValue, old + (long)Math.Max(pages, Math.Max(old / 4, SmallestGrowth)));
        Keys = Moved(Keys, capacity);
        Values = Moved(Values, capacity);
        for (int page = capacity - 1; page >= old; page--)
            _free.Push(page);
    }

    private Tensor Moved(Tensor pages, int capacity)
    {
        var larger = NewPages(capacity);
        if (pages.Count > 0)
            using (var head = larger.Slice(0, 0, pages.Shape[0]))
                _engine.Copy(pages, head);
        pages.Dispose();
        return larger;
    }

    private Tensor NewPages(int count) =>
        _engine.Allocate(new Shape(count, _pattern.BlockTokens, _headDim), _elementType);
}
