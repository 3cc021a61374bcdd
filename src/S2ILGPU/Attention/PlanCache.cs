using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Lists;
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
/// share them.</summary>
internal sealed class PlanCache(DeviceQueue queue)
{
    /// <summary>Plans that are kept. A training step of a hybrid model needs six.</summary>
    public const int Capacity = 24;

    private readonly LinkedList<(Key Key, DevicePlan Plan)> _plans = [];

    /// <summary>Number of plans built so far.</summary>
    public int Built { get; private set; }

    /// <summary>The plan of a batch, from the cache where possible.</summary>
    public DevicePlan Get(PlanRows rows, IReadOnlyList<BlockLayout> layouts, SequenceBatch sequences,
        int? pageBlocks = null)
    {
        for (var node = _plans.First; node is not null; node = node.Next)
            if (node.Value.Key.Matches(rows, layouts, sequences.Sequences, pageBlocks))
            {
                _plans.Remove(node);
                _plans.AddFirst(node);
                var (known, moved) = node.Value;
                if (!sequences.Sequences.SequenceEqual(known.Sequences))
                {
                    sequences.Sequences.CopyTo(known.Sequences);
                    moved.MoveTo(sequences.Sequences);
                }
                return moved;
            }
        var plan = new DevicePlan(Build(rows, layouts, sequences, pageBlocks), queue);
        Built++;
        _plans.AddFirst((new Key(rows, [.. layouts], sequences.Sequences.ToArray(), pageBlocks), plan));
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
        foreach (var (_, plan) in _plans)
            plan.Dispose();
        _plans.Clear();
    }

    private static TileLists Build(PlanRows rows, IReadOnlyList<BlockLayout> layouts, SequenceBatch sequences,
        int? pageBlocks)
    {
        var builder = new TileListBuilder(layouts, sequences.Sequences);
        return rows switch
        {
            PlanRows.Queries64 => builder.OfQueries(64, pageBlocks),
            PlanRows.Queries128 => builder.OfQueries(128, pageBlocks),
            PlanRows.Keys => builder.OfKeys(),
            PlanRows.LastQueryOfTwoHeads => builder.OfLastQueries(2, pageBlocks),
            PlanRows.LastQueryOfFourHeads => builder.OfLastQueries(4, pageBlocks),
            PlanRows.LastQueryOfEightHeads => builder.OfLastQueries(8, pageBlocks),
            _ => builder.OfLastQueries(1, pageBlocks),
        };
    }

    // Batches are compared by content: a cache updates its batch in place. A step of decoding from pages that stays in
    // the entries of the step before has its plan.
    private sealed record Key(PlanRows Rows, BlockLayout[] Layouts, Sequence[] Sequences, int? PageBlocks)
    {
        public bool Matches(PlanRows rows, IReadOnlyList<BlockLayout> layouts, ReadOnlySpan<Sequence> sequences,
            int? pageBlocks)
        {
            if (rows != Rows || pageBlocks != PageBlocks || layouts.Count != Layouts.Length
                || sequences.Length != Sequences.Length)
                return false;
            // Plain keys are packed by tiles that end with their sequence; pages have no end.
            bool canMove = pageBlocks is not null
                && rows is not (PlanRows.Queries64 or PlanRows.Queries128 or PlanRows.Keys);
            int entry = Math.Min(layouts[0].BlockTokens, TileGeometry.TileTokens);
            for (int s = 0; s < Sequences.Length; s++)
                if (sequences[s] != Sequences[s] && !(canMove && MovesInEntry(sequences[s], Sequences[s], entry)))
                    return false;
            for (int n = 0; n < Layouts.Length; n++)
                if (layouts[n] != Layouts[n])
                    return false;
            return true;
        }

        // The last query of a sequence has the lists of its neighbours in the same entry.
        private static bool MovesInEntry(in Sequence now, in Sequence before, int entryTokens) =>
            now == before with { KeyCount = now.KeyCount } && now.QueryCount == 1
            && (now.KeyCount - 1) / entryTokens == (before.KeyCount - 1) / entryTokens;
    }
}
