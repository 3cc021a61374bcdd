using System.Diagnostics;
using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Models;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;

namespace S2ILGPU.Inference;

/// <summary>Keys and values of earlier tokens, in one pool of pages for all layers, sequences and KV heads. Pages that
/// a head's pattern will never read again are freed at once.</summary>
/// <remarks>
/// <para>With a cache-efficient pattern (dense, window, local-stride) a block that a head drops below the diagonal
/// never returns. So after each step the pages that no query head of a KV head's group reads from the next position on
/// go back to the pool: at 32K tokens (B64, L8, s16) a head holds 7.5 % of its blocks.</para>
/// <para>Sequences can share pages (<see cref="Fork"/>): a page counts its owners, and one that is shared is copied
/// before it is written, which only the last, partly filled block can be.</para>
/// <para>Where pages have the type of the activations, prompts into empty sequences attend to their own keys directly,
/// and only the blocks that survive them are written to pages at all.</para>
/// </remarks>
public sealed partial class KeyValueCache : IDisposable
{
    /// <summary>Passes that may run side by side.</summary>
    internal const int Passes = 2;

    // Queries of a KV head and sequence that the CPU engine computes as it computes one.
    private const int DecodingRows = 16;

    private readonly AttentionLayers _attention;
    private readonly KeyValueCacheOptions _options;
    private readonly PagePool _pool;
    private readonly LayerPages[] _layers;
    private readonly TailLayouts[] _tails;
    private readonly CachePass[] _passes = new CachePass[Passes];
    private readonly int[] _lengths;
    private readonly int _mostTogether = PackedStep.FewTokens, _leastBlock = int.MaxValue;
    private int _saved;

    internal KeyValueCache(TransformerModel model, KeyValueCacheOptions options, IRemoteCache? remote = null)
        : this(new AttentionLayers(model), options, remote)
    {
    }

    /// <param name="attention">Attention of all layers.</param>
    /// <param name="options">How large it may be.</param>
    /// <param name="remote">Where the pages are, when they are not here: they are only counted here then.</param>
    internal KeyValueCache(AttentionLayers attention, KeyValueCacheOptions options, IRemoteCache? remote = null)
    {
        _options = options.Validate(attention.ContextTokens);
        (_attention, Remote, MaxTokens) = (attention, remote, options.MaxTokens ?? attention.ContextTokens);
        _lengths = new int[options.Sequences];
        _far = new IFarPages?[options.Sequences];
        _farAttention = new FarAttention(this, attention);
        for (int i = 0; i < Passes; i++)
            _passes[i] = new CachePass(this, i);
        _pool = new PagePool(remote is null ? attention.Engine : null, attention.HeadDim,
            options.ElementType ?? attention.ActivationType);
        _layers = new LayerPages[attention.Patterns.Count];
        _tails = new TailLayouts[_layers.Length];
        var tails = new Dictionary<AttentionPattern, TailLayouts>();
        for (int i = 0; i < _layers.Length; i++)
        {
            var pattern = attention.Patterns[i];
            _layers[i] = new LayerPages(pattern, _pool.Of(pattern.BlockTokens), options.Sequences, MaxTokens);
            if (!tails.TryGetValue(pattern, out _tails[i]!))
                tails.Add(pattern, _tails[i] = new TailLayouts(pattern, options.Sequences));
            _mostTogether = Math.Min(_mostTogether, DecodingRows / (pattern.QueryHeads / pattern.PatternHeads));
            _leastBlock = Math.Min(_leastBlock, pattern.BlockTokens);
        }
    }

    /// <summary>S, number of sequences.</summary>
    public int Sequences => _lengths.Length;

    /// <summary>The most tokens of a sequence.</summary>
    public int MaxTokens { get; }

    /// <summary>The most bytes that the pages in use may take; where they are elsewhere, those of each
    /// device.</summary>
    public long MaxBytes => _options.MaxBytes;

    /// <summary>Pages in use, over all layers, sequences and KV heads; each holds the keys and the values of one block.
    /// A shared page counts once.</summary>
    public long UsedPages => _pool.UsedPages;

    /// <summary>The most pages that were ever in use at one time.</summary>
    public long PeakPages => _pool.PeakPages;

