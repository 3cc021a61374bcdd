using ILGPU;
using S2ILGPU.Engines;
using S2ILGPU.Kernels.Attention.Portable;
using S2ILGPU.Lists;
using S2ILGPU.Queue;
using S2ILGPU.Tensors;

namespace S2ILGPU.Attention;

/// <summary>Plans whose lists the device writes from marks: row tiles with room for all blocks, kept for the layers of
/// a pass, which write into them one after the other.</summary>
internal sealed class ChosenPlans(DeviceQueue queue)
{
    private Key? _key;
    private DevicePlan? _plan;
    private HostCopy<ChosenMarks>? _choices;

    /// <summary>Plans built so far.</summary>
    public int Built { get; private set; }

    /// <summary>The plan of a batch, with the lists of its marks; queued.</summary>
    /// <param name="rows">Tiles of 64 or of 128 queries.</param>
    /// <param name="a">Arguments of attention over all blocks.</param>
    /// <param name="kept">Marks of each sequence, or null where all blocks are kept.</param>
    /// <param name="pageBlocks">Entries per KV head in the page table where keys lie in pages; otherwise null.</param>
    public DevicePlan Write(PlanRows rows, in AttentionForwardArguments a, IReadOnlyList<Tensor?> kept,
        int? pageBlocks)
    {
        var pattern = a.Layout.Pattern;
        var key = new Key(rows, pattern.QueryHeads, pattern.KeyValueHeads, pattern.BlockTokens, pageBlocks,
            a.Sequences.Sequences.ToArray(), [.. kept.Select(marks => marks is not null)]);
        if (_plan is null || !key.Matches(_key!))
            Build(key, a, kept);
        using var all = Joined(kept);
        var lists = _plan!.Lists(default);
        queue.LaunchOver(_plan.Rows, ChosenLists.Build, new ChosenListArguments
        {
            Rows = lists.Rows,
            Entries = lists.Entries,
            Positions = lists.Positions,
            Masks = lists.Masks,
            Choices = _choices!.View,
            Kept = queue.Tensors.Ints(all),
            BlockTokens = pattern.BlockTokens,
            TileRows = key.TileRows,
        });
        return _plan;
    }

    /// <summary>Frees the plan.</summary>
    public void Clear()
    {
        _plan?.Dispose();
        _choices?.Dispose();
        (_key, _plan, _choices) = (null, null, null);
    }

    private void Build(Key key, in AttentionForwardArguments a, IReadOnlyList<Tensor?> kept)
    {
        Clear();
        var lists = new TileListBuilder([a.Layout], a.Sequences.Sequences).RoomForQueries(key.TileRows,
            key.PageBlocks);
        var starts = new int[kept.Count];
        for (int s = 1; s < starts.Length; s++)
            starts[s] = checked(starts[s - 1] + (int)(kept[s - 1]?.Count ?? 0));
        var choices = new ChosenMarks[lists.Rows.Length];
        for (int n = 0; n < choices.Length; n++)
        {
            int s = lists.SequenceOfRows[n], head = lists.Rows[n].Head;
            choices[n] = kept[s] is { } marks ? new ChosenMarks
            {
                Columns = starts[s] + head * marks.Shape[2],
                Slashes = starts[s] + (key.QueryHeads + head) * marks.Shape[2],
            }
            : new ChosenMarks { Columns = -1 };
        }
        (_key, _plan, _choices) = (key, new DevicePlan(lists, queue), new HostCopy<ChosenMarks>(queue, choices));
        Built++;
    }

    // The marks of all sequences one after the other.
    private Tensor Joined(IReadOnlyList<Tensor?> kept)
    {
        var all = queue.Allocate(new Shape(checked((int)Math.Max(1, kept.Sum(marks => marks?.Count ?? 0)))),
            ElementType.Int32);
        int start = 0;
        foreach (var marks in kept)
            if (marks is not null)
            {
                using var part = all.Slice(0, start, (int)marks.Count);
                using var shaped = part.Reshape(marks.Shape);
                queue.Copy(marks, shaped);
                start += (int)marks.Count;
            }
        return all;
    }

    private sealed record Key(PlanRows Rows, int QueryHeads, int KeyValueHeads, int BlockTokens, int? PageBlocks,
        Sequence[] Sequences, bool[] AreChosen)
    {
        public int TileRows => Rows == PlanRows.Queries128 ? 128 : 64;

        public bool Matches(Key other) =>
            (Rows, QueryHeads, KeyValueHeads, BlockTokens, PageBlocks) == (other.Rows, other.QueryHeads,
            other.KeyValueHeads, other.BlockTokens, other.PageBlocks)
            && Sequences.AsSpan().SequenceEqual(other.Sequences) && AreChosen.AsSpan().SequenceEqual(other.AreChosen);
    }
}
