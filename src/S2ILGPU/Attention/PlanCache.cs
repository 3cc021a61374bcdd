using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Lists;
using S2ILGPU.Patterns;
using S2ILGPU.Queue;

namespace S2ILGPU.Attention;

/// <summary>What the rows of a plan are.</summary>
internal enum PlanRows
{
    /// <summary>Tiles of 64 queries.</summary>
    Queries64,

    /// <summary>Tiles of 128 queries.</summary>
    Queries128,

    /// <summary>Tiles of 64 keys.</summary>
    Keys,

    /// <summary>The last query of each sequence, one query head at a time.</summary>
    LastQuery,

    /// <summary>The last query of each sequence, two neighbouring query heads at a time.</summary>
    LastQueryOfTwoHeads,

    /// <summary>The last query of each sequence, four neighbouring query heads at a time.</summary>
    LastQueryOfFourHeads,

    /// <summary>The last query of each sequence, eight neighbouring query heads at a time.</summary>
    LastQueryOfEightHeads,
}

/// <summary>Plans that were used last, by layouts, sequences and pages: layers of one pattern and steps of one shape
/// share them. A plan of decoding from pages goes on to the next step.</summary>
internal sealed class PlanCache(DeviceQueue queue)
{
    /// <summary>Plans that are kept. A training step of a hybrid model needs six.</summary>
    public const int Capacity = 24;

    private readonly LinkedList<Entry> _plans = [];

    /// <summary>Number of plans built so far.</summary>
    public int Built { get; private set; }

    /// <summary>The plan of a batch, from the cache where possible.</summary>
    public DevicePlan Get(PlanRows rows, IReadOnlyList<BlockLayout> layouts, SequenceBatch sequences,
        int? pageBlocks = null)
    {
        var batch = sequences.Sequences;
        for (var node = _plans.First; node is not null; node = node.Next)
        {
            var known = node.Value;
            bool isSame = known.IsOf(rows, layouts, batch, pageBlocks);
            if (!isSame && !known.CanFollow(rows, layouts, batch, pageBlocks))
                continue;
            _plans.Remove(node);
            if (!isSame)
                Follow(known, layouts, batch);
            _plans.AddFirst(node);
            return known.Plan;
        }
        // Plain keys are packed by tiles that end with their sequence; pages have no end.
        var tiles = pageBlocks is null || GroupHeads(rows) == 0 ? null
            : new DecodeTiles(batch.Length, TileGeometry.Of(layouts[0].BlockTokens).EntriesPerTile);
        var plan = new DevicePlan(Build(rows, layouts, batch, pageBlocks, tiles), queue);
        Built++;
        _plans.AddFirst(new Entry(rows, pageBlocks, plan, tiles)
        {
            Layouts = [.. layouts],
            Sequences = batch.ToArray(),
        });
        if (_plans.Count > Capacity)
        {
            _plans.Last!.Value.Plan.Dispose();
            _plans.RemoveLast();
        }
        return plan;
    }

    /// <summary>Frees all plans.</summary>
    public void Clear()
    {
        foreach (var known in _plans)
            known.Plan.Dispose();
        _plans.Clear();
    }

    // A plan that fails on the way belongs to no step.
    private static void Follow(Entry known, IReadOnlyList<BlockLayout> layouts, ReadOnlySpan<Sequence> sequences)
    {
        try
        {
            known.Plan.Follow(Build(known.Rows, layouts, sequences, known.PageBlocks, known.Tiles));
            (known.Layouts, known.Sequences) = ([.. layouts], sequences.ToArray());
        }
        catch
        {
            known.Plan.Dispose();
            throw;
        }
    }

    private static TileLists Build(PlanRows rows, IReadOnlyList<BlockLayout> layouts, ReadOnlySpan<Sequence> sequences,
        int? pageBlocks, DecodeTiles? tiles)
    {
        var builder = new TileListBuilder(layouts, sequences);
        return rows switch
        {
            PlanRows.Queries64 => builder.OfQueries(64, pageBlocks),
            PlanRows.Queries128 => builder.OfQueries(128, pageBlocks),
            PlanRows.Keys => builder.OfKeys(),
            _ => builder.OfLastQueries(GroupHeads(rows), pageBlocks, tiles),
        };
    }

    // Query heads of a row tile of decoding; 0 for other rows.
    private static int GroupHeads(PlanRows rows) => rows switch
    {
        PlanRows.LastQuery => 1,
        PlanRows.LastQueryOfTwoHeads => 2,
        PlanRows.LastQueryOfFourHeads => 4,
        PlanRows.LastQueryOfEightHeads => 8,
        _ => 0,
    };

    // Batches and layouts are compared by content: a cache updates both in place.
    private sealed record Entry(PlanRows Rows, int? PageBlocks, DevicePlan Plan, DecodeTiles? Tiles)
    {
        public required BlockLayout[] Layouts { get; set; }

        public required Sequence[] Sequences { get; set; }

        public bool IsOf(PlanRows rows, IReadOnlyList<BlockLayout> layouts, ReadOnlySpan<Sequence> sequences,
            int? pageBlocks) => rows == Rows && pageBlocks == PageBlocks && sequences.SequenceEqual(Sequences)
            && layouts.SequenceEqual(Layouts);

        // Any lists could follow any others of the same heads and blocks. They do where a sequence stays: passes that
        // run side by side have none in common, and layers of another pattern have plans of their own.
        public bool CanFollow(PlanRows rows, IReadOnlyList<BlockLayout> layouts, ReadOnlySpan<Sequence> sequences,
            int? pageBlocks)
        {
            if (Tiles is null || rows != Rows || pageBlocks != PageBlocks || sequences.Length != Sequences.Length)
                return false;
            for (int s = 0; s < sequences.Length; s++)
                if (sequences[s].QueryCount > 0 && Sequences[s].QueryCount > 0
                    && PatternOf(layouts, s) == PatternOf(Layouts, s))
                    return true;
            return false;
        }

        private static AttentionPattern PatternOf(IReadOnlyList<BlockLayout> layouts, int sequence) =>
            layouts[Math.Min(sequence, layouts.Count - 1)].Pattern;
    }
}
