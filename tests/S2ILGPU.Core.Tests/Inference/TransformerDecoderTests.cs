using S2ILGPU.Autograd;
using S2ILGPU.Core.Tests.Models;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Inference;

public sealed class TransformerDecoderTests
{
    private static readonly Tolerance Within = new(1e-5, true); // logits come back in single precision
    private readonly Random _random = Seeds.NewRandom();
    private readonly ReferenceEngine _engine = new();

    public static TheoryData<string> Plans => ["dense", "s2", "query", "window", "hybrid", "two ranges"];

    [Theory]
    [MemberData(nameof(Plans))]
    public void Steps_of_any_size_give_the_logits_of_one_forward_pass(string plan)
    {
        using var model = TinyModels.Create(_engine, Config(plan), _random);
        int[] tokens = TinyModels.Tokens(_random, 90, 11);
        double[] expected = Forward(model, tokens);
        foreach (int prompt in (int[])[1, 16, 33, 64, 90])
        {
            using var decoder = new TransformerDecoder(model,
                new KeyValueCacheOptions { ChunkTokens = _random.Pick(7, 16, 40, 4096) });
            var logits = new float[11];
            decoder.Append(tokens.AsSpan(0, prompt), logits);
            Check($"{plan}, prompt {prompt}", expected, prompt - 1, logits);
            for (int at = prompt; at < tokens.Length;)
            {
                int step = Math.Min(_random.Pick(1, 1, 1, 2, 17), tokens.Length - at);
                decoder.Append(tokens.AsSpan(at, step), logits);
                at += step;
                Check($"{plan}, prompt {prompt}, step of {step} to {at}", expected, at - 1, logits);
            }
            Assert.Equal(90, decoder.Cache.Length(0));
        }
    }

    [Fact]
    public void Sequences_of_different_lengths_run_side_by_side()
    {
        using var model = TinyModels.Create(_engine, Config("hybrid"), _random);
        int[][] texts = [.. new[] { 70, 23, 41 }.Select(n => TinyModels.Tokens(_random, n, 11))];
        double[][] expected = [.. texts.Select(t => Forward(model, t))];
        using var decoder = new TransformerDecoder(model, new KeyValueCacheOptions { Sequences = 3, ChunkTokens = 12 });
        int[] at = [0, 0, 0];
        var logits = new float[3 * 11];
        while (Enumerable.Range(0, 3).Any(s => at[s] < texts[s].Length))
        {
            int width = _random.Next(1, 30);
            int[] counts = [.. Enumerable.Range(0, 3)
                .Select(s => Math.Min(_random.Next(0, width + 1), texts[s].Length - at[s]))],
                tokens = new int[3 * width];
            Array.Fill(tokens, -7); // padding is not read
            for (int s = 0; s < 3; s++)
                texts[s].AsSpan(at[s], counts[s]).CopyTo(tokens.AsSpan(s * width));
            Array.Fill(logits, 77);
            decoder.Append(tokens, counts, logits);
            for (int s = 0; s < 3; s++)
            {
                at[s] += counts[s];
                if (counts[s] > 0)
                    Check($"sequence {s} at {at[s]}", expected[s], at[s] - 1, logits.AsSpan(s * 11, 11));
                else
                    Assert.All(logits[(s * 11)..(s * 11 + 11)], value => Assert.Equal(77, value));
            }
        }
    }