    /// <summary>Bytes of the pages in use.</summary>
    public long UsedBytes => _pool.UsedBytes;

    /// <summary>Bytes that the cache holds on the device: pages in use, and free pages that wait to be used
    /// again.</summary>
    public long ReservedBytes => _pool.ReservedBytes;

    /// <summary>Bytes of keys and values in pages that all steps so far had to read, each page once per step and KV
    /// head.</summary>
    public long ReadBytes { get; private set; }

    /// <summary>Tokens of a sequence so far.</summary>
    /// <param name="sequence">The sequence, from 0.</param>
    /// <exception cref="ArgumentException">There is no such sequence.</exception>
    public int Length(int sequence) => _lengths[Checked(sequence)];

    /// <summary>Forgets a sequence and frees its pages.</summary>
    /// <param name="sequence">The sequence, from 0.</param>
    /// <exception cref="ArgumentException">There is no such sequence.</exception>
    public void Clear(int sequence)
    {
        _lengths[Checked(sequence)] = 0;
        Remote?.Clear(sequence);
        foreach (var layer in _layers)
            layer.Clear(sequence);
        _far[sequence]?.Dispose();
        _far[sequence] = null;
    }

    /// <summary>Lets an empty sequence continue from where another one is now. The pages are shared; nothing is
    /// copied.</summary>
    /// <param name="from">The sequence to continue, from 0; not changed.</param>
    /// <param name="to">The sequence that continues it, from 0.</param>
    /// <exception cref="ArgumentException">There is no such sequence, or the target has tokens.</exception>
    public void Fork(int from, int to)
    {
        CheckEmpty(to);
        var saved = Save(from);
        Restore(saved, to);
        Drop(saved);
    }

    /// <summary>What became of every block of a sequence.</summary>
    /// <param name="sequence">The sequence, from 0.</param>
    /// <exception cref="ArgumentException">There is no such sequence.</exception>
    public PageMap Map(int sequence)
    {
        int length = Length(sequence), heads = _attention.Patterns[0].KeyValueHeads;
        var layers = new PageState[_layers.Length][];
        for (int i = 0; i < layers.Length; i++)
        {
            var layer = _layers[i];
            int blocks = layer.Table.MaxBlocks, written = BlockLayout.BlocksOf(length, layer.Pattern.BlockTokens);
            layers[i] = new PageState[heads * blocks];
            for (int head = 0; head < heads; head++)
            {
                layers[i].AsSpan(head * blocks, written).Fill(PageState.Freed);
                foreach (int block in layer.Kept(sequence, head))
                    layers[i][head * blocks + block] = layer.Store.IsShared(layer.Table[sequence, head, block])
                        ? PageState.Shared : PageState.Kept;
            }
        }
        return new PageMap(layers, heads);
    }

    /// <summary>Releases all pages.</summary>
    public void Dispose()
    {
        foreach (var far in _far)
            far?.Dispose();
        _pool.Dispose();
    }

    /// <summary>Pages that wait to be used again.</summary>
    internal long FreePages => _pool.FreePages;

    /// <summary>How many pages some sequences have; one that several of them share counts once.</summary>
    internal long CountPages(ReadOnlySpan<int> sequences)
    {
        long pages = 0;
        var shared = new HashSet<int>();
        foreach (var layer in _layers)                            // a page belongs to one layer
        {
            shared.Clear();
            foreach (int sequence in sequences)
                pages += layer.CountUnshared(sequence, shared);
            pages += shared.Count;
        }
        return pages;
    }

    /// <summary>Bytes of a page of a layer, keys and values.</summary>
    internal long PageBytes(int layer) => _layers[layer].Store.PageBytes;

    /// <summary>Shares the pages that a continuation of a sequence from here reads. Give them back with <see
    /// cref="Drop"/>.</summary>
    internal SavedSequence Save(int sequence)
    {
        int length = Length(sequence);
        var layers = new KeptPage[_layers.Length][];
        for (int i = 0; i < layers.Length; i++)
            layers[i] = _layers[i].Share(sequence);
        Remote?.Save(sequence, ++_saved);
        return new SavedSequence(length, layers, _saved);
    }

