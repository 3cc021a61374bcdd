using S2ILGPU.Inference;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Inference;

/// <summary>What each sampling option does, by exact values.</summary>
public sealed class SamplingTests
{
    // Probabilities 0.4, 0.3, 0.2, 0.1.
    private static readonly float[] s_logits = [.. new[] { 0.3, 0.1, 0.4, 0.2 }.Select(p => (float)Math.Log(p))];
    private static readonly SamplingOptions s_all = new() { Temperature = 1, TopK = 0, TopP = 1 };
    private static readonly SamplingOptions s_greedy = new() { Temperature = 0 };

    [Theory]
    [InlineData("all", 0.3, 0.1, 0.4, 0.2)]
    [InlineData("temperature 0.5", 9.0 / 30, 1.0 / 30, 16.0 / 30, 4.0 / 30)]
    [InlineData("top-k 2", 3.0 / 7, 0, 4.0 / 7, 0)]
    [InlineData("top-p 0.6", 3.0 / 7, 0, 4.0 / 7, 0)]
    [InlineData("min-p 0.45", 3.0 / 9, 0, 4.0 / 9, 2.0 / 9)]
    [InlineData("min-p 1", 0, 0, 1, 0)]
    [InlineData("bias", 0.3 / 2, 0.1 / 2, 0.4 / 2, 1.2 / 2)]
    public void Draws_have_the_probabilities_of_the_options(string name, double p0, double p1, double p2, double p3)
    {
        var options = name switch
        {
            "temperature 0.5" => s_all with { Temperature = 0.5f },
            "top-k 2" => s_all with { TopK = 2 },
            "top-p 0.6" => s_all with { TopP = 0.6f },
            "min-p 0.45" => s_all with { MinP = 0.45f },
            "min-p 1" => s_all with { MinP = 1 },
            "bias" => s_all with { LogitBias = new Dictionary<int, float> { [3] = MathF.Log(6) } },
            _ => s_all,
        };
        const int Draws = 20000;
        var sampler = new TokenSampler(options with { Seed = (ulong)Seeds.NewRandom().Next() }, 4);
        int[] counts = new int[4];
        for (int n = 0; n < Draws; n++)
            counts[sampler.Next(s_logits)]++;
        double[] expected = [p0, p1, p2, p3];
        for (int token = 0; token < 4; token++)
        {
            double deviation = Math.Sqrt(Draws * expected[token] * (1 - expected[token]));
            Assert.InRange(counts[token], Draws * expected[token] - 6 * deviation,
                Draws * expected[token] + 6 * deviation); // 2 in 10^9 by chance
        }
    }

    [Fact]
    public void Presence_is_subtracted_once_and_frequency_as_often_as_a_token_came()
    {
        var sampler = new TokenSampler(s_greedy with { PresencePenalty = 1, FrequencyPenalty = 0.5f }, 3);
        float[] logits = [2, 0.75f, 0.1f];
        // 2, then 0.5 behind 0.75, then -0.75 behind 0.5, then 0 behind 0.1
        Assert.Equal([0, 1, 0, 2], Enumerable.Range(0, 4).Select(_ => sampler.Next(logits)));
    }

    [Fact]
    public void Repetition_divides_what_is_positive_and_multiplies_what_is_negative_in_the_prompt_too()
    {
        var options = s_greedy with { RepetitionPenalty = 2 };
        TokenSampler fresh = new(options, 3), begun = new(options, 3);
        begun.Begin([0]);
        Assert.Equal(0, fresh.Next([3, 2, -5]));
        Assert.Equal(1, begun.Next([3, 2, -5]));                                  // 1.5, 2
        Assert.Equal(0, begun.Next([3, 2, -5]));                                  // 1.5, 1
        Assert.Equal(2, begun.Next([-3, -4, -5]));                                // -6, -8, -5
        var presence = new TokenSampler(s_greedy with { PresencePenalty = 2 }, 3);
        presence.Begin([0]);
        Assert.Equal(0, presence.Next([3, 2, -5]));                               // prompts count for repetition only
    }

