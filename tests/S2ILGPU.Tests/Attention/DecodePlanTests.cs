using System.Runtime.CompilerServices;
using S2ILGPU.Attention;
using S2ILGPU.Engines;
using S2ILGPU.Inference;
using S2ILGPU.Layouts;
using S2ILGPU.Lists;
using S2ILGPU.Models;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using S2ILGPU.Tiles;
using Xunit;

namespace S2ILGPU.Tests.Attention;

/// <summary>Plans of decoding follow their sequences: after every step of random appends, joins and leaves they are
/// what a plan made from nothing is, and only what a step changed is made and copied.</summary>
public sealed class DecodePlanTests : IDisposable
{
    private const int QueryHeads = 4, KeyValueHeads = 2;

    private readonly IlgpuEngine _engine = (IlgpuEngine)Emulated.CreateWithTensorCores();
    private readonly Random _random = Seeds.NewRandom();

    [Theory]
    [InlineData(16)]
    [InlineData(64)]
    [InlineData(128)]
    public void Plans_that_follow_have_the_lists_of_new_ones(int blockTokens)
    {
        for (int n = 0; n < 10; n++)
        {
            var steps = new Steps(_random, PatternCatalog.Create(_random.Pick([.. PatternCatalog.Names]), QueryHeads,
                KeyValueHeads, blockTokens), sequences: 5, maxTokens: 12 * blockTokens);
            var plans = new PlanCache(_engine.Queue);
            for (int step = 0; step < 40; step++)
            {
                var before = steps.Entries;
                steps.Next();
                Check(plans, steps, before);
            }
            Assert.Equal(1, plans.Built);
            plans.Clear();
        }
    }

    /// <summary>A page that is lost is named in the step that reads it, whether the table or the lists
    /// changed.</summary>
    [Fact]
    public void Plans_that_follow_find_the_pages_that_new_ones_find()
    {
        int missed = 0;
        for (int n = 0; n < 10; n++)
        {
            var steps = new Steps(_random, PatternCatalog.Create(_random.Pick("dense", "L1 s2", "L2 s3", "random"),
                QueryHeads, KeyValueHeads, _random.Pick(16, 128)), sequences: 5, maxTokens: 200);
            var plans = new PlanCache(_engine.Queue);
            PageTable[] tables = [steps.NewTable(), steps.NewTable()];
            for (int step = 0; step < 60; step++)
            {
                steps.Next();
                var table = tables[_random.Next(2)];
                steps.Give(table, mayLose: _random.Next(2) == 0);
                using var anew = new DevicePlan(steps.Builder().OfLastQueries(1, steps.PageBlocks), _engine.Queue);
                string? expected = Missing(anew);
                string? found = Missing(plans.Get(PlanRows.LastQuery, steps.Layouts, steps.Batch(), steps.PageBlocks));
                Assert.True((expected is null) == (found is null),
                    $"step {step}: expected '{expected}', found '{found}'; {Seeds.Text}");
                missed += found is null ? 0 : 1;

                string? Missing(DevicePlan plan)
                {
                    try
                    {
                        plan.CheckPages(table, steps.Geometry);
                        return null;
                    }
                    catch (ArgumentException exception)
                    {
                        return exception.Message;
                    }
                }
            }
            plans.Clear();
        }
        Assert.InRange(missed, 1, 599);
    }

    [Theory]
    [InlineData(ElementType.Float32)]
    [InlineData(ElementType.BFloat16)]
    public void Plans_that_follow_give_the_bits_of_new_ones(ElementType type)
    {
        const int headDim = 64, sequences = 2, blockTokens = 16, maxTokens = 80, count = 4;
        TestScale.SkipUnlessDrawn(4);
        var steps = new Steps(_random, PatternCatalog.Create("L2 s3", QueryHeads, KeyValueHeads, blockTokens),
            sequences, maxTokens);
        var table = steps.NewTable();
        float[] pages = Normal(sequences * KeyValueHeads * table.MaxBlocks * blockTokens * headDim),
            query = Normal(sequences * QueryHeads * headDim);
        using var other = (IlgpuEngine)Emulated.CreateWithTensorCores();
        for (int step = 0; step < count; step++)
        {
            steps.Next();
            steps.Give(table, mayLose: false);
            other.Trim();
            Assert.True(Decoded(_engine).AsSpan().SequenceEqual(Decoded(other)), $"step {step}; {Seeds.Text}");
        }
        Assert.Equal((1, count), (_engine.PlansBuilt, other.PlansBuilt));

        float[] Normal(int count) => [.. _random.Normal(count).Select(x => (float)x)];

        float[] Decoded(IlgpuEngine engine)
        {
            var shape = new Shape(pages.Length / blockTokens / headDim, blockTokens, headDim);
            using var pool = engine.Allocate(shape, type);
            using var queries = engine.Allocate(new Shape(1, sequences, QueryHeads, headDim), type);
            using var output = engine.Allocate(queries.Shape, type);
            engine.Upload(pages, pool);
            engine.Upload(query, queries);
            engine.AttentionForward(new AttentionForwardArguments(queries, pool, pool, output, null, steps.Layouts[0],
                steps.Batch(), 0.1f, table, steps.Layouts));
            return engine.ToArray(output);
        }
    }

