using ILGPU;
using S2ILGPU.Engines;
using S2ILGPU.Kernels;
using S2ILGPU.Kernels.Attention.Portable;
using S2ILGPU.Layouts;
using S2ILGPU.Lists;
using S2ILGPU.Patterns;
using S2ILGPU.TestSupport;
using S2ILGPU.Tiles;
using Xunit;

namespace S2ILGPU.Tests.Ptx;

/// <summary>The PTX of the kernels that sample rows, choose blocks and write lists does what their C# does, without a
/// race, an access out of bounds or an uninitialised read.</summary>
public sealed class SamplerReplayTests : IDisposable
{
    private const int Heads = 4, KeyValueHeads = 2, HeadDim = 40;

    private readonly Random _random = Seeds.NewRandom();
    private readonly PtxReplay _replay = new();

    public void Dispose() => _replay.Dispose();

    [Theory]
    [InlineData(16)]
    [InlineData(64)]
    public void Scores_of_tensors(int width)
    {
        TestScale.SkipUnlessDrawn(2);
        Scores<StoredSingle>(width);
        Scores<StoredBFloat16>(width);
        Scores<StoredHalf>(width);
    }

    [Theory]
    [InlineData(16, 1)]
    [InlineData(64, 2)]
    public void Scores_of_pages(int width, int perPage)
    {
        TestScale.SkipUnlessDrawn(2);
        const int keys = 150;
        int entries = (keys - 1) / width + 1, blocks = (entries - 1) / perPage + 2;
        var arguments = Arguments(keys, queries: 90, width);
        int[] pages = [.. Enumerable.Range(0, KeyValueHeads * blocks)],
            table = new int[KeyValueHeads * blocks * perPage];
        _random.Shuffle(pages);
        for (int n = 0; n < table.Length; n++)
            table[n] = pages[n / perPage] * perPage + n % perPage;
        arguments.Pages = _replay.View(table);
        arguments.PageBlocks = blocks * perPage;
        arguments.PageEntries = perPage;
        int page = perPage * width * HeadDim;
        arguments.KeyRows = new RowStrides { Offset = 0, Batch = page, Row = HeadDim };
        arguments.Key = _replay.Words<StoredSingle>(_random, pages.Length * page);
        Launch<StoredSingle>(arguments);

        page += perPage * width * sizeof(float);
        arguments.KeyRows.Batch = page;
        arguments.Key = _replay.View(Int8Pages(pages.Length, perPage * width));
        arguments.Scores = _replay.Output(arguments.Scores.IntLength);
        Launch<StoredInt8>(arguments);
    }

    [Theory]
    [InlineData(16, 1)]
    [InlineData(64, 2)]
    public void Sums(int width, int perBlock)
    {
        const int keys = 150;
        int pieces = (keys - 1) / width + 1, blocks = (pieces - 1) / perBlock + 1;
        int[] rows = Positions(keys, 90);
        var arguments = new SampleSumArguments
        {
            Scores = _replay.Normal(_random, 2 * rows.Length * pieces),
            Rows = _replay.View(rows),
            LogSumExp = _replay.Output(Heads * rows.Length),
            Columns = _replay.View<float>(),
            Slashes = _replay.View<float>(),
            FirstHead = 1,
            Heads = 2,
            Pieces = pieces,
            PieceKeys = width,
            BlockPieces = perBlock,
            Blocks = blocks,
        };
        _replay.Run(SampleSums.Rows, new Index3D(2, 1, 1), 16, arguments);
        arguments.LogSumExp = _replay.Normal(_random, Heads * rows.Length);
        arguments.Columns = _replay.Output(Heads * blocks);
        arguments.Slashes = _replay.Output(Heads * blocks);
        _replay.Run(SampleSums.Blocks, new Index3D(2, 1, 1), 16, arguments);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(5)]
    public void Choices(int window)
    {
        const int blocks = 21;
        var arguments = new BlockChoiceKernelArguments
        {
            Columns = Positive(Heads * blocks),
            Slashes = Positive(Heads * blocks),
            Kept = _replay.View(AttentionData.Untouched<int>(2 * Heads * blocks)),
            KeptBlocks = _replay.View<int>(),
            ColumnShare = 0.7f,
            SlashShare = 0.4f,
            Window = window,
            FirstQueryBlock = 3,
            Heads = Heads,
            Blocks = blocks,
        };
        _replay.Run(BlockChoice.Choose, new Index3D(2, 1, 1), 16, arguments);
        arguments.Kept = Marks(2 * Heads * blocks);
        arguments.KeptBlocks = _replay.View(new int[Heads]);
        _replay.Run(BlockChoice.Count, new Index3D(2, 1, 1), 16, arguments);
    }

