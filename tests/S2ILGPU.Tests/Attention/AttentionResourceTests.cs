using System.Globalization;
using System.Text.RegularExpressions;
using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Tests.Attention;

/// <summary>Attention leaves no memory behind, builds its lists once, and names what is missing.</summary>
public sealed partial class AttentionResourceTests : IDisposable
{
    private const int Tokens = 40, Heads = 2, HeadDim = 64;

    private readonly IlgpuEngine _engine = (IlgpuEngine)Emulated.CreateWithTensorCores();
    private readonly BlockLayout _layout =
        BlockLayout.Create(new LocalStridePattern(Heads, 1, blockTokens: 32, localBlocks: 1,
        verticalStride: 2), Tokens);

    public static TheoryData<ElementType> Types => [.. Sweeps.ResourceTypes];

    [Theory]
    [MemberData(nameof(Types))]
    public void Calls_leave_nothing_behind_and_build_lists_once(ElementType type)
    {
        TestScale.SkipUnlessDrawn(4);
        using var tensors = new Operands(_engine, type);
        RunAll(tensors);
        int live = _engine.Queue.Memory.LiveBuffers, built = _engine.PlansBuilt;
        long used = _engine.UsedBytes;
        RunAll(tensors);
        Assert.Equal((live, built, used), (_engine.Queue.Memory.LiveBuffers, _engine.PlansBuilt, _engine.UsedBytes));
        _engine.Trim();
        Assert.Equal(Operands.Count, _engine.Queue.Memory.LiveBuffers);
    }

    /// <summary>Steps of decoding share a plan, also backwards, and give what plans of their own give.</summary>
    [Theory]
    [MemberData(nameof(Types))]
    public void A_plan_of_decoding_moves_along(ElementType type)
    {
        TestScale.SkipUnlessDrawn(2);
        using var tensors = new Operands(_engine, type);
        using var query = tensors.Query.Slice(1, 0, 1);
        using var output = tensors.Output.Slice(1, 0, 1);
        var random = Seeds.NewRandom();
        using var pages = _engine.Allocate(new Shape(2, 32, HeadDim), type);
        _engine.Upload([.. random.Normal(pages.Count).Select(x => (float)x)], pages);
        var table = new PageTable(1, 1, 2) { [0, 0, 0] = 1, [0, 0, 1] = 0 };
        int[] counts = [1, 2, 17, 31, 32, 31, 5, 33, 34, 40, 33];
        int before = _engine.PlansBuilt;
        float[][] moved = [.. counts.Select(Decoded)];
        Assert.Equal(1, _engine.PlansBuilt - before);
        for (int n = 0; n < counts.Length; n++)
        {
            _engine.Trim();
            Assert.Equal(Decoded(counts[n]), moved[n]);
        }
        Assert.Equal(counts.Distinct().Count(), moved.Select(values => values.Sum()).Distinct().Count());

        float[] Decoded(int keys)
        {
            _engine.AttentionForward(new AttentionForwardArguments(query, pages, pages, output, null, _layout,
                SequenceBatch.Uniform(1, 1, keys), 0.1f, table));
            return _engine.ToArray(output);
        }
    }

    [Fact]
    public void The_oldest_lists_are_dropped()
    {
        TestScale.SkipUnlessDrawn(4);
        using var tensors = new Operands(_engine, ElementType.Float32);
        for (int n = 1; n <= 60; n++)
            tensors.Decode(BlockLayout.Create(_layout.Pattern, Tokens), n % Tokens + 1);
        Assert.InRange(_engine.Queue.Memory.LiveBuffers, 1, Operands.Count + 5 * S2ILGPU.Attention.PlanCache.Capacity);
    }

