using S2ILGPU.Autograd;
using S2ILGPU.Cpu;
using S2ILGPU.Engines;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Ops;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Models;

/// <summary>Dynamic scaling is a larger base of the angles, chosen by what a sequence has or may grow to: models with
/// that base and without scaling give the same.</summary>
public sealed class DynamicScalingTests : IDisposable
{
    private const int Original = 40, Context = 120;
    private const double Factor = 3;

    private static readonly TransformerConfig s_plain =
        TinyModels.Config(TinyModels.Dense, TinyModels.Sparse) with { ContextTokens = Context };

    private readonly CpuEngine _engine = new();
    private readonly int _seed = Seeds.NewRandom().Next();

    public void Dispose() => _engine.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(Original)]
    [InlineData(Original + 1)]
    [InlineData(100)]
    [InlineData(Context)]
    public void Whole_sequences_turn_by_their_length(int tokens)
    {
        int[] text = Text(tokens);
        AssertSame($"{tokens} tokens", Logits(Plain(tokens), text), Logits(Dynamic(Factor), text));
    }

    [Fact]
    public void A_batch_has_the_angles_of_each_of_its_sequences()
    {
        int[] counts = [100, 7, 71, Original, 100, Context], text = Text(counts.Sum());
        int vocabulary = s_plain.VocabularySize, start = 0;
        float[] together = Logits(Dynamic(Factor), text, SequenceBatch.Packed(counts, counts));
        foreach (int count in counts)
        {
            AssertSame($"{count} tokens from {start}", Logits(Plain(count), text[start..(start + count)]),
                together[(start * vocabulary)..((start + count) * vocabulary)]);
            start += count;
        }
    }

    // 5 tokens of sequences that may grow to more.
    [Theory]
    [InlineData(Original, Original)]
    [InlineData(Original + 1, Original + 1)]
    [InlineData(90, 90)]
    [InlineData(Context, Context)]
    [InlineData(null, Context)]
    public void A_cache_turns_by_what_its_sequences_may_grow_to(int? most, int length)
    {
        int[] text = Text(5);
        using var model = Dynamic(Factor);
        using var decoder = new TransformerDecoder(model, new KeyValueCacheOptions { MaxTokens = most });
        var logits = new float[text.Length * s_plain.VocabularySize];
        for (int t = 0; t < text.Length; t++)
            decoder.Append(text.AsSpan(t, 1), logits.AsSpan(t * s_plain.VocabularySize, s_plain.VocabularySize));
        AssertSame($"at most {most}", Logits(Plain(length), text), logits);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Gradients_are_those_of_the_larger_base(bool recompute)
    {
        int[] text = Text(91);
        float[][] expected = Gradients(Plain(90), text, recompute),
            actual = Gradients(Dynamic(Factor), text, recompute);
        for (int p = 0; p < expected.Length; p++)
            AssertSame($"gradient {p}", expected[p], actual[p]);
    }

    [Fact]
    public void The_factor_counts_beyond_the_original_context_alone()
    {
        int[] text = Text(Original + 1);
        Assert.Equal(Logits(Dynamic(2), text[1..]), Logits(Dynamic(4), text[1..]));
        Assert.NotEqual(Logits(Dynamic(2), text), Logits(Dynamic(4), text));
    }

    // A head of which two numbers turn has angles that no base changes.
    [Fact]
    public void A_single_pair_turns_as_without_scaling()
    {
        using RotaryTable plain = new(_engine, 50, 2, 100), table = new(_engine, 50, 2, 100, new DynamicScaling(2, 10));
        float[] expected = Values(plain.Cosine), actual = Values(table.Cosine);
        Assert.Equal(expected, actual[table.FirstRow(50)..]);
    }

    private TransformerModel Plain(int length)
    {
        double growth = Factor * Math.Max(length, Original) / Original - (Factor - 1), dim = s_plain.HeadDim;
        return Create(s_plain with { RopeTheta = s_plain.RopeTheta * Math.Pow(growth, dim / (dim - 2)) });
    }

    private TransformerModel Dynamic(double factor) =>
        Create(s_plain with { RopeScaling = new DynamicScaling(factor, Original) });

    private TransformerModel Create(TransformerConfig config) =>
        TinyModels.Create(_engine, config, new Random(_seed));

    private int[] Text(int tokens) => TinyModels.Tokens(new Random(_seed + 1), tokens, s_plain.VocabularySize);

    // Of a model that is disposed.
    private float[] Logits(TransformerModel model, int[] text, SequenceBatch? sequences = null)
    {
        using (model)
        {
            using var tape = new Tape(_engine, recording: false);
            return Values(model.Forward(tape, text, 1, sequences).Value);
        }
    }

    private float[][] Gradients(TransformerModel model, int[] text, bool recompute)
    {
        using (model)
        {
            using var tape = new Tape(_engine, recording: true, recompute: recompute);
            tape.Backward(model.Loss(tape, text[..^1], text[1..], 1));
            return [.. model.Parameters.Select(p => Values(p.Gradient!))];
        }
    }

    private float[] Values(Tensor tensor)
    {
        var values = new float[tensor.Count];
        _engine.Download(tensor, values);
        return values;
    }

    private static void AssertSame(string what, float[] expected, float[] actual) =>
        MaximumError.AssertWithin(new Tolerance(1e-5, true), $"{what}; {Seeds.Text}", new Shape(expected.Length),
            [.. expected.Select(x => (double)x)], [.. actual.Select(x => (double)x)]);
}