    /// <summary>Lets an empty sequence continue from where another one was saved; the saved pages stay
    /// shared.</summary>
    internal void Restore(SavedSequence saved, int sequence)
    {
        CheckEmpty(sequence);
        Remote?.Restore(saved.Number, sequence);
        for (int i = 0; i < _layers.Length; i++)
            _layers[i].Adopt(sequence, saved.Layers[i]);
        _lengths[sequence] = saved.Tokens;
    }

    /// <summary>Gives saved pages back.</summary>
    internal void Drop(SavedSequence saved)
    {
        Remote?.Drop(saved.Number);
        for (int i = 0; i < _layers.Length; i++)
            _layers[i].Drop(saved.Layers[i]);
    }

    /// <summary>Where the pages are; null for here.</summary>
    internal IRemoteCache? Remote { get; }

    /// <summary>Memories that hold pages, each those of as many KV heads: devices elsewhere, or this one.</summary>
    internal int Workers => Remote?.Workers ?? 1;

    /// <summary>Starts a forward pass over packed rows of some sequences; the others rest.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="pass">Number of the pass among those that run side by side; they have no sequence in
    /// common.</param>
    /// <exception cref="ArgumentException">A sequence would grow beyond <see cref="MaxTokens"/>, or is named
    /// twice.</exception>
    /// <exception cref="InvalidOperationException">The pages would take more than the bytes that the options
    /// allow.</exception>
    internal CachePass Begin(ReadOnlySpan<StepRows> rows, int pass = 0)
    {
        Place(rows, pass);
        if (BytesNeeded(_passes[pass]) is var bytes && bytes > MaxBytes)
            throw new InvalidOperationException(
                $"the key/value cache would need {bytes} bytes, {MaxBytes} are allowed");
        Remote?.Begin(pass, rows);
        return _passes[pass];
    }

    /// <summary>Bytes that the pages in use would take in a step, from above: layers run one after the other and free
    /// their dead pages at once. Where pages are elsewhere, those of the device that has most.</summary>
    /// <exception cref="ArgumentException">As for <see cref="Begin"/>.</exception>
    internal long BytesNeeded(ReadOnlySpan<StepRows> rows)
    {
        Place(rows, 0);
        return BytesNeeded(_passes[0]);
    }

    /// <summary>How many tokens beyond the next one a step may add to a sequence for <see cref="TakeBack"/> to take
    /// back: those that complete no block, so that no page is freed, and few enough that on the CPU engine each gets
    /// the bits that it gets alone.</summary>
    internal int MostProposed(int sequence)
    {
        int length = Length(sequence);
        return Math.Max(0, Math.Min(Math.Min(_mostTogether - 1, MaxTokens - length - 1),
            _leastBlock - 2 - length % _leastBlock));
    }

    /// <summary>Takes the last tokens of a sequence back, at most those that the last step added beyond the first and
    /// <see cref="MostProposed"/> allowed. Their pages stay: they hold tokens before them.</summary>
    /// <param name="sequence">The sequence, from 0.</param>
    /// <param name="length">Tokens that stay.</param>
    internal void TakeBack(int sequence, int length)
    {
        Debug.Assert(length > 0 && length <= _lengths[sequence]
            && (length - 1) / _leastBlock == (_lengths[sequence] - 1) / _leastBlock, "the tokens are of one block");
        _lengths[Checked(sequence)] = length;
        Remote?.TakeBack(sequence, length);
    }

    /// <summary>Ends a forward pass: the tokens are part of their sequences now.</summary>
    internal void End(int pass = 0)
    {
        foreach (int s in _passes[pass].Active)
            _lengths[s] += _passes[pass][s].QueryCount;
        _passes[pass].Empty();
        Remote?.End(pass);
    }

