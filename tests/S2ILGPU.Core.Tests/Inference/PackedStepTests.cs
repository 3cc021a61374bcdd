using S2ILGPU.Core.Tests.Cpu;
using S2ILGPU.Core.Tests.Models;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Engines;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Inference;

/// <summary>Steps over any mix of sequences: what each gets, to the bit, what it reads, what it allocates.</summary>
public sealed class PackedStepTests
{
    private const int Vocabulary = 61;

    private static readonly TransformerConfig s_config = TinyModels.Config(TinyModels.Dense, TinyModels.Sparse,
        TinyModels.ByQueryHead, TinyModels.Window with { BlockTokens = 32 }) with
        { VocabularySize = Vocabulary, Dim = 40, HeadDim = 32, FeedForwardDim = 52 };

    private readonly Random _random = Seeds.NewRandom();

    [Fact]
    public void A_sequence_gets_the_same_bits_in_every_mix()
    {
        TestScale.SkipUnlessDrawn(2);
        foreach (var simd in TestScale.Part(SimdWidths.Available, 2))
            foreach (var type in (ElementType?[])[null, _random.Pick(ElementType.BFloat16, ElementType.Float16),
                ElementType.Int8])
            {
                using var engine = CpuEngines.Create(simd, _random.Next(1, 4));
                bool isShort = type is ElementType.BFloat16;                      // weights and activations too
                using var model = isShort ? ShortModel(engine) : Model(engine);
                var work = Enumerable.Range(0, 12).Select(_ => Work()).ToArray();
                var alone = work.Select(w => Run(model, type, [w])[0]).ToArray();
                var mixed = Run(model, type, work);
                for (int s = 0; s < work.Length; s++)
                    for (int i = 0; i < alone[s].Count; i++)
                        Assert.True(alone[s][i].AsSpan().SequenceEqual(mixed[s][i]),
                            $"{simd}, cache {type}, sequence {s}, chunk {i} of {string.Join(' ', work[s].Chunks)}");
            }
    }

    [Fact]
    public void A_steady_step_reads_the_kept_pages_and_allocates_nothing()
    {
        using var engine = CpuEngines.Create(SimdWidth.Auto, 2);
        using var model = Model(engine);
        using var cache = new KeyValueCache(model, new KeyValueCacheOptions { Sequences = 3, MaxTokens = 160 });
        using var step = new PackedStep(model, cache);
        int[] lengths = [70, 130, 20];
        for (int s = 0; s < 3; s++)
            Step(step, (s, TinyModels.Tokens(_random, lengths[s], Vocabulary)));
        int[] token = [5];
        Action run = () => Step(step, (0, token), (1, token), (2, token));
        run();
        Assert.Equal(0, Allocations.OfEveryRun(run));
        for (int i = 0; i < 12; i++)
        {
            long before = cache.ReadBytes;
            run();
            long tokens = 0;
            for (int s = 0; s < 3; s++)
                for (int layer = 0; layer < model.Config.Layers; layer++)
                    tokens += KeptTokens(model, layer, cache.Length(s));
            Assert.Equal(tokens * 2 * model.Config.HeadDim * sizeof(float), cache.ReadBytes - before);
        }
    }

    [Theory]
    [InlineData(null)]
    [InlineData(ElementType.Int8)]
    public void A_fork_continues_like_its_parent_and_copies_only_the_last_block(ElementType? type)
    {
        using var engine = CpuEngines.Create(SimdWidth.Auto, 2);
        using var model = Model(engine);
        using var cache = new KeyValueCache(model, new KeyValueCacheOptions { Sequences = 3, ElementType = type });
        using var step = new PackedStep(model, cache);
        int[] prompt = TinyModels.Tokens(_random, 75, Vocabulary), rest = TinyModels.Tokens(_random, 40, Vocabulary);
        Step(step, (0, prompt));
        long pages = cache.UsedPages;
        cache.Fork(0, 1);
        Assert.Equal(pages, cache.UsedPages);
        var map = cache.Map(1);
        Assert.Equal(pages, map.Count(PageState.Shared));
        Assert.Equal(0, map.Count(PageState.Kept));
        int heads = model.Config.KeyValueHeads, layers = model.Config.Layers;
        Step(step, (1, [7]));
        Assert.Equal(pages + layers * heads, cache.UsedPages); // the parent keeps its last block
        Assert.Equal(layers * heads, cache.Map(1).Count(PageState.Kept));
        Step(step, (2, prompt));
        Step(step, (2, [7]));
        foreach (int token in rest)
        {
            Step(step, (0, [3]), (1, [token]), (2, [token]));
            Assert.Equal(step.Logits(2).ToArray(), step.Logits(1).ToArray());
            Assert.NotEqual(step.Logits(2).ToArray(), step.Logits(0).ToArray());
        }
        for (int s = 0; s < 3; s++)
            cache.Clear(s);
        Assert.Equal(0, cache.UsedPages);
    }

