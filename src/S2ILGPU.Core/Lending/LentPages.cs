using S2ILGPU.AttentionWorkers;
using S2ILGPU.Engines;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Tensors;

namespace S2ILGPU.Lending;

/// <summary>The creditor's half of a loan: far blocks of some KV heads of layers of one sequence of another
/// instance. Not thread-safe.</summary>
internal sealed class LentPages : IDisposable
{
    private readonly AttentionLayers _attention;
    private readonly KeyValueCache _cache;
    private readonly SplitAttention _split;
    private readonly WireTensors _tensors;
    private readonly LayerHeads _heads;
    private readonly List<int> _layers;                                           // that have some of the heads
    private readonly int[] _checkedRows;                                          // of each of them

    /// <param name="engine">Computes; not disposed.</param>
    /// <param name="whole">Attention of all heads.</param>
    /// <param name="heads">Those that are here.</param>
    /// <param name="options">The cache of the sequence.</param>
    /// <param name="bytes">Bytes that the pages may take.</param>
    public LentPages(IEngine engine, AttentionLayers whole, LayerHeads heads, KeyValueCacheOptions options, long bytes)
    {
        var pattern = whole.Patterns[0];
        int all = heads.Layers * pattern.KeyValueHeads, group = pattern.QueryHeads / pattern.KeyValueHeads;
        if (heads.First < 0 || heads.Count < 1 || heads.First > all - heads.Count)
            throw new ArgumentException($"key/value heads {heads.First} and on, {heads.Count} of them, are not some of "
                + $"the {all} of all layers");
        _heads = heads;
        _layers = [.. Enumerable.Range(0, heads.Layers).Where(layer => heads.Of(layer).Count > 0)];
        _attention = new AttentionLayers(engine, whole, _layers.Select(layer =>
        {
            var (first, count) = heads.Of(layer);
            return (layer, (first * group)..((first + count) * group));
        }));
        _cache = new KeyValueCache(_attention, options);
        _split = new SplitAttention(_cache, _attention, isWindowLate: true);
        _tensors = new WireTensors(engine);
        _checkedRows = new int[_attention.Patterns.Count];
        Bytes = bytes;
    }

    /// <summary>Bytes that the pages may take.</summary>
    public long Bytes { get; }

    public long UsedPages => _cache.UsedPages;

    public long UsedBytes => _cache.UsedBytes;

    /// <summary>Writes pages (<see cref="IPageLoan.PutAsync"/>).</summary>
    /// <exception cref="ArgumentException">They do not fit the layer, or are more than was lent.</exception>
    public void Put(int layer, ReadOnlySpan<int> places, ReadOnlySpan<byte> pages)
    {
        int here = IndexOf(layer), firstHead = _heads.Of(layer).First;
        if (places.Length % 2 != 0 || pages.Length != places.Length / 2 * _cache.PageBytes(here))
            throw new ArgumentException($"{places.Length} places do not fit {pages.Length} bytes of pages");
        int bytes = (int)_cache.PageBytes(here) / 2;
        for (int i = 0; i < places.Length; i += 2)
        {
            var (keys, values) = _cache.PageOf(here, 0, places[i] - firstHead, places[i + 1]);
            using (keys)
            using (values)
            {
                _tensors.Store(pages.Slice(i * bytes, bytes), keys);
                _tensors.Store(pages.Slice((i + 1) * bytes, bytes), values);
            }
            if (UsedBytes > Bytes)
                throw new ArgumentException($"{UsedBytes} bytes of pages are more than the {Bytes} that are lent");
        }
    }

    /// <summary>Attention over the pages (<see cref="IPageLoan.AttendAsync"/>).</summary>
    /// <exception cref="ArgumentException">The queries do not fit the layer, or pages are missing.</exception>
    public byte[] Attend(int layer, int position, int tokens, ReadOnlySpan<byte> query)
    {
        var type = _attention.ActivationType;
        int here = IndexOf(layer), heads = _attention.Patterns[here].QueryHeads;
        if (position < 0 || tokens < 1 || tokens > _cache.MaxTokens - position
            || query.Length != (long)tokens * heads * _attention.HeadDim * type.SizeBytes())
            throw new ArgumentException($"{query.Length} bytes are not {tokens} queries at {position}");
        _cache.Seek(here, 0, position);
        CheckPages(here, position);
        var engine = _attention.Engine;
        using var queries = engine.Allocate(new Shape(1, tokens, heads, _attention.HeadDim), type);
        _tensors.Store(query, queries);
        using var part = _split.Begin(_cache.Begin([new StepRows(0, 0, tokens)]), here, queries)
            ?? throw new ArgumentException($"no block is before the window at {position}");
        byte[] answer = new byte[query.Length + tokens * heads * sizeof(float)];
        _tensors.Load(part.Output, answer.AsSpan(0, query.Length));
        _tensors.Load(part.LogSumExp, answer.AsSpan(query.Length));
        return answer;
    }

    public void Dispose() => _cache.Dispose();

    private int IndexOf(int layer) => _layers.IndexOf(layer) is >= 0 and var index ? index
        : throw new ArgumentException($"no key/value head of layer {layer} is lent");

    // Without this check, a page that never came would be read as another one.
    private void CheckPages(int here, int position)
    {
        int row = position / _attention.Patterns[here].BlockTokens;
        if (row == _checkedRows[here])
            return;
        if (!_cache.HasFarPages(here, 0))
            throw new ArgumentException($"pages of layer {_layers[here]} before position {position} are missing");
        _checkedRows[here] = row;
    }
}
