using S2ILGPU.Autograd;
using S2ILGPU.Cpu;
using S2ILGPU.Engines;
using S2ILGPU.Inference;
using S2ILGPU.Layouts;
using S2ILGPU.Models;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Models;

/// <summary>Dense models whose prompts are read with blocks chosen at run time: 4 heads on 2, blocks of 16.</summary>
public sealed class SampleAttentionTests : IDisposable
{
    private const int Vocabulary = 11, Block = 16, Heads = 4, HeadDim = 8;
    private static readonly TransformerConfig s_dense =
        TinyModels.Config(TinyModels.Dense, TinyModels.Dense) with { ContextTokens = 640 };
    private readonly Random _random = Seeds.NewRandom();
    private readonly CpuEngine _engine = new(new CpuOptions(Threads: 2));

    public void Dispose() => _engine.Dispose();

    [Theory]
    [InlineData("sample:columns=0.5,slashes=0.3,audit=20", 400, 400)]
    [InlineData("sample:alpha=0.4,chunks=3", 500, 413)]
    [InlineData("sample:alpha=0.6", 270, 64)]
    [InlineData("sample:alpha=0.5,window=7,rows=9,audit=20", 330, 300)]
    public void Attention_is_exact_over_the_blocks_that_the_sums_choose(string text, int keys, int queries)
    {
        using var model = new TransformerModel(_engine, s_dense);
        var options = SampleAttentionOptions.Parse(text);
        var attention = new SampleAttention(model, options);
        double[] query = Rounded(queries * Heads * HeadDim, 3), key = Rounded(keys * 2 * HeadDim, 1),
            value = Rounded(keys * 2 * HeadDim, 1);
        using var engine = new ReferenceEngine();
        float scale = (float)(1 / Math.Sqrt(HeadDim));
        var dense = Arguments(_engine, query, key, value, scale);
        attention.Forward(_engine, layer: 1, dense);

        var reference = new ReferenceSampleAttention(query, key, Heads, 2, HeadDim, scale, Block);
        int[] rows = SampleSelection.Rows(options, keys - queries, queries, Block);
        // The choice repeats from the engine's own sums: rounding may decide at its edge.
        using var lse = _engine.Zeros(Heads, rows.Length);
        using var columns = _engine.Zeros(Heads, reference.Blocks);
        using var slashes = _engine.Zeros(Heads, reference.Blocks);
        _engine.SampleRows(new AttentionSampleArguments(dense.Query, dense.Key, dense.Sequences, 0, rows, Block, scale,
            null, lse, columns, slashes));
        bool[,,] kept = reference.Choose([.. _engine.ToArray(columns)], [.. _engine.ToArray(slashes)],
            options.ColumnAlpha, options.SlashAlpha, options.WindowPercent);
        Assert.Contains(kept.Cast<bool>(), keeps => !keeps);
        var exact = Arguments(engine, query, key, value, scale, kept);
        engine.AttentionForward(exact);
        MaximumError.AssertWithin(Tolerance.Forward(ElementType.Float32).Times(3), text, exact.Output.Shape,
            ReferenceEngine.Values(exact.Output), [.. _engine.ToArray(dense.Output).Select(x => (double)x)]);
        CheckFigures(attention.Figures, options, reference, rows, kept, keys, queries);
    }

    [Fact]
    public void A_share_of_1_gives_the_bits_of_dense_attention()
    {
        int[] tokens = TinyModels.Tokens(_random, 600, Vocabulary);
        foreach (int chunk in (int[])[4096, 100, 256])
        {
            float[] dense = Logits(null, tokens, chunk), all = Logits("sample:alpha=1", tokens, chunk);
            Assert.Equal(dense, all);
            Assert.NotEqual(dense, Logits("sample:alpha=0.3", tokens, chunk));
        }
    }

