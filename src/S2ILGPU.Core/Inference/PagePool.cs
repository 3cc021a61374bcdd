using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Inference;

/// <summary>The pages of all layers, KV heads and sequences: one store per block size, so that layers whose patterns
/// have blocks of one size use each other's pages.</summary>
/// <param name="engine">Where the pages are; null for pages that are only counted.</param>
/// <param name="headDim">D.</param>
/// <param name="elementType">Element type of keys and values.</param>
internal sealed class PagePool(IEngine? engine, int headDim, ElementType elementType) : IDisposable
{
    private readonly List<PageStore> _stores = [];

    public ElementType ElementType { get; } = elementType;

    public long UsedPages
    {
        get
        {
            long pages = 0;
            foreach (var store in _stores)
                pages += store.UsedPages;
            return pages;
        }
    }

    /// <summary>Pages that wait to be used again.</summary>
    public long FreePages
    {
        get
        {
            long pages = 0;
            foreach (var store in _stores)
                pages += store.FreePages;
            return pages;
        }
    }

    /// <summary>The most pages that were ever in use at one time.</summary>
    public long PeakPages { get; private set; }

    public long UsedBytes
    {
        get
        {
            long bytes = 0;
            foreach (var store in _stores)
                bytes += store.UsedPages * store.PageBytes;
            return bytes;
        }
    }

    public long ReservedBytes
    {
        get
        {
            long bytes = 0;
            foreach (var store in _stores)
                bytes += store.ReservedBytes;
            return bytes;
        }
    }

    /// <summary>The store of a block size.</summary>
    public PageStore Of(int blockTokens)
    {
        foreach (var store in _stores)
            if (store.BlockTokens == blockTokens)
                return store;
        var added = new PageStore(engine, blockTokens, headDim, ElementType);
        _stores.Add(added);
        return added;
    }

    /// <summary>Notes how many pages are in use; called after pages were given out.</summary>
    public void NotePeak() => PeakPages = Math.Max(PeakPages, UsedPages);

    public void Dispose()
    {
        foreach (var store in _stores)
            store.Dispose();
    }
}