    /// <summary>Between the launches of a step and the plan of the next there is one wait, for the logits.</summary>
    [Fact]
    public void A_decoding_step_waits_for_its_logits_only()
    {
        TestScale.SkipUnlessDrawn(4);
        using var engine = (IlgpuEngine)Emulated.Create();
        using var model = new TransformerModel(engine, new TransformerConfig
        {
            VocabularySize = 11,
            Dim = 16,
            Layers = 2,
            QueryHeads = 2,
            KeyValueHeads = 1,
            HeadDim = 8,
            FeedForwardDim = 16,
            ContextTokens = 64,
            Attention = new AttentionPlan(new DenseAttention { BlockTokens = 16 }),
        }, seed: 3);
        using var decoder = new TransformerDecoder(model, new KeyValueCacheOptions { Sequences = 2 });
        float[] logits = new float[2 * 11];
        decoder.Append(new int[2 * 14], [14, 13], logits);
        decoder.Append([1, 2], [1, 1], logits);
        int plans = engine.PlansBuilt;
        for (int step = 0; step < 5; step++)                                      // both enter a block, one rests once
        {
            long waits = engine.Queue.Waits;
            decoder.Append([1, 2], [1, step == 2 ? 0 : 1], logits);
            Assert.Equal(waits + 1, engine.Queue.Waits);
        }
        Assert.Equal(plans, engine.PlansBuilt);
    }

    public void Dispose() => _engine.Dispose();

    // One step of a plan against lists made from nothing.
    private void Check(PlanCache plans, Steps steps, int?[] before)
    {
        var pattern = steps.Layouts[0].Pattern;
        int group = pattern.PatternHeads == KeyValueHeads ? QueryHeads / KeyValueHeads : 1;
        long uploaded = _engine.Queue.UploadedBytes;
        var plan = plans.Get(group == 2 ? PlanRows.LastQueryOfTwoHeads : PlanRows.LastQuery, steps.Layouts,
            steps.Batch(), steps.PageBlocks);
        uploaded = _engine.Queue.UploadedBytes - uploaded;
        var expected = steps.Builder().OfLastQueries(group, steps.PageBlocks);
        Assert.Equal(expected.SequenceOfRows, plan.Host.SequenceOfRows);
        var lists = plan.Lists(default);
        var (rows, entries, positions, masks) = (Downloaded(lists.Rows), Downloaded(lists.Entries),
            Downloaded(lists.Positions), Downloaded(lists.Masks));
        int perTile = steps.Geometry.EntriesPerTile;
        for (int n = 0; n < expected.Rows.Length; n++)
        {
            var (row, followed) = (expected.Rows[n], rows[n]);
            Range tiles = row.Start..row.End, copies = followed.Start..followed.End;
            Assert.Equal(Part(expected.Entries, tiles, perTile), Part(entries, copies, perTile));
            Assert.Equal(Part(expected.Positions, tiles, perTile), Part(positions, copies, perTile));
            Assert.Equal(Part(expected.Masks, tiles, 1), Part(masks, copies, 1));
            int moved = row.Start - followed.Start;
            (followed.Start, followed.FullEnd, followed.End) = (row.Start, followed.FullEnd + moved,
                followed.End + moved);
            Assert.Equal(row, followed);
        }
        var changes = plan.Host.Changes!;
        Assert.Equal(steps.Entries.Select((entry, s) => entry != before[s]), changes.Sequences);
        // What is new in this step has its lists made, unless a step before left them there.
        int entered = steps.Entries.Where(entry => entry is not null && !before.Contains(entry)).Distinct().Count();
        Assert.InRange(changes.Tiles.Count, 0, entered);
        bool isWider = entries.Length != steps.Capacity;
        steps.Capacity = entries.Length;
        Assert.Equal(rows.Length * Unsafe.SizeOf<RowTile>()
            + 4L * (isWider ? 2 * entries.Length + masks.Length : changes.Tiles.Sum(t => t.Count * (2 * perTile + 1))),
            uploaded);
    }

