using ILGPU;
using ILGPU.Runtime;
using S2ILGPU.Engines;
using S2ILGPU.Kernels;
using S2ILGPU.Kernels.Attention.Portable;
using S2ILGPU.Lists;
using S2ILGPU.Memory;
using S2ILGPU.Queue;
using S2ILGPU.Tensors;

namespace S2ILGPU.Attention;

/// <summary>Sums of sampled rows and the choice of blocks on a device, in the order of its queue: nothing is read
/// back.</summary>
internal sealed class DeviceSampler(DeviceQueue queue, PageTableCopies pageTables)
{
    // Of the log-sum-exps of pieces; heads follow each other where all of them need more.
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
        using var query = _staging.ToRead(a.Query, ElementType.Float32);
        using var rows = new HostCopy<int>(queue, a.Rows);
        using var scores = queue.Allocate(new Shape(atOnce, a.Rows.Length, pieces), ElementType.Float32);
        var kernel = Scores(a, query, rows.View, scores);
        var sums = Sums(a, rows.View, scores);
        int tiles = Tiles(a.Rows[^1] + 1);
        for (int head = 0; head < heads; head += atOnce)
        {
            (kernel.FirstHead, sums.FirstHead, sums.Heads) = (head, head, Math.Min(atOnce, heads - head));
            queue.Launch(Kernel(a.Key.ElementType), new Index3D(tiles, Tiles(a.Rows.Length), sums.Heads),
                PortableTiles.Threads, kernel);
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

    private SampleScoreArguments Scores(in AttentionSampleArguments a, Tensor query, ArrayView<int> rows,
        Tensor scores)
    {
        var (sequence, geometry, isPaged) = (a.Sequence, TileGeometry.Of(a.BlockTokens), a.Pages is not null);
        int keyValueHeads = a.Pages?.KeyValueHeads ?? a.Key.Shape[2], headDim = a.Query.Shape[3],
            pageBlocks = (a.Pages?.MaxBlocks ?? 0) * geometry.EntriesPerBlock;
        return new SampleScoreArguments
        {
            Query = _tensors.Words(query),
            Key = _tensors.Words(a.Key),
            Pages = isPaged ? pageTables.Of(a.Pages!, geometry.EntriesPerBlock) : default,
            Rows = rows,
            Scores = _tensors.Floats(scores),
            QueryRows = DeviceTensors.HeadRows(query),
            KeyRows = isPaged ? PageRows.Of(a.Key, headDim) : DeviceTensors.HeadRows(a.Key),
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

    private static int Tiles(int rows) => (rows - 1) / PortableTiles.Tile + 1;

    private static Action<SampleScoreArguments> Kernel(ElementType keyType) => keyType switch
    {
        ElementType.BFloat16 => SampleScores.Kernel<StoredBFloat16>,
        ElementType.Float16 => SampleScores.Kernel<StoredHalf>,
        ElementType.Int8 => SampleScores.Kernel<StoredInt8>,
        _ => SampleScores.Kernel<StoredSingle>,
    };
}
