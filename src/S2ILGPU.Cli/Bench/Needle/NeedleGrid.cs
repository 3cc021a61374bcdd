using System.Numerics.Tensors;
using S2ILGPU.Inference;
using S2ILGPU.Models;

namespace S2ILGPU.Cli.Bench.Needle;

/// <summary>How often a model found needles, by length and depth.</summary>
/// <param name="Lengths">Tokens of the texts, ascending.</param>
/// <param name="Found">[length, depth], needles found.</param>
/// <param name="Trials">[length], needles asked for at each depth.</param>
internal sealed record NeedleGrid(IReadOnlyList<int> Lengths, int[,] Found, IReadOnlyList<int> Trials)
{
    /// <summary>Depths of a text, from its beginning to its end.</summary>
    public const int Depths = 11;

    private const double Confidence = 0.95;

    /// <summary>The fraction found at one depth.</summary>
    public double At(int length, int depth) => Found[length, depth] / (double)Trials[length];

    /// <summary>Needles found and asked for at one length.</summary>
    public (int Found, int Trials) Of(int length) =>
        (Enumerable.Range(0, Depths).Sum(depth => Found[length, depth]), Trials[length] * Depths);

    /// <summary>Asks a model for every needle of every text. A text is read once; each question continues a fork of
    /// it.</summary>
    /// <param name="model">The model; not disposed.</param>
    /// <param name="settings">Sizes.</param>
    /// <param name="progress">Gets a line for each length.</param>
    /// <param name="cancellation">Ends it between two texts.</param>
    public static NeedleGrid Measure(TransformerModel model, NeedleSettings settings, Action<string> progress,
        CancellationToken cancellation)
    {
        var task = new NeedleTask(settings.Seed + 1);
        int[] trials = [.. settings.Lengths.Select((_, i) =>
            i == settings.Lengths.Count - 1 ? settings.LongestHaystacks : settings.Haystacks)];
        var grid = new NeedleGrid(settings.Lengths, new int[trials.Length, Depths], trials);
        using var decoder = new TransformerDecoder(model, new KeyValueCacheOptions { Sequences = 2 });
        float[] logits = new float[2 * model.Config.VocabularySize];
        for (int length = 0; length < trials.Length; length++)
        {
            int questionTokens = NeedleTask.Question(0).Length;
            for (int trial = 0; trial < trials[length]; trial++)
            {
                cancellation.ThrowIfCancellationRequested();
                var (text, needles) = task.Haystack(settings.Lengths[length] - questionTokens, Depths);
                decoder.Clear(0);
                decoder.Append([.. text, .. text], [text.Length, 0], logits);
                for (int depth = 0; depth < Depths; depth++)
                {
                    decoder.Clear(1);
                    decoder.Cache.Fork(0, 1);
                    int[] question = NeedleTask.Question(needles[depth].Key);
                    decoder.Append([.. question, .. question], [0, question.Length], logits);
                    int answer = TensorPrimitives.IndexOfMax(logits.AsSpan(logits.Length / 2));
                    grid.Found[length, depth] += answer == needles[depth].Value ? 1 : 0;
                }
            }
            var (found, of) = grid.Of(length);
            progress($"{settings.Lengths[length]:#,0} tokens: {found} of {of} found");
        }
        return grid;
    }

    /// <summary>The lower bound of the probability of a success at 95 % confidence: exact and one-sided, by Clopper and
    /// Pearson.</summary>
    /// <param name="found">Successes.</param>
    /// <param name="trials">Trials.</param>
    public static double LowerBound(int found, int trials)
    {
        double low = 0, high = found / (double)trials;
        for (int halving = 0; halving < 60; halving++)
        {
            double middle = (low + high) / 2;
            (low, high) = AtLeast(found, trials, middle) < 1 - Confidence ? (middle, high) : (low, middle);
        }
        return found == 0 ? 0 : low;
    }

    // The probability of so many successes or more.
    private static double AtLeast(int found, int trials, double probability)
    {
        double sum = 0, logOfChoices = 0; // ln of the binomial coefficient of trials over k
        for (int k = trials; k >= found; k--)
        {
            sum += Math.Exp(logOfChoices + k * Math.Log(probability) + (trials - k) * Math.Log(1 - probability));
            logOfChoices += Math.Log(k) - Math.Log(trials - k + 1);
        }
        return sum;
    }
}