    [Fact]
    public void Short_passes_and_decoding_are_dense()
    {
        using var model = Create("sample:alpha=0.3");
        using var decoder = new TransformerDecoder(model, new KeyValueCacheOptions { ChunkTokens = 300 });
        var logits = new float[Vocabulary];
        decoder.Append(TinyModels.Tokens(_random, 255, Vocabulary), logits);    // below 16 blocks
        Assert.Equal(0, model.SampleFigures.Selections);
        decoder.Append(TinyModels.Tokens(_random, 63, Vocabulary), logits);     // below 4 blocks of queries
        Assert.Equal(0, model.SampleFigures.Selections);
        decoder.Append(TinyModels.Tokens(_random, 64, Vocabulary), logits);
        Assert.Equal(2, model.SampleFigures.Selections);                        // one in each layer
        for (int n = 0; n < 20; n++)
            decoder.Append([3], logits);
        Assert.Equal(2, model.SampleFigures.Selections);
        Assert.Equal(2 * 2 * 26, decoder.Cache.UsedPages);                      // the whole cache stays
    }

    [Fact]
    public void Neighbours_and_threads_change_no_bit()
    {
        int[] first = TinyModels.Tokens(_random, 500, Vocabulary), second = TinyModels.Tokens(_random, 300, Vocabulary);
        float[] alone = Logits("sample:alpha=0.4", first, 200);
        using var single = new CpuEngine(new CpuOptions(Threads: 1));
        using var model = Create("sample:alpha=0.4", single);
        using var decoder = new TransformerDecoder(model,
            new KeyValueCacheOptions { Sequences = 2, ChunkTokens = 200 });
        var logits = new float[2 * Vocabulary];
        decoder.Append([.. second, .. new int[200], .. first], [300, 500], logits);
        Assert.Equal(alone, logits[Vocabulary..]);
    }

    [Fact]
    public void The_mean_of_the_sampled_rows_reaches_the_larger_share()
    {
        int[] tokens = TinyModels.Tokens(_random, 600, Vocabulary);
        foreach (double share in (double[])[0.3, 0.6, 0.9])
        {
            using var model = Create($"sample:columns=0.2,slashes={share}");
            using var tape = new Tape(_engine, recording: false);
            model.Forward(tape, tokens, batch: 1);
            var figures = model.SampleFigures;
            Assert.InRange(figures.Sample.Mean, share - 1e-5, 1);
            Assert.InRange(figures.Sample.Least, 0, figures.Sample.Mean);
            Assert.InRange(figures.Audit.Least, 0, figures.Audit.Mean);
            Assert.Equal(2 * Heads * 8, figures.Audit.Rows);
            Assert.Equal(new CertificateCounts(1, figures.Audit.Mean >= share ? 1 : 0,
                figures.Audit.Least >= share ? 1 : 0), figures.Passes);
            Assert.Equal((2, Heads), (figures.KeptFractions.Count, figures.KeptFractions[0].Count));
            Assert.InRange(figures.KeptFraction, 0.01, 0.99);
        }
    }

    [Fact]
    public void Certificates_count_by_mean_and_by_least()
    {
        var counts = default(CertificateCounts).With(KeptProbability.None, 0.9);
        Assert.Equal(default, counts);                                          // no row was audited
        foreach (double[] rows in (double[][])[[0.9, 0.95], [0.5, 1], [0.8, 1], [double.NaN, 1]])
            counts = counts.With(rows.Aggregate(KeptProbability.None, (sum, kept) => sum.With(kept)), 0.9);
        Assert.Equal(new CertificateCounts(4, 2, 1), counts);
    }

