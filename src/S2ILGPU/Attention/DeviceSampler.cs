using ILGPU;
using ILGPU.Runtime;
using S2ILGPU.Engines;
using S2ILGPU.Kernels;
using S2ILGPU.Kernels.Attention.Portable;
using S2ILGPU.Lists;
using S2ILGPU.Memory;
using S2ILGPU.Queue;
using S2ILGPU.Tensors;
using S2ILGPU.Variants;

namespace S2ILGPU.Attention;

/// <summary>Sums of sampled rows and the choice of blocks on a device, in the order of its queue: nothing is read back.
/// Scores come from tensor cores where attention runs on them, sums from portable kernels.</summary>
internal sealed class DeviceSampler(DeviceQueue queue, PageTableCopies pageTables, AttentionKernels kernels)
{
    // Key tiles that a group takes one after the other: it reads Q, which is as large as two of them, only once.
    private const int GroupTiles = 16;

    // The most log-sum-exps of pieces in memory: where all heads together have more, they take turns.
    private const long MaxScores = 1 << 25;

    private readonly StagingTensors _staging = new(queue);
    private readonly DeviceTensors _tensors = queue.Tensors;

    /// <summary>See <see cref="IAttentionSampler.SampleRows"/>.</summary>
    public void SampleRows(in AttentionSampleArguments a)
    {
        if (a.Rows.Length == 0)
            return;
        int heads = a.Query.Shape[2], pieces = (a.Sequence.KeyCount - 1) / TileGeometry.Of(a.BlockTokens).BlockColumns
            + 1, atOnce = (int)Math.Clamp(MaxScores / ((long)a.Rows.Length * pieces), 1, heads);
        var variant = Choose(a);
        using var query = variant is null ? _staging.ToRead(a.Query, ElementType.Float32)
            : _staging.ToRead(a.Query, alignment: 8);
        using var key = variant is null || a.Pages is not null ? a.Key.Share() : _staging.ToRead(a.Key, alignment: 8);
        using var rows = new HostCopy<int>(queue, a.Rows);
        using var scores = queue.Allocate(new Shape(atOnce, a.Rows.Length, pieces), ElementType.Float32);
        var arguments = Scores(a, query, key, rows.View, scores);
        var sums = Sums(a, rows.View, scores);
        for (int head = 0; head < heads; head += atOnce)
        {
            (arguments.FirstHead, sums.FirstHead, sums.Heads) = (head, head, Math.Min(atOnce, heads - head));
            Launch(variant, a, arguments, sums.Heads);
            queue.LaunchOver((long)sums.Heads * a.Rows.Length, SampleSums.Rows, sums);
            if (a.Columns is not null)
                queue.LaunchOver(2L * sums.Heads * sums.Blocks, SampleSums.Blocks, sums);
        }
    }

    /// <summary>See <see cref="IAttentionSampler.ChooseBlocks"/>.</summary>
    public void ChooseBlocks(in BlockChoiceArguments a)
    {
        int heads = a.Columns.Shape[0], blocks = a.Columns.Shape[1];
        var arguments = new BlockChoiceKernelArguments
        {
            Columns = _tensors.Floats(a.Columns),
            Slashes = _tensors.Floats(a.Slashes),
            Kept = _tensors.Ints(a.Kept),
            KeptBlocks = _tensors.Ints(a.KeptBlocks),
            ColumnShare = (float)a.ColumnShare,
            SlashShare = (float)a.SlashShare,
            Window = a.WindowBlocks ?? -1,
            FirstQueryBlock = a.FirstQueryBlock,
            Heads = heads,
            Blocks = blocks,
        };
        queue.LaunchOver(2L * heads * blocks, BlockChoice.Choose, arguments);
        queue.Fill(a.KeptBlocks, 0);
        queue.LaunchOver((long)heads * (blocks - a.FirstQueryBlock), BlockChoice.Count, arguments);
    }

