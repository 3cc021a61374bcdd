using S2ILGPU.Autograd;
using S2ILGPU.Cpu;
using S2ILGPU.Distributed.Context;
using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Ops;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Distributed.Tests.Context;

/// <summary>Attention over a shared context against that of one process in double precision.</summary>
public sealed class ContextAttentionTests
{
    private const int HeadDim = 16;

    private readonly Random _random = Seeds.NewRandom();

    public static TheoryData<string> Patterns => [.. PatternCatalog.Names
        .Where(name => PatternCatalog.Create(name, 4, 2, 16).IsCausal)];

    [Theory]
    [MemberData(nameof(Patterns))]
    public void Ranks_give_the_attention_and_gradients_of_one(string name)
    {
        int ranks = _random.Next(1, 5);
        Check(PatternCatalog.Create(name, 4, _random.Pick(1, 2, 4), 16), ranks,
            tokens: 16 * (2 * ranks + _random.Next(9)) - _random.Next(16), batch: _random.Next(1, 3));
    }

    [Fact]
    public void Patterns_that_look_ahead_are_refused()
    {
        var pattern = new SlidingWindowPattern(4, 2, windowBlocks: 2, blockTokens: 16, isCausal: false);
        Assert.Contains("causal patterns only",
            Assert.Throws<ArgumentException>(() => new ContextExchange(pattern, new ContextChunks(64, 2, 16))).Message);
    }

    [Fact]
    public void Windows_in_tokens_are_refused()
    {
        var pattern = new TokenWindowPattern(4, 2, windowTokens: 20, blockTokens: 16);
        Assert.Contains("windows are whole blocks only",
            Assert.Throws<ArgumentException>(() => new ContextExchange(pattern, new ContextChunks(64, 2, 16))).Message);
    }

    // A rank alone, whose group notes when messages begin and when it waits for them.
    [Fact]
    public void Messages_travel_while_a_rank_attends_to_its_own_keys()
    {
        var calls = new List<string>();
        var chunks = new ContextChunks(128, 2, 16);
        var rows = new ContextRows(new ContextExchange(new DensePattern(4, 2, 16), chunks), rank: 1, batch: 1);
        using var engine = new BrokenEngine(nameof(IEngine.AttentionForward), _ => calls.Add("forward"));
        using var tape = new Tape(engine);
        int[] positions = chunks.Positions(1);
        using Variable q = Leaf(4), k = Leaf(2), v = Leaf(2);
        var output = new ContextAttention(new NotingGroup(engine, calls), rows, q, k, v, 1).Run(tape);
        var loss = tape.New(new Shape(1));
        tape.Record(loss, () => tape.GiveGradient(output, output.Value));
        tape.Backward(loss);
        Assert.Equal(["send", "forward", "forward", "wait", "forward", "forward", "send", "wait"], calls);

        Variable Leaf(int heads) => Variable.Parameter("leaf", engine.FromArray(
            [.. _random.Normal((long)positions.Length * heads * HeadDim).Select(x => (float)x)], 1, positions.Length,
            heads, HeadDim));
    }

