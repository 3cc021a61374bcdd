using S2ILGPU.Cpu;
using S2ILGPU.Engines;
using S2ILGPU.Inference;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Inference;

/// <summary>Random traffic on the pages of one layer, against lists of tokens.</summary>
public sealed class PagePoolTests : IDisposable
{
    private const int Slots = 5, MaxTokens = 200, HeadDim = 8, Block = 16;

    private readonly CpuEngine _engine = new();
    private readonly Random _random = Seeds.NewRandom();

    public static TheoryData<string> Patterns => ["dense", "s2", "query", "window", "not cache-efficient"];

    public void Dispose() => _engine.Dispose();

    [Theory]
    [MemberData(nameof(Patterns))]
    public void Random_traffic_loses_no_page_and_mixes_no_tokens(string name)
    {
        var pattern = Pattern(name);
        using var store = new PageStore(_engine, Block, HeadDim, ElementType.Float32);
        var pages = new LayerPages(pattern, store, Slots, MaxTokens);
        List<float>[] tokens = [.. Enumerable.Range(0, Slots).Select(_ => new List<float>())];
        var saved = new List<(KeptPage[] Pages, float[] Tokens)>();
        for (int round = 0; round < 150; round++)
        {
            int s = _random.Next(Slots), other = _random.Next(Slots);
            switch (_random.Next(8))
            {
                case 0: // abort
                    pages.Clear(s);
                    tokens[s].Clear();
                    break;
                case 1 when tokens[other].Count == 0: // fork
                    var shared = pages.Share(s);
                    pages.Adopt(other, shared);
                    pages.Drop(shared);
                    tokens[other].AddRange(tokens[s]);
                    break;
                case 2:
                    saved.Add((pages.Share(s), [.. tokens[s]]));
                    break;
                case 3 when saved.Count > 0 && tokens[s].Count == 0:
                    pages.Adopt(s, saved[^1].Pages);
                    tokens[s].AddRange(saved[^1].Tokens);
                    break;
                case 4 when saved.Count > 0:
                    pages.Drop(saved[0].Pages);
                    saved.RemoveAt(0);
                    break;
                default:
                    Append(pages, tokens[s], s, Math.Min(_random.Pick(1, 1, 3, 16, 40), MaxTokens - tokens[s].Count));
                    break;
            }
            Check(pages, tokens, saved);
        }
        for (int s = 0; s < Slots; s++)
            pages.Clear(s);
        foreach (var (kept, _) in saved)
            pages.Drop(kept);
        Assert.Equal(0, store.UsedPages);
    }

    // Writes the tokens' values to the pages as an engine writes keys.
    private void Append(LayerPages pages, List<float> tokens, int sequence, int count)
    {
        if (count == 0)
            return;
        var step = new Sequence(0, 0, count, 0, tokens.Count + count);
        bool liveOnly = tokens.Count == 0 && _random.Next(2) == 0;
        int before = pages.Store.UsedPages, heads = pages.Pattern.KeyValueHeads,
            missing = pages.CountMissing(sequence, step, liveOnly, 0, heads);
        pages.Give(sequence, step, liveOnly);
        Assert.Equal(before + missing, pages.Store.UsedPages);
        Assert.Equal(pages.Store.UsedPages, pages.UsedPages(0, heads));
        for (int t = 0; t < count; t++)
        {
            tokens.Add(_random.NextSingle());
            var (block, offset) = Math.DivRem(tokens.Count - 1, Block);
            for (int head = 0; head < pages.Pattern.KeyValueHeads; head++)
                if (pages.Table[sequence, head, block] is var page && page != PageTable.None)
                {
                    using Tensor whole = pages.Store.Keys.Slice(0, page, 1), row = whole.Slice(1, offset, 1);
                    _engine.Fill(row, tokens[^1] + head);
                }
        }
        if (!liveOnly)
            pages.ReleaseDead(sequence, step);
    }

    private void Check(LayerPages pages, List<float>[] tokens, List<(KeptPage[] Pages, float[] Tokens)> saved)
    {
        var pattern = pages.Pattern;
        float[] keys = _engine.ToArray(pages.Store.Keys);
        var owned = new HashSet<int>();
        for (int s = 0; s < Slots; s++)
            for (int head = 0; head < pattern.KeyValueHeads; head++)
            {
                int blocks = BlockLayout.BlocksOf(tokens[s].Count, Block), next = tokens[s].Count / Block;
                int[] expected = [.. Enumerable.Range(0, blocks).Where(b => pattern.MayStillRead(head, next, b))];
                Assert.Equal(expected, pages.Kept(s, head).ToArray());
                for (int block = 0; block < pages.Table.MaxBlocks; block++)
                {
                    int page = pages.Table[s, head, block];
                    Assert.Equal(expected.Contains(block), page != PageTable.None);
                    if (page == PageTable.None)
                        continue;
                    owned.Add(page);
                    for (int t = block * Block; t < Math.Min(tokens[s].Count, (block + 1) * Block); t++)
                        Assert.Equal(tokens[s][t] + head, keys[(page * Block + t % Block) * HeadDim]);
                }
            }
        foreach (var (kept, _) in saved)
            foreach (var page in kept)
                owned.Add(page.Page);
        Assert.Equal(owned.Count, pages.Store.UsedPages);
    }

    private static AttentionPattern Pattern(string name) => name switch
    {
        "dense" => new DensePattern(4, 2, blockTokens: Block),
        "s2" => new LocalStridePattern(4, 2, Block, localBlocks: 2, verticalStride: 3),
        "query" => new LocalStridePattern(4, 2, Block, localBlocks: 1, verticalStride: 4,
            stripes: new StripeOptions { SlideByQueryHead = true }),
        "window" => new SlidingWindowPattern(4, 2, windowBlocks: 2, sinkBlocks: 1, blockTokens: Block),
        _ => new CustomPattern(EveryThird(), 4, 2, Block),
    };

    private static bool[,,] EveryThird()
    {
        var table = new bool[2, 13, 13];
        for (int head = 0; head < 2; head++)
            for (int query = 0; query < 13; query++)
                for (int key = 0; key <= query; key++)
                    table[head, query, key] = query == key || (query + key) % 3 == 0;
        return table;
    }
}
