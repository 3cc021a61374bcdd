using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Inference;

/// <summary>Pages of one size: keys and values (<see
/// cref="PageTable.PagesShape"/>), each page with the number of its owners. Every page
/// holds one block of one KV head of one layer.</summary>
internal sealed class PageStore : IDisposable
{
    private const int SmallestGrowth = 16;

    private readonly IEngine? _engine;
    private readonly ElementType _elementType;
    private readonly int _headDim;
    private readonly Stack<int> _free = new();
    private int[] _owners = [];
    private Tensor? _keys, _values;

    /// <param name="engine">Where the pages are; null for pages that are only counted.</param>
    /// <param name="blockTokens">Tokens of a page.</param>
    /// <param name="headDim">D.</param>
    /// <param name="elementType">Element type of keys and values.</param>
    public PageStore(IEngine? engine, int blockTokens, int headDim, ElementType elementType)
    {
        (_engine, BlockTokens, _headDim, _elementType) = (engine, blockTokens, headDim, elementType);
        (_keys, _values) = (NewPages(0), NewPages(0));
    }

    public int BlockTokens { get; }

    /// <exception cref="InvalidOperationException">The pages are only counted.</exception>
    public Tensor Keys => _keys ?? throw OnlyCounted();

    /// <exception cref="InvalidOperationException">The pages are only counted.</exception>
    public Tensor Values => _values ?? throw OnlyCounted();

    /// <summary>Bytes of one page, keys and values.</summary>
    public long PageBytes => 2 * Shape(1).Count * _elementType.SizeBytes();

    public int UsedPages => _owners.Length - _free.Count;

    public int FreePages => _free.Count;

    public long ReservedBytes => _owners.Length * PageBytes;

    /// <summary>Makes room for pages that are about to be taken, so that the tensors grow once.</summary>
    public void Reserve(int pages)
    {
        if (pages > _free.Count)
            Grow(pages - _free.Count);
    }

    /// <summary>A page with one owner; its content is what was there before.</summary>
    public int Take()
    {
        Reserve(1);
        int page = _free.Pop();
        _owners[page] = 1;
        return page;
    }

    /// <summary>Adds an owner.</summary>
    public void Share(int page) => _owners[page]++;

    /// <summary>Whether a page has several owners; it is not written then.</summary>
    public bool IsShared(int page) => _owners[page] > 1;

    /// <summary>Takes an owner away; a page without owners is free.</summary>
    /// <returns>Whether it is free now.</returns>
    public bool Release(int page)
    {
        if (--_owners[page] > 0)
            return false;
        _free.Push(page);
        return true;
    }

    /// <summary>Gives up a share of a page for a copy of one's own.</summary>
    public int CopyShared(int page)
    {
        int copy = Take();
        Copy(_keys, page, copy);
        Copy(_values, page, copy);
        Release(page);
        return copy;
    }

    public void Dispose()
    {
        _keys?.Dispose();
        _values?.Dispose();
    }

    private void Copy(Tensor? pages, int from, int to)
    {
        if (pages is null)
            return;
        using Tensor source = pages.Slice(0, from, 1), destination = pages.Slice(0, to, 1);
        _engine!.Copy(source, destination);
    }

    private void Grow(int pages)
    {
        int old = _owners.Length;
        if (old + (long)pages > Array.MaxLength)
            throw new InvalidOperationException(
                $"the key/value cache has {old} pages of {BlockTokens} tokens, {pages} more are beyond the "
                + $"{Array.MaxLength} of an array");
        int capacity = (int)Math.Min(Array.MaxLength, old + (long)Math.Max(pages, Math.Max(old / 4, SmallestGrowth)));
        _keys = Moved(_keys, capacity);
        _values = Moved(_values, capacity);
        Array.Resize(ref _owners, capacity);
        for (int page = capacity - 1; page >= old; page--)
            _free.Push(page);
    }

    private Tensor? Moved(Tensor? pages, int capacity)
    {
        var larger = NewPages(capacity);
        if (pages?.Count > 0)
            using (var head = larger!.Slice(0, 0, pages.Shape[0]))
                _engine!.Copy(pages, head);
        pages?.Dispose();
        return larger;
    }

    private Tensor? NewPages(int count) => _engine?.Allocate(Shape(count), _elementType);

    private static InvalidOperationException OnlyCounted() => new("the pages are elsewhere, and only counted here");

    private Shape Shape(int count) => PageTable.PagesShape(count, BlockTokens, _headDim, _elementType);
}