    private T[] Downloaded<T>(ILGPU.ArrayView<T> view) where T : unmanaged
    {
        var values = new T[view.Length];
        _engine.Queue.Download(view, values);
        return values;
    }

    private static T[] Part<T>(T[] values, Range tiles, int perTile) =>
        values[(tiles.Start.Value * perTile)..(tiles.End.Value * perTile)];

    // Sequences that get tokens, rest, leave and join at random; one of them stays from each step to the next.
    private sealed class Steps(Random random, AttentionPattern pattern, int sequences, int maxTokens)
    {
        private readonly int[] _lengths = new int[sequences];                     // 0: has left
        private readonly bool[] _hasQuery = new bool[sequences];

        public BlockLayout[] Layouts { get; } =
            [.. Enumerable.Repeat(BlockLayout.Create(pattern, 0), sequences)];

        public TileGeometry Geometry => TileGeometry.Of(pattern.BlockTokens);

        public int PageBlocks => MaxBlocks * Geometry.EntriesPerBlock;

        // Entries that the lists of the plan have room for.
        public int Capacity { get; set; }

        // The entry of each query.
        public int?[] Entries => [.. _lengths.Select((length, s) =>
            _hasQuery[s] ? (length - 1) / Geometry.BlockColumns : (int?)null)];

        private int MaxBlocks => (maxTokens - 1) / pattern.BlockTokens + 1;

        public PageTable NewTable() => new(sequences, KeyValueHeads, MaxBlocks);

        public TileListBuilder Builder() => new(Layouts, Batch().Sequences);

        public SequenceBatch Batch()
        {
            var batch = new Sequence[sequences];
            for (int s = 0, row = 0; s < sequences; s++)
                if (_hasQuery[s])
                    batch[s] = new Sequence(0, row++, 1, 0, _lengths[s]);
            return new SequenceBatch(batch);
        }

        public void Next()
        {
            var staying = Enumerable.Range(0, sequences).Where(s => _hasQuery[s]).ToArray();
            int stays = staying.Length == 0 ? 0 : random.Pick(staying);
            for (int s = 0; s < sequences; s++)
            {
                if (_lengths[s] == maxTokens || (s != stays && random.Next(10) == 0))
                    _lengths[s] = 0;
                _hasQuery[s] = s == stays || random.Next(_lengths[s] == 0 ? 3 : 10) != 0;
                if (!_hasQuery[s])
                    continue;
                // Those that join stand before a border between blocks, as most tokens do not.
                _lengths[s] = _lengths[s] > 0 ? _lengths[s] + 1
                    : Math.Max(1, random.Next(1, MaxBlocks) * pattern.BlockTokens - random.Next(4));
                int end = (_lengths[s] - 1) / pattern.BlockTokens + 1;
                if (Layouts[s].KeyBlocks != end)
                    Layouts[s] = Layouts.FirstOrDefault(layout => layout.KeyBlocks == end)
                        ?? BlockLayout.Create(pattern, end * pattern.BlockTokens, pattern.BlockTokens);
            }
        }

        // Pages for all blocks of each sequence, but perhaps some: blocks get theirs late, and one loses its page.
        public void Give(PageTable table, bool mayLose)
        {
            for (int s = 0; s < sequences; s++)
                for (int head = 0; head < KeyValueHeads; head++)
                    for (int block = 0; block < MaxBlocks; block++)
                        if (block * pattern.BlockTokens < _lengths[s] is var exists
                            && (table[s, head, block] == PageTable.None) == exists
                            && !(exists && mayLose && random.Next(8) == 0))
                            table[s, head, block] = exists ? (s * KeyValueHeads + head) * MaxBlocks + block
                                : PageTable.None;
            if (mayLose && random.Next(3) == 0)
                table[random.Next(sequences), random.Next(KeyValueHeads), random.Next(MaxBlocks)] = PageTable.None;
        }
    }
}