    [Fact]
    public void What_cannot_be_sampled_is_refused_by_name()
    {
        var options = new SampleAttentionOptions();
        using var sparse = new TransformerModel(_engine, TinyModels.Config(TinyModels.Dense, TinyModels.Sparse));
        Refused<ArgumentException>("has layers of local_stride", () => sparse.SampleAttention = options);
        using var other = new BrokenEngine(nameof(IEngine.Gelu), BrokenEngine.Nudge);
        using var elsewhere = new TransformerModel(other, s_dense);
        Refused<ArgumentException>($"{other.Name} does not compute sampled attention",
            () => elsewhere.SampleAttention = options);
        using var model = new TransformerModel(_engine, s_dense);
        Refused<ArgumentException>("chunks must be at least 1, got 0",
            () => model.SampleAttention = options with { Chunks = 0 });
        Assert.Null(model.SampleAttention);
        model.SampleAttention = options;
        using var tape = new Tape(_engine);
        Refused<InvalidOperationException>("sampled attention has no gradient",
            () => model.Loss(tape, [1, 2, 3], [2, 3, 4], batch: 1));
    }

    private static void Refused<TException>(string message, Action action) where TException : Exception =>
        Assert.Contains(message, Assert.Throws<TException>(action).Message);

    private void CheckFigures(SampleAttentionFigures figures, SampleAttentionOptions options,
        ReferenceSampleAttention reference, int[] rows, bool[,,] kept, int keys, int queries)
    {
        var random = new RandomSource(options.Seed, "audit");
        int[] drawn = [.. Enumerable.Range(0, options.AuditRows)
            .Select(_ => keys - queries + random.NextInteger(queries))];
        Check("audit", figures.Audit, drawn);
        Check("sample", figures.Sample, rows);
        Assert.Equal(1, figures.Selections);
        int first = (keys - queries) / Block;
        for (int head = 0; head < Heads; head++)
        {
            int count = 0, all = 0;
            for (int i = first; i < reference.Blocks; i++)
                for (int j = 0; j <= i; j++, all++)
                    count += kept[head, i, j] ? 1 : 0;
            Assert.Equal((double)count / all, figures.KeptFractions[1][head], 12);
        }

        void Check(string what, KeptProbability actual, int[] positions)
        {
            double[] expected = [.. from head in Enumerable.Range(0, Heads)
                from position in positions
                select reference.Kept(head, position, kept)];
            Assert.Equal(expected.Length, actual.Rows);
            MaximumError.AssertWithin(new Tolerance(2e-5), what, new Shape(2), [expected.Average(), expected.Min()],
                [actual.Mean, actual.Least]);
        }
    }

    private double[] Rounded(int count, double scale) =>
        [.. _random.Normal(count, scale).Select(x => (double)(float)x)];

    private static AttentionForwardArguments Arguments(IEngine engine, double[] query, double[] key, double[] value,
        float scale, bool[,,]? kept = null)
    {
        int queries = query.Length / (Heads * HeadDim), keys = key.Length / (2 * HeadDim);
        AttentionPattern pattern = kept is null ? new DensePattern(Heads, 2, Block)
            : new CustomPattern(kept, Heads, 2, Block);
        return new AttentionForwardArguments(Of(query, Heads), Of(key, 2), Of(value, 2),
            engine.Allocate(new Shape(1, queries, Heads, HeadDim), engine.FloatType), null,
            BlockLayout.Create(pattern, keys), new SequenceBatch(new Sequence(0, 0, queries, 0, keys)), scale);

        Tensor Of(double[] values, int heads) => engine.FromArray([.. values.Select(x => (float)x)],
            1, values.Length / (heads * HeadDim), heads, HeadDim);
    }

    private TransformerModel Create(string? sample, CpuEngine? engine = null)
    {
        var model = TinyModels.Create(engine ?? _engine, s_dense, Seeds.NewRandom());
        model.SampleAttention = sample is null ? null : SampleAttentionOptions.Parse(sample);
        return model;
    }

    private float[] Logits(string? sample, int[] tokens, int chunk)
    {
        using var model = Create(sample);
        using var decoder = new TransformerDecoder(model, new KeyValueCacheOptions { ChunkTokens = chunk });
        var logits = new float[Vocabulary];
        decoder.Append(tokens, logits);
        return logits;
    }
}
