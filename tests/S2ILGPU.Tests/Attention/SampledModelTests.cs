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

namespace S2ILGPU.Tests.Attention;

/// <summary>Sampled attention on the emulated device, in a model and by itself.</summary>
public sealed class SampledModelTests
{
    private const int Tokens = 330;

    private static readonly TransformerConfig s_config = new()
    {
        VocabularySize = 11,
        Dim = 16,
        Layers = 2,
        QueryHeads = 2,
        KeyValueHeads = 1,
        HeadDim = 8,
        FeedForwardDim = 16,
        ContextTokens = 512,
        Attention = new AttentionPlan(new DenseAttention { BlockTokens = 16 }),
    };

    // One seed: rounding may decide at the edge of a share, and another block changes what follows.
    [Fact]
    public void A_model_gives_what_it_gives_on_the_CPU()
    {
        TestScale.SkipUnlessDrawn(6);
        var random = new Random(5);
        int[] tokens = [.. Enumerable.Range(0, Tokens).Select(_ => random.Next(s_config.VocabularySize))];
        using var cpu = new CpuEngine(new CpuOptions(Threads: 1));
        using var device = Emulated.Create();
        var (expected, expectedFigures) = Run(cpu, tokens);
        var (actual, figures) = Run(device, tokens);
        MaximumError.AssertWithin(new Tolerance(1e-4), "logits", new Shape(expected.Length), expected, actual);
        // Of the whole context, and of the second chunk: one in each layer.
        Assert.Equal(4, figures.Selections);
        Assert.Equal(expectedFigures.Audit.Rows, figures.Audit.Rows);
        Assert.InRange(figures.KeptFraction, 0.1, 0.9);
        MaximumError.AssertWithin(new Tolerance(1e-3), "figures", new Shape(5), Numbers(expectedFigures),
            Numbers(figures));
        Assert.True(figures.SelectionSeconds > 0 && figures.AttentionSeconds > 0 && figures.AuditSeconds > 0);
    }

    [Fact]
    public void Nothing_waits_and_the_layers_of_a_pass_share_their_plan()
    {
        TestScale.SkipUnlessDrawn(4);
        const int heads = 2, block = 64, blocks = 6;
        var random = Seeds.NewRandom();
        using var engine = (IlgpuEngine)Emulated.Create();
        using var query = Normal(heads);
        using var key = Normal(1);
        using var output = engine.Allocate(query.Shape, ElementType.Float32);
        using var lse = engine.Zeros(heads, 64);
        using var columns = engine.Zeros(heads, blocks);
        using var slashes = engine.Zeros(heads, blocks);
        using var kept = engine.Allocate(new Shape(2, heads, blocks), ElementType.Int32);
        using var counts = engine.Allocate(new Shape(heads), ElementType.Int32);
        var layout = BlockLayout.Create(new DensePattern(heads, 1, block), Tokens);
        long waits = engine.Queue.Waits;
        int plans = engine.PlansBuilt;
        for (int layer = 0; layer < 3; layer++)
        {
            var sequences = SequenceBatch.Uniform(1, Tokens, Tokens);
            engine.SampleRows(new AttentionSampleArguments(query, key, sequences, 0,
                [.. Enumerable.Range(Tokens - 64, 64)], block, 0.3f, null, lse, columns, slashes));
            engine.ChooseBlocks(new BlockChoiceArguments(columns, slashes, 0.7, 0.7, null, 0, kept, counts));
            engine.ChosenForward(new AttentionForwardArguments(query, key, key, output, null, layout, sequences, 0.3f),
                [kept]);
        }
        Assert.Equal(waits, engine.Queue.Waits);
        Assert.Equal(plans + 1, engine.PlansBuilt);
        Assert.All(engine.ToArray(output), x => Assert.True(float.IsFinite(x)));

        Tensor Normal(int of) => engine.FromArray([.. random.Normal(Tokens * of * 8).Select(x => (float)x)], 1, Tokens,
            of, 8);
    }

    private static double[] Numbers(SampleAttentionFigures figures) => [figures.KeptFraction, figures.Audit.Mean,
        figures.Audit.Least, figures.Sample.Mean, figures.Sample.Least];

    private static (double[] Logits, SampleAttentionFigures Figures) Run(IEngine engine, int[] tokens)
    {
        using var model = new TransformerModel(engine, s_config, seed: 3);
        model.SampleAttention = SampleAttentionOptions.Parse("sample:alpha=0.4");
        using var tape = new Tape(engine, recording: false);
        float[] whole = engine.ToArray(model.Forward(tape, tokens, batch: 1).Value);
        using var decoder = new TransformerDecoder(model, new KeyValueCacheOptions { ChunkTokens = 170 });
        float[] last = new float[s_config.VocabularySize];
        decoder.Append(tokens, last);
        return ([.. whole, .. last], model.SampleFigures);
    }
}