    /// <summary>Writes new keys and values [1, T, Hkv, D] of a layer to pages, computes attention of the new queries
    /// [1, T, H, D] into the output, and frees what no later query reads.</summary>
    internal void Attend(CachePass pass, int layer, Tensor query, Tensor key, Tensor value, Tensor output)
    {
        Write(pass, layer, key, value);
        var pattern = _layers[layer].Pattern;
        if (pass.AttendsDirectly)
        {
            var layout = _attention.Layouts.Get(pattern, pass.Batch.MaxKeyCount);
            Forward(layer, new AttentionForwardArguments(query, key, value, output, null, layout, pass.Batch,
                _attention.Scale));
            GiveFarAway(pass, layer);
            return;
        }
        if (HasFar(pass, layer))
            _farAttention.Attend(pass, layer, query, output, _tails[layer].For(pass.Batch));
        else
            AttendPages(pass, layer, query, output, null, _tails[layer].For(pass.Batch));
        Release(pass, layer);
        GiveFarAway(pass, layer);
    }

    /// <summary>Does to the pages of a layer what <see cref="Attend"/> does, where they are only counted.</summary>
    internal void Count(CachePass pass, int layer)
    {
        GivePages(pass, _layers[layer]);
        if (!pass.AttendsDirectly)
            Release(pass, layer);
    }

    /// <summary>Attention over pages, with a layout for each sequence.</summary>
    internal void AttendPages(CachePass pass, int layer, Tensor query, Tensor output, Tensor? logSumExp,
        BlockLayout[] layouts)
    {
        var pages = _layers[layer];
        Forward(layer, new AttentionForwardArguments(query, pages.Store.Keys, pages.Store.Values, output, logSumExp,
            layouts[pass.Active[0]], pass.Batch, _attention.Scale, pages.Table, layouts));
    }

    /// <summary>Writes new keys and values [1, T, Hkv, D] of a layer to pages.</summary>
    internal void Write(CachePass pass, int layer, Tensor key, Tensor value)
    {
        var pages = _layers[layer];
        GivePages(pass, pages);
        _attention.Engine.WritePages(key, pages.Store.Keys, pages.Table, pass.Batch);
        _attention.Engine.WritePages(value, pages.Store.Values, pages.Table, pass.Batch);
    }

    /// <summary>Frees what no later query of a layer reads.</summary>
    internal void Release(CachePass pass, int layer)
    {
        var pages = _layers[layer];
        long bytesPerToken = pages.Store.PageBytes / pages.Store.BlockTokens;
        foreach (int s in pass.Active)
        {
            ReadBytes += pages.CountReads(s, pass[s]) * bytesPerToken;
            pages.ReleaseDead(s, pass[s]);
        }
    }

    private void Forward(int layer, in AttentionForwardArguments arguments)
    {
        if (_attention.Sample is { } sample)
            sample.Forward(_attention.Engine, layer, arguments);
        else
            _attention.Engine.AttentionForward(arguments);
    }

    private long BytesNeeded(CachePass pass)
    {
        if (MaxBytes == long.MaxValue)
            return 0;
        long most = 0;
        int heads = _attention.Patterns[0].KeyValueHeads / Workers;
        for (int worker = 0; worker < Workers; worker++)
        {
            long bytes = 0;
            foreach (var layer in _layers)
            {
                long pages = layer.UsedPages(worker * heads, heads);
                foreach (int s in pass.Active)
                    pages += layer.CountMissing(s, pass[s], pass.AttendsDirectly, worker * heads, heads);
                bytes += pages * layer.Store.PageBytes;
            }
            most = Math.Max(most, bytes);
        }
        return most;
    }

    private void GivePages(CachePass pass, LayerPages pages)
    {
        int missing = 0;
        foreach (int s in pass.Active)
            missing += pages.CountMissing(s, pass[s], pass.AttendsDirectly, 0, pages.Pattern.KeyValueHeads);
        if (missing == 0)
            return;
        pages.Store.Reserve(missing);
        foreach (int s in pass.Active)
            pages.Give(s, pass[s], pass.AttendsDirectly);
        _pool.NotePeak();
    }

    private void Place(ReadOnlySpan<StepRows> rows, int pass) =>
        _passes[pass].Place(rows, _pool.ElementType == _attention.ActivationType);

    private void CheckEmpty(int sequence)
    {
        if (Length(sequence) != 0)
            throw new ArgumentException($"sequence {sequence} has {Length(sequence)} tokens, it must be empty");
    }

    private int Checked(int sequence) => (uint)sequence < (uint)_lengths.Length ? sequence
        : throw new ArgumentException($"sequence {sequence} of {_lengths.Length} sequences");
}
