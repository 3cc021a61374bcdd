using S2ILGPU.Inference;
using S2ILGPU.Models;

namespace S2ILGPU.Cli.Bench.Serving;

/// <summary>What one more row of a sequence costs in steps of few and of many sequences, beside the cost that <see
/// cref="Speculation"/> assumes for a proposed token.</summary>
/// <remarks>Steps in which every sequence has one token and steps in which it has <see cref="Rows"/> are timed in turn.
/// Each token gets its logits, of which the largest is drawn.</remarks>
/// <param name="model">A model; not disposed.</param>
/// <param name="rounds">How often each step is timed.</param>
internal sealed class RowCosts(PretrainedModel model, Rounds rounds)
{
    // Few enough that all tokens are in one block, so that they can be taken back.
    private const int Rows = 5, PromptTokens = 8;

    private static readonly int[] s_sequences = [1, 4, 16, 64];

    private readonly TokenSampler _sampler = new(new SamplingOptions { Temperature = 0 },
        model.Model.Config.VocabularySize);

    /// <summary>Measures.</summary>
    public FigureGroup Measure(CancellationToken cancellation) => new("work of a further token of a sequence in a step",
        [.. s_sequences.Select(sequences => Measure(sequences, cancellation))]);

    private Figure Measure(int sequences, CancellationToken cancellation)
    {
        using var cache = new KeyValueCache(model.Model, new KeyValueCacheOptions { Sequences = sequences });
        using var step = new PackedStep(model.Model, cache);
        int[] prompt = [.. Enumerable.Range(0, PromptTokens).Select(n => n % model.Model.Config.VocabularySize)];
        Run(PromptTokens);
        if (cache.MostProposed(0) < Rows - 1)
            return new Figure($"{sequences} sequences", null, null, "", null, "not measured: the blocks are too short");
        var times = Alternating.Time(rounds, Alternating.OfCalls with { Cancellation = cancellation },
            [() => RunAndTakeBack(1), () => RunAndTakeBack(Rows)]);
        var cost = times[0].With(times[1], (one, all) => (all / one - 1) / (Rows - 1));
        return new Figure($"{sequences} sequences", cost.Median, null, "of the first", cost.Spread,
            $"{Speculation.RowCost(sequences):0.00} is taken");

        void RunAndTakeBack(int tokens)
        {
            Run(tokens);
            for (int s = 0; s < sequences; s++)
                cache.TakeBack(s, PromptTokens);
        }

        void Run(int tokens)
        {
            step.Begin();
            for (int s = 0; s < sequences; s++)
                step.Add(s, prompt.AsSpan(0, tokens), logits: tokens);
            step.Run();
            for (int s = 0; s < sequences; s++)
                for (int n = 0; n < tokens; n++)
                    _ = _sampler.Next(step.Logits(s, n));
        }
    }
}
