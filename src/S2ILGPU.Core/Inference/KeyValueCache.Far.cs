using S2ILGPU.Layouts;
using S2ILGPU.Tensors;

namespace S2ILGPU.Inference;

public sealed partial class KeyValueCache
{
    private readonly IFarPages?[] _far;                                           // of each sequence
    private readonly FarAttention _farAttention;

    /// <summary>Where the blocks before the window of some KV heads of a sequence are; null for here.</summary>
    internal IFarPages? Far(int sequence) => _far[sequence];

    /// <summary>Gives the blocks before the window of the last KV heads of a sequence to pages elsewhere, those that
    /// are here now and all later ones.</summary>
    /// <param name="sequence">A sequence without such pages.</param>
    /// <param name="far">Where they go; disposed when the sequence is cleared.</param>
    internal void Borrow(int sequence, IFarPages far)
    {
        _far[Checked(sequence)] = far;
        for (int layer = 0; layer < _layers.Length; layer++)
            GiveAway(far, layer, sequence, _lengths[sequence]);
    }

    /// <summary>For pages that are held for another instance: says how many tokens precede the next pass of a
    /// sequence, and frees what it will not read.</summary>
    internal void Seek(int layer, int sequence, int length)
    {
        _lengths[Checked(sequence)] = length;
        _layers[layer].ReleaseDead(sequence, length / _layers[layer].Pattern.BlockTokens);
    }

    /// <summary>For pages that are held for another instance: views of the keys and values of a block, whose page is
    /// given out where it has none.</summary>
    internal (Tensor Keys, Tensor Values) PageOf(int layer, int sequence, int head, int block)
    {
        int page = _layers[layer].PageOf(Checked(sequence), head, block);
        _pool.NotePeak();
        return PageTensors(layer, page);
    }

    /// <summary>For pages that are held for another instance: whether all blocks are here that precede the window of a
    /// sequence's next token.</summary>
    internal bool HasFarPages(int layer, int sequence)
    {
        var pattern = _layers[layer].Pattern;
        int row = _lengths[sequence] / pattern.BlockTokens;
        return _layers[layer].HasFar(sequence, row, pattern.FarEnd(row));
    }

    private (Tensor Keys, Tensor Values) PageTensors(int layer, int page) =>
        (_layers[layer].Store.Keys.Slice(0, page, 1), _layers[layer].Store.Values.Slice(0, page, 1));

    private bool HasFar(CachePass pass, int layer)
    {
        foreach (int s in pass.Active)
            if (_farAttention.FarEnd(pass, s, layer) > 0)
                return true;
        return false;
    }

    private void GiveFarAway(CachePass pass, int layer)
    {
        foreach (int s in pass.Active)
            if (_far[s] is { } far)
                GiveAway(far, layer, s, pass[s].KeyCount);
    }

    private void GiveAway(IFarPages far, int layer, int sequence, int length)
    {
        var pages = _layers[layer];
        int end = pages.Pattern.FarEnd(length / pages.Pattern.BlockTokens);
        for (int head = far.FirstHead(layer); head < pages.Pattern.KeyValueHeads; head++)
            pages.GiveAway(sequence, head, end, (block, page) =>
            {
                var (keys, values) = PageTensors(layer, page);
                using (keys)
                using (values)
                    far.Put(layer, head, block, keys, values);
            });
        far.Send(layer);
    }
}
