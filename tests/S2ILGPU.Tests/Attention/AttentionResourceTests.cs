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

    [Theory]
    [InlineData(ElementType.Float32)]
    [InlineData(ElementType.BFloat16)]
    public void Calls_leave_nothing_behind_and_build_lists_once(ElementType type)
    {
        using var tensors = new Operands(_engine, type);
        RunAll(tensors);
        int live = _engine.Queue.Memory.LiveBuffers, built = _engine.PlansBuilt;
        long used = _engine.UsedBytes;
        RunAll(tensors);
        Assert.Equal((live, built, used), (_engine.Queue.Memory.LiveBuffers, _engine.PlansBuilt, _engine.UsedBytes));
        _engine.Trim();
        Assert.Equal(Operands.Count, _engine.Queue.Memory.LiveBuffers);
    }

    /// <summary>Steps of decoding within an entry share a plan, also backwards, and give what plans of their own
    /// give.</summary>
    [Theory]
    [InlineData(ElementType.Float32)]
    [InlineData(ElementType.BFloat16)]
    public void A_plan_of_decoding_moves_along(ElementType type)
    {
        using var tensors = new Operands(_engine, type);
        using var query = tensors.Query.Slice(1, 0, 1);
        using var output = tensors.Output.Slice(1, 0, 1);
        var random = Seeds.NewRandom();
        using var pages = _engine.Allocate(new Shape(2, 32, HeadDim), type);
        _engine.Upload([.. random.Normal(pages.Count).Select(x => (float)x)], pages);
        var table = new PageTable(1, 1, 2) { [0, 0, 0] = 1, [0, 0, 1] = 0 };
        int[] counts = [1, 2, 17, 31, 32, 31, 5, 33, 34, 40, 33];
        int before = _engine.PlansBuilt;
        float[][] moved = [.. counts.Select(keys => Decoded(_layout, keys))];
        Assert.Equal(2, _engine.PlansBuilt - before);
        for (int n = 0; n < counts.Length; n++)
            Assert.Equal(Decoded(BlockLayout.Create(_layout.Pattern, Tokens), counts[n]), moved[n]);
        Assert.Equal(counts.Distinct().Count(), moved.Select(values => values.Sum()).Distinct().Count());

        float[] Decoded(BlockLayout layout, int keys)
        {
            _engine.AttentionForward(new AttentionForwardArguments(query, pages, pages, output, null, layout,
                SequenceBatch.Uniform(1, 1, keys), 0.1f, table));
            return _engine.ToArray(output);
        }
    }

    [Fact]
    public void The_oldest_lists_are_dropped()
    {
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