    [Fact]
    public void Dead_pages_are_freed_per_head_and_used_again()
    {
        // One KV head's stripes lie at even blocks, the other's at odd ones; windows of one block.
        using var model = TinyModels.Create(_engine, Config("s2"), _random);
        using var decoder = new TransformerDecoder(model);
        var logits = new float[11];
        decoder.Append(TinyModels.Tokens(_random, 129, 11), logits); // 8 full blocks and one token
        var pattern = model.Pattern(0);
        int live = 0;
        for (int head = 0; head < 2; head++)
            for (int block = 0; block < 9; block++)
                if (block == 8 || pattern.Keeps(head, 8, block))
                    live++;
        Assert.Equal(2 * live, decoder.Cache.UsedPages); // two layers
        Assert.True(decoder.Cache.UsedPages < 2 * 2 * 9 * 0.7);
        Assert.Equal(decoder.Cache.UsedPages, decoder.Cache.PeakPages); // the dead part of a prompt never had pages
        Assert.Equal(decoder.Cache.UsedPages * 2 * 16 * 8 * sizeof(double), decoder.Cache.UsedBytes);
        long reserved = decoder.Cache.ReservedBytes;
        for (int i = 0; i < 31; i++)
            decoder.Append([3], logits);
        Assert.Equal(160, decoder.Cache.Length(0));
        Assert.InRange(decoder.Cache.UsedPages, 2 * live - 4, 2 * live + 4);
        Assert.Equal(reserved, decoder.Cache.ReservedBytes);
        decoder.Clear(0);
        Assert.Equal(0, decoder.Cache.UsedPages);
        Assert.Equal(0, decoder.Cache.Length(0));
    }

    [Fact]
    public void A_cleared_sequence_starts_anew()
    {
        using var model = TinyModels.Create(_engine, Config("hybrid"), _random);
        using var decoder = new TransformerDecoder(model, new KeyValueCacheOptions { Sequences = 2 });
        int[] first = TinyModels.Tokens(_random, 40, 11), second = TinyModels.Tokens(_random, 40, 11);
        var logits = new float[22];
        decoder.Append([.. first, .. second], [40, 40], logits);
        Check("second", Forward(model, second), 39, logits.AsSpan(11));
        decoder.Append([1, 2], [1, 1], logits);
        decoder.Clear(0);
        // one sequence starts, the other one goes on
        decoder.Append([.. second[..35], .. first[..35]], [35, 1], logits);
        Check("first again", Forward(model, second), 34, logits.AsSpan(0, 11));
        Check("second goes on", Forward(model, [.. second, 2, first[0]]), 41, logits.AsSpan(11));
    }

    [Fact]
    public void Memory_is_bounded()
    {
        using var model = TinyModels.Create(_engine, Config("dense"), _random);
        long page = 2 * 16 * 8 * sizeof(double);
        // 2 layers, 2 heads, 3 blocks
        using var decoder = new TransformerDecoder(model, new KeyValueCacheOptions { MaxBytes = 2 * 2 * 3 * page });
        var logits = new float[11];
        decoder.Append(TinyModels.Tokens(_random, 48, 11), logits);
        string message = Assert.Throws<InvalidOperationException>(() => decoder.Append([1], logits)).Message;
        Assert.Contains($"{2 * 2 * 4 * page} bytes, {2 * 2 * 3 * page} are allowed", message);
        Assert.Equal(48, decoder.Cache.Length(0));
        decoder.Clear(0);
        decoder.Append([1], logits);
    }

    [Fact]
    public void A_half_precision_cache_is_a_quarter_and_stays_close()
    {
        using var model = TinyModels.Create(_engine, Config("hybrid"), _random);
        int[] tokens = TinyModels.Tokens(_random, 70, 11);
        using TransformerDecoder full = new(model),
            half = new(model, new KeyValueCacheOptions { ElementType = ElementType.BFloat16 });
        float[] expected = new float[11], actual = new float[11];
        foreach (var decoder in (TransformerDecoder[])[full, half])
            decoder.Append(tokens.AsSpan(0, 50), decoder == full ? expected : actual);
        Assert.NotEqual(expected, actual); // a prompt attends to rounded keys, in whatever chunks it comes
        foreach (int token in tokens.AsSpan(50))
        {
            full.Append([token], expected);
            half.Append([token], actual);
        }
        MaximumError.AssertWithin(new Tolerance(0.25, true), "logits", new Shape(11),
            [.. expected.Select(x => (double)x)], [.. actual.Select(x => (double)x)]);
        Assert.NotEqual(expected, actual);
        Assert.Equal(full.Cache.UsedBytes, 4 * half.Cache.UsedBytes);
    }