    [Fact]
    public void Saved_pages_are_those_that_a_continuation_reads()
    {
        using var engine = CpuEngines.Create(SimdWidth.Auto, 1);
        using var model = Model(engine);
        using var cache = new KeyValueCache(model, new KeyValueCacheOptions { Sequences = 2 });
        using var step = new PackedStep(model, cache);
        int[] prompt = TinyModels.Tokens(_random, 64, Vocabulary), rest = TinyModels.Tokens(_random, 50, Vocabulary);
        Step(step, (0, prompt));
        var saved = cache.Save(0);
        long pages = saved.Layers.Sum(layer => (long)layer.Length);
        Step(step, (0, rest)); // the sequence moves on and frees what it does not read any more
        float[] expected = step.Logits(0).ToArray();
        cache.Clear(0);
        Assert.Equal(pages, cache.UsedPages);
        cache.Restore(saved, 1);
        Assert.Equal(64, cache.Length(1));
        Step(step, (1, rest));
        Assert.Equal(expected, step.Logits(0).ToArray());
        cache.Clear(1);
        cache.Drop(saved);
        Assert.Equal(0, cache.UsedPages);
    }

    [Fact]
    public void Misuse_is_named()
    {
        using var engine = CpuEngines.Create(SimdWidth.Auto, 1);
        using var model = Model(engine);
        using var cache = new KeyValueCache(model, new KeyValueCacheOptions { Sequences = 2, MaxTokens = 20 });
        using var step = new PackedStep(model, cache);
        string Message(Action action) => Assert.Throws<ArgumentException>(action).Message;
        Assert.Contains("named twice", Message(() => Step(step, (0, [1]), (0, [2]))));
        Assert.Contains("21 more are beyond the 20", Message(() => Step(step, (1, new int[21]))));
        Assert.Contains("at most 2 parts", Message(() => Step(step, (0, [1]), (1, [1]), (1, [1]))));
        Step(step, (0, [1]));
        Assert.Contains("must be empty", Message(() => cache.Fork(1, 0)));
        Assert.Contains("sequence 2 of 2", Message(() => cache.Fork(2, 1)));
        Assert.Equal(0, cache.Length(1));
    }

    // Runs each sequence's chunks in order, several sequences in a step where there are several.
    private List<float[]>[] Run(TransformerModel model, ElementType? type, (int[] Tokens, int[] Chunks)[] work)
    {
        using var cache = new KeyValueCache(model,
            new KeyValueCacheOptions { Sequences = work.Length, ElementType = type });
        using var step = new PackedStep(model, cache);
        List<float[]>[] results = [.. work.Select(_ => new List<float[]>())];
        while (true)
        {
            int[] open = [.. Enumerable.Range(0, work.Length).Where(s => results[s].Count < work[s].Chunks.Length)];
            if (open.Length == 0)
                return results;
            _random.Shuffle(open);
            open = open[.._random.Next(1, open.Length + 1)];
            Step(step, [.. open.Select(s => (s,
                work[s].Tokens.AsSpan(cache.Length(s), work[s].Chunks[results[s].Count]).ToArray()))]);
            for (int i = 0; i < open.Length; i++)
                results[open[i]].Add(step.Logits(i).ToArray());
        }
    }

    private (int[] Tokens, int[] Chunks) Work()
    {
        var chunks = new List<int>();
        for (int n = 0; n < 9; n++)
            chunks.Add(_random.Pick(1, 1, 1, 2, 8, 9, 16, 33));
        if (_random.Next(2) == 0)
            chunks[0] = 70;
        while (chunks.Sum() > 160)
            chunks.RemoveAt(chunks.Count - 1);
        return (TinyModels.Tokens(_random, chunks.Sum(), Vocabulary), [.. chunks]);
    }

    // Tokens that the rows of a decoding step read, over all KV heads.
    private static long KeptTokens(TransformerModel model, int layer, int length)
    {
        var pattern = model.Pattern(layer);
        int block = pattern.BlockTokens, row = (length - 1) / block,
            group = pattern.PatternHeads / pattern.KeyValueHeads;
        long tokens = 0;
        for (int head = 0; head < pattern.KeyValueHeads; head++)
            for (int key = 0; key <= row; key++)
                if (Enumerable.Range(head * group, group).Any(h => pattern.Keeps(h, row, key)))
                    tokens += Math.Min(block, length - key * block);
        return tokens;
    }

    private static void Step(PackedStep step, params ReadOnlySpan<(int Sequence, int[] Tokens)> parts)
    {
        step.Begin();
        foreach (var (sequence, tokens) in parts)
            step.Add(sequence, tokens, logits: 1);
        step.Run();
    }

    private TransformerModel Model(IEngine engine) => TinyModels.Create(engine, s_config, _random);

    private TransformerModel ShortModel(IEngine engine) => new(engine, s_config, (ulong)_random.Next(),
        ElementType.BFloat16, ElementType.BFloat16);
}
