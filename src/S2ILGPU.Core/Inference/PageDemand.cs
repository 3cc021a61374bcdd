using S2ILGPU.Models;
using S2ILGPU.Patterns;

namespace S2ILGPU.Inference;

/// <summary>The bytes of pages that a sequence needs at most, on its way to a length: what the patterns keep, not what
/// dense attention would.</summary>
internal sealed class PageDemand
{
    private readonly TransformerModel _model;
    private readonly KeyValueCache _cache;
    private readonly int _chunkTokens;
    private readonly Dictionary<AttentionPattern, int[]> _peaks = [];
    private readonly Dictionary<(AttentionPattern, int FirstHead, int Heads), AttentionPattern> _slices = [];

    /// <param name="model">The model.</param>
    /// <param name="cache">Its cache.</param>
    /// <param name="chunkTokens">The most tokens that a sequence gets in a step.</param>
    public PageDemand(TransformerModel model, KeyValueCache cache, int chunkTokens) =>
        (_model, _cache, _chunkTokens) = (model, cache, chunkTokens);

    /// <summary>Bytes at most, while a sequence grows to a number of tokens; of workers, of the one that needs most.
    /// Never less than <see cref="KeyValueCache"/> asks for: the blocks of a chunk have pages before the dead ones are
    /// freed.</summary>
    public long Bytes(int tokens)
    {
        int heads = _model.Config.KeyValueHeads / _cache.Workers;
        return Enumerable.Range(0, _cache.Workers).Max(worker => Enumerable.Range(0, _model.Config.Layers).Sum(layer =>
            _cache.PageBytes(layer) * WholePages(tokens, _model.Pattern(layer), worker * heads, heads)));
    }

    /// <summary>Bytes that dense attention would keep for a number of tokens.</summary>
    public long DenseBytes(int tokens)
    {
        long bytes = 0;
        for (int layer = 0; layer < _model.Config.Layers; layer++)
            bytes += _cache.PageBytes(layer) * _model.Config.KeyValueHeads * Blocks(tokens, _model.Pattern(layer));
        return bytes;
    }

    /// <summary>As <see cref="Bytes"/>, where the blocks before the window of the KV heads from one number on (<see
    /// cref="LayerHeads"/>) are elsewhere.</summary>
    public long NearBytes(int tokens, int firstFar)
    {
        long bytes = 0;
        for (int layer = 0; layer < _model.Config.Layers; layer++)
        {
            var pattern = _model.Pattern(layer);
            int firstFarHead = LayerHeads.FirstHead(_model.Config.Layers, firstFar, layer);
            long near = Math.Min(Blocks(tokens, pattern), pattern.FarDistance + Blocks(_chunkTokens, pattern) + 1);
            bytes += _cache.PageBytes(layer) * (WholePages(tokens, pattern, 0, firstFarHead)
                + (pattern.KeyValueHeads - firstFarHead) * near);
        }
        return bytes;
    }

    /// <summary>Bytes at most of the blocks before the window of a KV head of a layer.</summary>
    public long FarBytes(int tokens, int layer, int head)
    {
        var pattern = _model.Pattern(layer);
        // A block goes when the next row begins, before that row has a block of its own.
        return _cache.PageBytes(layer) * Math.Max(0,
            Peak(Slice(pattern, head, 1), (int)Blocks(tokens, pattern)) - pattern.FarDistance + 1);
    }

    // Pages at most of some KV heads.
    private long WholePages(int tokens, AttentionPattern pattern, int firstHead, int heads)
    {
        long blocks = Blocks(tokens, pattern), ofChunk = Blocks(_chunkTokens, pattern) + 1;
        return heads == 0 ? 0
            : Math.Min(heads * blocks, Peak(Slice(pattern, firstHead, heads), (int)blocks) + heads * ofChunk);
    }

    private AttentionPattern Slice(AttentionPattern pattern, int firstHead, int heads)
    {
        if (heads == pattern.KeyValueHeads)
            return pattern;
        int group = pattern.QueryHeads / pattern.KeyValueHeads;
        if (!_slices.TryGetValue((pattern, firstHead, heads), out var slice))
            _slices[(pattern, firstHead, heads)] = slice =
                pattern.SliceHeads((firstHead * group)..((firstHead + heads) * group));
        return slice;
    }

    private static long Blocks(int tokens, AttentionPattern pattern) =>
        (tokens + (long)pattern.BlockTokens - 1) / pattern.BlockTokens;

    // The most pages of all heads together while the newest token is in one of the first blocks.
    private long Peak(AttentionPattern pattern, int blocks)
    {
        if (!_peaks.TryGetValue(pattern, out int[]? peaks) || peaks.Length < blocks)
            _peaks[pattern] = peaks = Peaks(pattern, (int)Math.Min(Math.Max(blocks, 2L * (peaks?.Length ?? 0)),
                Blocks(_cache.MaxTokens, pattern)));
        return blocks == 0 ? 0 : peaks[blocks - 1];
    }

    private static int[] Peaks(AttentionPattern pattern, int blocks)
    {
        var peaks = new int[blocks];
        var lastRow = new int[blocks];                                            // that counted a block, from 1
        var row = new BlockRowBuilder();
        int group = pattern.PatternHeads / pattern.KeyValueHeads;
        for (int block = 0, rows = 0, most = 0; block < blocks; block++)
        {
            int pages = 0;
            for (int head = 0; head < pattern.KeyValueHeads; head++)
            {
                rows++;
                pages += pattern.IsCacheEfficient ? 1 : block + 1;                // the newest block in any case
                for (int h = head * group; h < (head + 1) * group && pattern.IsCacheEfficient; h++)
                {
                    row.Clear();
                    pattern.AppendRow(h, block, block + 1, row);
                    foreach (int kept in row.Blocks)
                        if (kept < block && lastRow[kept] != rows)
                        {
                            lastRow[kept] = rows;
                            pages++;
                        }
                }
            }
            peaks[block] = most = Math.Max(most, pages);
        }
        return peaks;
    }
}