    /// <summary>Rows of 8 bytes and a scale, where full precision has 8 doubles.</summary>
    [Fact]
    public void An_int8_cache_stays_close_and_counts_its_scales()
    {
        using var model = TinyModels.Create(_engine, Config("hybrid"), _random);
        int[] tokens = TinyModels.Tokens(_random, 70, 11);
        using TransformerDecoder full = new(model),
            small = new(model, new KeyValueCacheOptions { ElementType = ElementType.Int8 });
        float[] expected = new float[11], actual = new float[11];
        double squares = 0, errors = 0;
        foreach (int token in tokens)
        {
            full.Append([token], expected);
            small.Append([token], actual);
            squares += expected.Sum(x => (double)x * x);
            errors += expected.Zip(actual, (x, y) => ((double)x - y) * ((double)x - y)).Sum();
        }
        Assert.InRange(Math.Sqrt(errors / squares), 1e-9, 0.2);
        Assert.Equal(full.Cache.UsedBytes / (8 * sizeof(double)), small.Cache.UsedBytes / (8 + sizeof(float)));
    }

    [Fact]
    public void Everything_is_released()
    {
        using var model = TinyModels.Create(_engine, Config("hybrid"), _random);
        long before = _engine.UsedBytes;
        using (var decoder = new TransformerDecoder(model))
            decoder.Append(TinyModels.Tokens(_random, 60, 11), new float[11]);
        Assert.Equal(before, _engine.UsedBytes);
    }

    [Fact]
    public void Bad_input_is_named_and_changes_nothing()
    {
        using var model = TinyModels.Create(_engine, Config("s2"), _random);
        using var decoder = new TransformerDecoder(model, new KeyValueCacheOptions { Sequences = 2, MaxTokens = 20 });
        var logits = new float[22];
        void Refused(string part, Action action) =>
            Assert.Contains(part, Assert.Throws<ArgumentException>(action).Message);
        Refused("do not make rows for 2 sequences", () => decoder.Append([1], logits));
        Refused("do not make rows for 2 sequences", () => decoder.Append([1, 2, 3], [1, 1], logits));
        Refused("2 rows of 11", () => decoder.Append([1, 2], [1, 1], logits.AsSpan(1)));
        Refused("sequence 1 cannot get 2 of 1", () => decoder.Append([1, 2], [1, 2], logits));
        Refused("token 0 is 11", () => decoder.Append([1, 11], [1, 1], logits));
        Refused("0 of at most 20 tokens, 21 more", () => decoder.Append(new int[42], [1, 21], logits));
        Refused("context of 160", () => new TransformerDecoder(model, new KeyValueCacheOptions { MaxTokens = 161 }));
        Refused("Sequences", () => new TransformerDecoder(model, new KeyValueCacheOptions { Sequences = 0 }));
        Assert.Equal(0, decoder.Cache.Length(0) + decoder.Cache.Length(1));
    }

    private static TransformerConfig Config(string plan) => plan switch
    {
        "dense" => TinyModels.Config(TinyModels.Dense, TinyModels.Dense),
        "s2" => TinyModels.Config(TinyModels.Sparse, TinyModels.Sparse),
        "query" => TinyModels.Config(TinyModels.ByQueryHead, TinyModels.Sparse),
        "window" => TinyModels.Config(TinyModels.Window),
        "two ranges" =>
            TinyModels.Config(new TwoRangeAttention { BlockTokens = 16, LocalBlocks = 1, NearBlocks = 2, NearStride = 2,
            FarStride = 3 }),
        _ => TinyModels.Config(TinyModels.Dense, TinyModels.Sparse, TinyModels.ByQueryHead),
    };

    private static double[] Forward(TransformerModel model, int[] tokens)
    {
        using var tape = new Tape(model.Engine, recording: false);
        return ReferenceEngine.Values(model.Forward(tape, tokens, 1).Value);
    }

    private static void Check(string what, double[] expected, int row, ReadOnlySpan<float> logits)
    {
        var actual = new double[11];
        for (int i = 0; i < 11; i++)
            actual[i] = logits[i];
        MaximumError.AssertWithin(Within, what, new Shape(11), expected.AsSpan(row * 11, 11), actual);
    }
}