    [Theory]
    [InlineData(16, 64)]
    [InlineData(32, 128)]
    [InlineData(64, 64)]
    [InlineData(128, 64)]
    public void Lists(int block, int tileRows)
    {
        var sequences = new SequenceBatch(new Sequence(0, 0, 5, 0, 40), new Sequence(0, 5, 170, 40, 300));
        var dense = BlockLayout.Create(new DensePattern(Heads, KeyValueHeads, block), 300);
        var lists = new TileListBuilder([dense], sequences.Sequences).RoomForQueries(tileRows);
        int blocks = (300 - 1) / block + 1;
        var choices = lists.Rows.Select((row, n) => lists.SequenceOfRows[n] == 0 ? new ChosenMarks { Columns = -1 }
            : new ChosenMarks { Columns = row.Head * blocks, Slashes = (Heads + row.Head) * blocks });
        var (tiles, perTile) = lists.Room;
        _replay.Run(ChosenLists.Build, new Index3D(2, 1, 1), 16, new ChosenListArguments
        {
            Rows = _replay.View(lists.Rows),
            Entries = _replay.View(AttentionData.Untouched<int>(tiles * perTile)),
            Positions = _replay.View(AttentionData.Untouched<int>(tiles * perTile)),
            Masks = _replay.View(AttentionData.Untouched<uint>(tiles)),
            Choices = _replay.View<ChosenMarks>([.. choices]),
            Kept = Marks(2 * Heads * blocks),
            BlockTokens = block,
            TileRows = tileRows,
        });
    }

    private void Scores<TKey>(int width)
        where TKey : struct, IStoredElement
    {
        var arguments = Arguments(keys: 150, queries: 90, width);
        arguments.KeyRows = new RowStrides { Offset = 3, Row = KeyValueHeads * HeadDim, Head = HeadDim };
        arguments.KeyStart = 7;
        arguments.Key = _replay.Words<TKey>(_random, 3 + (7 + 150) * KeyValueHeads * HeadDim);
        Launch<TKey>(arguments);
    }

    private void Launch<TKey>(SampleScoreArguments arguments)
        where TKey : struct, IReadElement =>
        _replay.Run(SampleScores.Kernel<TKey>, new Index3D(3, (arguments.Rows.IntLength - 1) / 64 + 1, 2),
            PortableTiles.Threads, arguments);

    // Without keys.
    private SampleScoreArguments Arguments(int keys, int queries, int width)
    {
        int[] rows = Positions(keys, queries);
        int pieces = (keys - 1) / width + 1;
        return new SampleScoreArguments
        {
            Query = _replay.Words<StoredSingle>(_random, (2 + queries) * Heads * HeadDim),
            Pages = _replay.View<int>(),
            Rows = _replay.View(rows),
            Scores = _replay.Output(2 * rows.Length * pieces),
            QueryRows = new RowStrides { Row = Heads * HeadDim, Head = HeadDim },
            QueryStart = 2,
            FirstPosition = keys - queries,
            KeyCount = keys,
            BlockColumns = width,
            Pieces = pieces,
            HeadDim = HeadDim,
            FirstHead = 1,
            GroupHeads = Heads / KeyValueHeads,
            Scale = 0.2f,
        };
    }

    private int[] Positions(int keys, int queries) => [.. Enumerable.Range(keys - queries, queries)
        .OrderBy(_ => _random.Next()).Take(_random.Next(60, 80)).Order()];

    // Rows of random bytes, then their scales.
    private int[] Int8Pages(int pages, int tokens)
    {
        int words = tokens * HeadDim / 4;
        return [.. Enumerable.Range(0, pages).SelectMany(_ => Enumerable.Range(0, words + tokens)
            .Select(n => n < words ? _random.Next() : BitConverter.SingleToInt32Bits(_random.NextSingle() / 100)))];
    }

    private ArrayView<float> Positive(int count) =>
        _replay.View<float>([.. Enumerable.Range(0, count).Select(_ => _random.NextSingle())]);

    private ArrayView<int> Marks(int count) =>
        _replay.View<int>([.. Enumerable.Range(0, count).Select(_ => _random.Next(4) == 0 ? 1 : 0)]);
}