    // The tensor-core kernel, or null for the portable one.
    private KernelVariant? Choose(in AttentionSampleArguments a)
    {
        if (!kernels.TakesOperands(a.Query, a.Key, a.Scale)
            || (a.Pages is not null && !DeviceTensors.IsPagePool(a.Key)))
            return null;
        return kernels.Choose(KernelOperation.Sample, new AttentionProblem(a.Query.ElementType, a.Query.Shape[3],
            TileGeometry.Of(a.BlockTokens).BlockColumns, a.Pages is not null));
    }

    private void Launch(KernelVariant? variant, in AttentionSampleArguments a, SampleScoreArguments arguments,
        int heads)
    {
        int tiles = Tiles(a.Rows[^1] + 1, PortableTiles.Tile);
        if (variant is null)
        {
            queue.Launch(Kernel(a.Key.ElementType), new Index3D(tiles, Tiles(a.Rows.Length, PortableTiles.Tile), heads),
                PortableTiles.Threads, arguments);
            return;
        }
        kernels.Used(variant);
        if (a.Pages is not null)
            arguments.Key = _tensors.PagePool(a.Key);
        queue.Launch(variant.Method, new Index3D(Tiles(tiles, GroupTiles), Tiles(a.Rows.Length, variant.Rows), heads),
            variant.Threads, variant.SharedBytes, arguments);
    }

    private SampleScoreArguments Scores(in AttentionSampleArguments a, Tensor query, Tensor key, ArrayView<int> rows,
        Tensor scores)
    {
        var (sequence, geometry, isPaged) = (a.Sequence, TileGeometry.Of(a.BlockTokens), a.Pages is not null);
        int keyValueHeads = a.Pages?.KeyValueHeads ?? a.Key.Shape[2], headDim = a.Query.Shape[3],
            pageBlocks = (a.Pages?.MaxBlocks ?? 0) * geometry.EntriesPerBlock;
        return new SampleScoreArguments
        {
            Query = _tensors.Words(query),
            Key = _tensors.Words(key),
            Pages = isPaged ? pageTables.Of(a.Pages!, geometry.EntriesPerBlock) : default,
            Rows = rows,
            Scores = _tensors.Floats(scores),
            QueryRows = DeviceTensors.HeadRows(query),
            KeyRows = isPaged ? PageRows.Of(a.Key, headDim) : DeviceTensors.HeadRows(key),
            Batch = sequence.Batch,
            QueryStart = sequence.QueryStart,
            FirstPosition = sequence.FirstQueryPosition,
            KeyStart = sequence.KeyStart,
            KeyCount = sequence.KeyCount,
            PageBase = a.Index * keyValueHeads * pageBlocks,
            PageBlocks = pageBlocks,
            BlockColumns = geometry.BlockColumns,
            PageEntries = isPaged ? geometry.EntriesPerBlock : 0,
            Pieces = scores.Shape[2],
            HeadDim = headDim,
            GroupHeads = a.Query.Shape[2] / keyValueHeads,
            GroupTiles = GroupTiles,
            Scale = a.Scale,
        };
    }

    private SampleSumArguments Sums(in AttentionSampleArguments a, ArrayView<int> rows, Tensor scores)
    {
        var geometry = TileGeometry.Of(a.BlockTokens);
        var logSumExp = _tensors.Floats(a.LogSumExp);
        return new SampleSumArguments
        {
            Scores = _tensors.Floats(scores),
            Rows = rows,
            LogSumExp = logSumExp,
            Columns = a.Columns is { } columns ? _tensors.Floats(columns) : logSumExp.SubView(0, 0),
            Slashes = a.Slashes is { } slashes ? _tensors.Floats(slashes) : logSumExp.SubView(0, 0),
            Pieces = scores.Shape[2],
            PieceKeys = geometry.BlockColumns,
            BlockPieces = geometry.EntriesPerBlock,
            Blocks = a.Blocks,
        };
    }

    private static int Tiles(int count, int size) => (count - 1) / size + 1;

    private static Action<SampleScoreArguments> Kernel(ElementType keyType) => keyType switch
    {
        ElementType.BFloat16 => SampleScores.Kernel<StoredBFloat16>,
        ElementType.Float16 => SampleScores.Kernel<StoredHalf>,
        ElementType.Int8 => SampleScores.Kernel<StoredInt8>,
        _ => SampleScores.Kernel<StoredSingle>,
    };
}