    [Fact]
    public void A_kept_block_without_a_page_is_refused_by_name()
    {
        using var operands = new Operands(_engine, ElementType.Float32);
        using var pages = _engine.Allocate(new Shape(2, 32, HeadDim), ElementType.Float32);
        var table = new PageTable(1, 1, 2) { [0, 0, 0] = 0 };
        using var query = operands.Query.Slice(1, 0, 1);
        using var output = operands.Output.Slice(1, 0, 1);
        var arguments = new AttentionForwardArguments(query, pages, pages, output, null, _layout,
            SequenceBatch.Uniform(1, 1, Tokens), 0.1f, table);
        Assert.Contains("block 1 of KV head 0 of sequence 0",
            Assert.Throws<ArgumentException>(() => _engine.AttentionForward(arguments)).Message);
        table[0, 0, 1] = 1;
        _engine.Fill(pages, 1);
        _engine.AttentionForward(arguments);
        Assert.Equal(1, _engine.ToArray(output)[0], 1e-5);
    }

    /// <summary>A step that adds one page per head uploads those entries, and the few words of every step, not the
    /// table; what was changed between two steps, in any number, is found on the device.</summary>
    [Fact]
    public void Page_tables_receive_changes_only()
    {
        const int sequences = 3, heads = 2, maxBlocks = 400;
        var random = Seeds.NewRandom();
        var table = new PageTable(sequences, heads, maxBlocks);
        var copies = new S2ILGPU.Queue.PageTableCopies(_engine.Queue);
        for (int block = 0; block < maxBlocks - 20; block++)
            Add(block);
        Assert.Equal(4L * 2 * sequences * heads * maxBlocks, BytesOfStep());
        for (int block = maxBlocks - 20; block < maxBlocks - 10; block++)
        {
            Add(block);
            Assert.Equal(8L * 2 * sequences * heads, BytesOfStep());
        }
        Assert.Equal(0, BytesOfStep());
        for (int n = 0; n < 50; n++)
            table[random.Next(sequences), random.Next(heads), random.Next(maxBlocks)] = random.Next(3) - 1;
        Assert.InRange(BytesOfStep(), 1, 8 * 2 * 50);
        for (int n = 0; n < 4 * sequences * heads * maxBlocks; n++)
            table[random.Next(sequences), random.Next(heads), random.Next(maxBlocks)] = random.Next(3) - 1;
        Assert.Equal(4L * 2 * sequences * heads * maxBlocks, BytesOfStep());

        void Add(int block)
        {
            for (int s = 0; s < sequences; s++)
                for (int head = 0; head < heads; head++)
                    table[s, head, block] = (s * heads + head) * maxBlocks + block;
        }

        // The bytes that bring the copy up to date, after which it is the table.
        long BytesOfStep()
        {
            long before = _engine.Queue.UploadedBytes;
            var copy = copies.Of(table, 2);
            long bytes = _engine.Queue.UploadedBytes - before;
            var pages = new int[copy.Length];
            _engine.Queue.Download(copy, pages);
            for (int n = 0; n < pages.Length; n++)
            {
                int page = table.Row(n / 2 / maxBlocks / heads, n / 2 / maxBlocks % heads)[n / 2 % maxBlocks];
                Assert.True(pages[n] == (page < 0 ? page : page * 2 + n % 2), $"entry {n}; {Seeds.Text}");
            }
            return bytes;
        }
    }

    /// <summary>A plan that has seen a table looks up what was written since: a page that is lost is found, one that no
    /// list names is nothing to it.</summary>
    [Fact]
    public void A_page_that_is_lost_between_steps_is_named()
    {
        using var operands = new Operands(_engine, ElementType.Float32);
        using var pages = _engine.Allocate(new Shape(2, 32, HeadDim), ElementType.Float32);
        _engine.Fill(pages, 1);
        var table = new PageTable(1, 1, 4) { [0, 0, 0] = 0, [0, 0, 1] = 1, [0, 0, 3] = 1 };
        using var query = operands.Query.Slice(1, 0, 1);
        using var output = operands.Output.Slice(1, 0, 1);
        var arguments = new AttentionForwardArguments(query, pages, pages, output, null, _layout,
            SequenceBatch.Uniform(1, 1, Tokens), 0.1f, table);
        _engine.AttentionForward(arguments);
        table[0, 0, 3] = PageTable.None;
        _engine.AttentionForward(arguments);
        table[0, 0, 1] = PageTable.None;
        Assert.Contains("block 1 of KV head 0 of sequence 0",
            Assert.Throws<ArgumentException>(() => _engine.AttentionForward(arguments)).Message);
        table[0, 0, 1] = 0;
        _engine.AttentionForward(arguments);
    }