    [Fact]
    public void The_same_seed_draws_the_same_tokens()
    {
        int[] Draw(ulong seed)
        {
            var sampler = new TokenSampler(s_all with { Seed = seed }, 4);
            return [.. Enumerable.Range(0, 40).Select(_ => sampler.Next(s_logits))];
        }
        Assert.Equal(Draw(7), Draw(7));
        Assert.NotEqual(Draw(7), Draw(8));
    }

    [Fact]
    public void Log_probabilities_are_those_of_the_logits()
    {
        var top = TokenLogProbability.Top(s_logits, 3);
        Assert.Equal([2, 0, 3], top.Select(t => t.Token));
        double[] expected = [0.4, 0.3, 0.2];
        for (int i = 0; i < 3; i++)
            Assert.Equal(Math.Log(expected[i]), top[i].LogProbability, 1e-6);
        Assert.Equal(Math.Log(0.1), TokenLogProbability.Of([-999, 1, 1 + MathF.Log(9)], 1).LogProbability, 1e-6);
        Assert.Equal(4, TokenLogProbability.Top(s_logits, 9).Length);
    }

    [Fact]
    public void Drawing_allocates_nothing()
    {
        var sampler = new TokenSampler(
            s_all with { RepetitionPenalty = 1.1f, FrequencyPenalty = 0.1f, MinP = 0.1f }, 4);
        Action draw = () => sampler.Next(s_logits);
        draw();
        Assert.Equal(0, Allocations.OfEveryRun(draw));
    }

    [Fact]
    public void Stop_strings_end_a_text_wherever_pieces_are_cut()
    {
        var random = Seeds.NewRandom();
        string[] stops = ["abc", "ca", "bbbb"];
        for (int n = 0; n < 300; n++)
        {
            string text = string.Concat(Enumerable.Range(0, random.Next(20)).Select(_ => (char)('a' + random.Next(3))));
            int end = stops.Select(s => text.IndexOf(s, StringComparison.Ordinal)).Where(at => at >= 0)
                .DefaultIfEmpty(text.Length).Min();
            var stop = new StopText(stops);
            string actual = "";
            for (int at = 0, next; at < text.Length && !stop.IsStopped; at = next)
            {
                next = Math.Min(text.Length, at + random.Next(1, 4));
                actual += stop.Append(text[at..next]);
            }
            actual += stop.Finish();
            // A piece may complete a later stop before an earlier one is complete: the text ends at the first complete.
            Assert.True(actual == text[..end] || (stop.IsStopped && text.StartsWith(actual, StringComparison.Ordinal)
                && stops.Any(s => text.AsSpan(actual.Length).StartsWith(s))), $"{text}: {actual}, not {text[..end]}");
            Assert.Equal(end < text.Length, stop.IsStopped);
        }
    }

    [Fact]
    public void Options_out_of_range_are_named()
    {
        string Refusal(SamplingOptions options) =>
            Assert.Throws<ArgumentException>(() => new TokenSampler(options, 4)).Message;
        Assert.Contains("min-p must be 0 to 1, got 2", Refusal(s_all with { MinP = 2 }));
        Assert.Contains("repetition penalty must be above 0, got 0", Refusal(s_all with { RepetitionPenalty = 0 }));
        Assert.Contains("presence penalty must be -2 to 2, got 3", Refusal(s_all with { PresencePenalty = 3 }));
        Assert.Contains("frequency penalty must be -2 to 2, got NaN",
            Refusal(s_all with { FrequencyPenalty = float.NaN }));
        Assert.Contains("got 101 for token 2",
            Refusal(s_all with { LogitBias = new Dictionary<int, float> { [2] = 101 } }));
        Assert.Contains("only 4 tokens", Refusal(s_all with { LogitBias = new Dictionary<int, float> { [4] = 1 } }));
    }
}
