using S2ILGPU.Backends;
using S2ILGPU.Layouts;

namespace S2ILGPU.Cpu.Attention;

/// <summary>
/// The work items of a backward pass, fixed by the shapes alone: one per (sequence, KV head), which owns dK, dV of that head and dQ of its query heads.
/// Where that makes too few, the keys are cut into ranges of about equal work, each with dQ of its own, summed afterwards in the order of the ranges.
/// </summary>
internal sealed class BackwardPlan
{
    // Enough items for the cores of a usual machine; each range needs at least so many key tiles to be worth a dQ of its own.
    private const int WantedItems = 8, MinTilesPerRange = 16;

    private BackwardSequence[] _sequences = [];
    private int _count;

    /// <summary>Number of items.</summary>
    public int Items { get; private set; }

    /// <summary>Query rows (of one head each) of all sequences.</summary>
    public long QueryRows { get; private set; }

    /// <summary>Whether the keys of a sequence are cut, so that items keep dQ of their own.</summary>
    public bool HasRanges { get; private set; }

    /// <summary>Rows of dQ that an item needs at most, or all items together when there are ranges.</summary>
    public long GradientRows { get; private set; }

    /// <summary>The sequences, in order.</summary>
    public ReadOnlySpan<BackwardSequence> Sequences => _sequences.AsSpan(0, _count);

    /// <summary>Plans a call; allocates only when there are more sequences than ever before.</summary>
    public void Make(in AttentionBackwardArguments a)
    {
        var sequences = a.Sequences.Sequences;
        if (_sequences.Length < sequences.Length)
            _sequences = new BackwardSequence[sequences.Length];
        (_count, Items, QueryRows, GradientRows, HasRanges) = (sequences.Length, 0, 0, 0, false);
        int heads = a.Query.Shape[2], keyValueHeads = a.Key.Shape[2];
        int wantedRanges = (WantedItems - 1) / Math.Max(1, _count * keyValueHeads) + 1;
        for (int s = 0; s < _count; s++)
        {
            int ranges = Math.Clamp(TilesOf(sequences[s]) / MinTilesPerRange, 1, wantedRanges);
            _sequences[s] = new BackwardSequence(sequences[s], Items, QueryRows, GradientRows, ranges);
            Items = checked(Items + ranges * keyValueHeads);
            QueryRows += (long)heads * sequences[s].QueryCount;
            GradientRows += (long)heads * ranges * sequences[s].QueryCount;
            HasRanges |= ranges > 1;
        }
        if (HasRanges)
            return;
        GradientRows = 0;
        foreach (var s in sequences)
            GradientRows = Math.Max(GradientRows, (long)(heads / keyValueHeads) * s.QueryCount);
    }

    /// <summary>The sequence that an item belongs to.</summary>
    public int SequenceOf(int item)
    {
        int low = 0, high = _count - 1;
        while (low < high)
        {
            int middle = (low + high + 1) / 2;
            (low, high) = _sequences[middle].FirstItem <= item ? (middle, high) : (low, middle - 1);
        }
        return low;
    }

    /// <summary>Number of key tiles of a sequence.</summary>
    public static int TilesOf(in Sequence sequence) => (sequence.KeyCount + TokenGroup.MaxTokens - 1) / TokenGroup.MaxTokens;

    /// <summary>The key tiles of a range: start and exclusive end. The tiles are weighed by the kept blocks of a head.</summary>
    public static (int Start, int End) TilesOf(BlockLayout layout, in BackwardSequence plan, int patternHead, int range)
    {
        int tiles = TilesOf(plan.Sequence);
        return plan.Ranges == 1
            ? (0, tiles)
            : (Boundary(layout, patternHead, tiles, range, plan.Ranges), Boundary(layout, patternHead, tiles, range + 1, plan.Ranges));
    }

    private static int Boundary(BlockLayout layout, int patternHead, int tiles, int range, int ranges)
    {
        var starts = layout.ColumnStarts.Slice(patternHead * layout.KeyBlocks, layout.KeyBlocks + 1);
        int wanted = starts[0] + (int)((long)(starts[^1] - starts[0]) * range / ranges), tile = 0;
        if (range == ranges)
            return tiles;
        while (tile < tiles && starts[Math.Min(tile * TokenGroup.MaxTokens / layout.BlockTokens, layout.KeyBlocks)] < wanted)
            tile++;
        return tile;
    }
}

/// <summary>The items of one sequence: (KV head, range), counted as <c>head * Ranges + range</c>.</summary>
/// <param name="Sequence">The sequence.</param>
/// <param name="FirstItem">Its first item.</param>
/// <param name="FirstRow">First row of its statistics, head by head.</param>
/// <param name="FirstGradientRow">First row of its dQ when there are ranges: item by item, head by head.</param>
/// <param name="Ranges">Ranges that the keys are cut into.</param>
internal readonly record struct BackwardSequence(Sequence Sequence, int FirstItem, long FirstRow, long FirstGradientRow, int Ranges);