    [Fact]
    public void Too_little_memory_is_said_with_the_sizes_and_leaks_nothing()
    {
        using var small = IlgpuDevices.CreateEngine(Emulated.Device, memoryLimitBytes: 150 * 1024);
        using var operands = new Operands(small, ElementType.BFloat16);
        int live = small.Queue.Memory.LiveBuffers;
        string message = Assert.Throws<InsufficientMemoryException>(() => operands.Backward(_layout)).Message;
        string[] numbers = [.. Numbers().Matches(message).Select(match => match.Value.Replace(",", ""))];
        Assert.Equal(4, numbers.Length); // bytes asked for, bytes held, buffers, bytes of the device
        long asked = long.Parse(numbers[0], null), held = long.Parse(numbers[1], null);
        Assert.Equal((150 * 1024).ToString(CultureInfo.InvariantCulture), numbers[3]);
        Assert.True(asked > 0 && held >= small.UsedBytes && asked + held > 150 * 1024, message);
        Assert.True(int.Parse(numbers[2], null) >= live, message);
        small.Trim();
        Assert.Equal(live, small.Queue.Memory.LiveBuffers);
    }

    public void Dispose() => _engine.Dispose();

    [GeneratedRegex("[0-9][0-9,]*")]
    private static partial Regex Numbers();

    private void RunAll(Operands tensors)
    {
        tensors.Forward(_layout);
        tensors.Backward(_layout);
        tensors.Decode(_layout, Tokens);
        _engine.MergePartitions([tensors.Output, tensors.Output], [tensors.LogSumExp, tensors.LogSumExp],
            tensors.QueryGradient, tensors.LogSumExp);
    }

    // The tensors of a small problem.
    private sealed class Operands(IlgpuEngine engine, ElementType type) : IDisposable
    {
        public const int Count = 9;

        public Tensor Query { get; } = New(engine, type, Heads);

        public Tensor Key { get; } = New(engine, type, 1);

        public Tensor Value { get; } = New(engine, type, 1);

        public Tensor Output { get; } = New(engine, type, Heads);

        public Tensor OutputGradient { get; } = New(engine, type, Heads);

        public Tensor QueryGradient { get; } = New(engine, type, Heads);

        public Tensor KeyGradient { get; } = New(engine, type, 1);

        public Tensor ValueGradient { get; } = New(engine, type, 1);

        public Tensor LogSumExp { get; } = engine.Allocate(new Shape(1, Heads, Tokens), ElementType.Float32);

        public void Forward(BlockLayout layout) =>
            engine.AttentionForward(new AttentionForwardArguments(Query, Key, Value, Output, LogSumExp, layout,
            SequenceBatch.Uniform(1, Tokens, Tokens), 0.1f));

        public void Backward(BlockLayout layout) =>
            engine.AttentionBackward(new AttentionBackwardArguments(Query, Key, Value, Output, LogSumExp,
            OutputGradient, null,
            QueryGradient, KeyGradient, ValueGradient, layout, SequenceBatch.Uniform(1, Tokens, Tokens), 0.1f));

        public void Decode(BlockLayout layout, int keys)
        {
            using var query = Query.Slice(1, 0, 1);
            using var output = Output.Slice(1, 0, 1);
            engine.AttentionForward(new AttentionForwardArguments(query, Key, Value, output, null, layout,
                SequenceBatch.Uniform(1, 1, keys), 0.1f));
        }

        public void Dispose()
        {
            foreach (var tensor in (Tensor[])[Query, Key, Value, Output, OutputGradient, QueryGradient, KeyGradient,
                ValueGradient, LogSumExp])
                tensor.Dispose();
        }

        private static Tensor New(IlgpuEngine engine, ElementType type, int heads)
        {
            var tensor = engine.Allocate(new Shape(1, Tokens, heads, HeadDim), type);
            engine.Upload([.. Seeds.NewRandom().Normal(tensor.Count).Select(x => (float)x)], tensor);
            return tensor;
        }
    }
}