    private void Check(AttentionPattern pattern, int ranks, int tokens, int batch)
    {
        int heads = pattern.QueryHeads, keyHeads = pattern.KeyValueHeads;
        float[] Values(int count) => [.. _random.Normal((long)batch * tokens * count * HeadDim).Select(v => (float)v)];
        float[] query = Values(heads), key = Values(keyHeads), value = Values(keyHeads), gradient = Values(heads);
        var chunks = new ContextChunks(tokens, ranks, 16).Validate();
        var plan = ContextPlan.Of(pattern, tokens, ranks, HeadDim, sizeof(float));
        var (results, sent, received) = Run(sendsAll: false);
        Assert.Equal(plan.MeanBytes * batch * ranks, sent.Sum(), 0.5);
        Assert.Equal(plan.MostSentBytes * batch, sent.Max());
        Assert.Equal(plan.MostReceivedBytes * batch, received.Max());
        double[][] expected = Reference();
        string[] names = ["O", "dQ", "dK", "dV"];
        for (int rank = 0; rank < ranks; rank++)
            for (int which = 0; which < expected.Length; which++)
                Near($"{names[which]} of rank {rank} of {ranks}, {tokens} tokens, {pattern}",
                    expected[which], results[rank][which], chunks.Positions(rank));
        // More bytes to the same bits.
        var (gathered, gatherSent, gatherReceived) = Run(sendsAll: true);
        Assert.Equal(results, gathered);
        Assert.Equal(plan.RingBytes * batch * ranks, gatherSent.Sum(), 0.5);
        Assert.Equal(gatherSent.Sum(), gatherReceived.Sum());
        Assert.All(gatherSent.Zip(sent), bytes => Assert.True(bytes.First >= bytes.Second));

        // Results by rank, and the bytes that it sends in the forward and in the backward pass: there it sends as much
        // as it has received.
        (float[][][] Results, long[] Forward, long[] Backward) Run(bool sendsAll)
        {
            var results = new float[ranks][][];
            long[] forward = new long[ranks], backward = new long[ranks];
            MemoryRanks.Run(ranks, connection =>
            {
                using var engine = new CpuEngine(new CpuOptions { Threads = 1 });
                using var group = connection.CreateCollective(engine);
                int[] positions = chunks.Positions(group.Rank);
                var rows = new ContextRows(new ContextExchange(pattern, chunks, sendsAll), group.Rank, batch);
                using var tape = new Tape(engine);
                Variable q = Leaf(engine, query, positions, heads), k = Leaf(engine, key, positions, keyHeads),
                    v = Leaf(engine, value, positions, keyHeads), d = Leaf(engine, gradient, positions, heads);
                var output = new ContextAttention(group, rows, q, k, v, 1 / MathF.Sqrt(HeadDim)).Run(tape);
                forward[group.Rank] = group.SentBytes;
                float[] result = engine.ToArray(output.Value);
                var loss = tape.New(new Shape(1));
                tape.Record(loss, () => tape.GiveGradient(output, d.Value));
                tape.Backward(loss);
                backward[group.Rank] = group.SentBytes - forward[group.Rank];
                results[group.Rank] = [result, engine.ToArray(q.Gradient!), engine.ToArray(k.Gradient!),
                    engine.ToArray(v.Gradient!)];
                foreach (var leaf in (Variable[])[q, k, v, d])
                    leaf.Dispose();
            });
            return (results, forward, backward);
        }

        double[][] Reference()
        {
            using var engine = new ReferenceEngine();
            using Tensor q = engine.FromArray(query, batch, tokens, heads, HeadDim),
                k = engine.FromArray(key, batch, tokens, keyHeads, HeadDim),
                v = engine.FromArray(value, batch, tokens, keyHeads, HeadDim),
                d = engine.FromArray(gradient, batch, tokens, heads, HeadDim);
            var layout = BlockLayout.Create(pattern, tokens);
            using var forward = SparseAttention.Forward(engine, q, k, v, layout);
            using var backward = SparseAttention.Backward(engine, q, k, v, forward, d, layout);
            return [.. new[] { forward.Output, backward.Query, backward.Key, backward.Value }
                .Select(tensor => engine.ToArray(tensor).Select(x => (double)x).ToArray())];
        }

        Variable Leaf(IEngine engine, float[] all, int[] positions, int count) => Variable.Parameter("leaf",
            engine.FromArray(RowsOf(all, positions), batch, positions.Length, count, HeadDim));

        T[] RowsOf<T>(T[] all, int[] positions)
        {
            int row = all.Length / (batch * tokens);
            return [.. Enumerable.Range(0, batch).SelectMany(b => positions.SelectMany(position =>
                all.AsSpan((b * tokens + position) * row, row).ToArray()))];
        }

        void Near(string what, double[] all, float[] actual, int[] positions)
        {
            var worst = MaximumError.Of(RowsOf(all, positions), [.. actual.Select(x => (double)x)], isRelative: true);
            Assert.True(worst.Error <= 1e-5, $"{what}: {worst}; {Seeds.Text}");
        }
    }
}
