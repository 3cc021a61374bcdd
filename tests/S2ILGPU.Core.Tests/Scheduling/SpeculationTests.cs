using S2ILGPU.Core.Tests.Models;
using S2ILGPU.Cpu;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Inference;
using S2ILGPU.Scheduling;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using S2ILGPU.Tokenizers;
using Xunit;

namespace S2ILGPU.Core.Tests.Scheduling;

/// <summary>Proposed tokens change what a step computes, and no text.</summary>
public sealed class SpeculationTests
{
    private static readonly BytePairTokenizer s_bytes = new BytePairTrainer().Build(257); // a token per byte

    private readonly Random _random = Seeds.NewRandom();

    [Fact]
    public void Tokens_that_are_computed_together_get_the_bits_of_one_after_the_other()
    {
        foreach (var simd in SimdWidths.Available)
            foreach (var type in (ElementType?[])[null, _random.Pick(ElementType.BFloat16, ElementType.Float16),
                ElementType.Int8])
                CheckBits(simd, type);
    }

    private void CheckBits(SimdWidth simd, ElementType? type)
    {
        using var engine = new CpuEngine(new CpuOptions(simd, _random.Next(1, 4)));
        var config = TinyModels.Config(TinyModels.Dense, TinyModels.Sparse, TinyModels.ByQueryHead,
            TinyModels.Window) with
        {
            VocabularySize = 61,
            HeadDim = _random.Pick(8, 16, 24, 32),
            QueryHeads = _random.Pick(2, 4, 8),
        };
        using var model = TinyModels.Create(engine, config, _random);
        using var cache = new KeyValueCache(model, new KeyValueCacheOptions { Sequences = 2, ElementType = type });
        using var step = new PackedStep(model, cache);
        int[] tokens = TinyModels.Tokens(_random, 150, 61);
        int length = _random.Next(1, 40);
        foreach (int sequence in (int[])[0, 1])
        {
            step.Begin();
            step.Add(sequence, tokens.AsSpan(0, length), 1);
            step.Run();
        }
        for (int together = 0; length < 120; length += together)
        {
            int most = cache.MostProposed(0);
            together = 1 + _random.Next(most + 1);
            int[] wrong = [.. tokens.AsSpan(length, together), .. TinyModels.Tokens(_random, 1 + most - together, 61)];
            step.Begin();
            step.Add(0, wrong, wrong.Length);
            step.Run();
            float[][] actual = [.. Enumerable.Range(0, together).Select(t => step.Logits(0, t).ToArray())];
            cache.TakeBack(0, length + together);
            for (int t = 0; t < together; t++)
            {
                step.Begin();
                step.Add(1, tokens.AsSpan(length + t, 1), 1);
                step.Run();
                Assert.True(step.Logits(0).SequenceEqual(actual[t]), $"{simd}, cache {type}, D {config.HeadDim}, "
                    + $"{config.QueryHeads} heads, token {t} of {together} and {1 + most} at {length}; {Seeds.Text}");
            }
            Assert.Equal(cache.Length(1), cache.Length(0));
            Assert.Equal(cache.Map(1).Count(PageState.Kept), cache.Map(0).Count(PageState.Kept));
        }
    }

    [Fact]
    public void A_text_that_repeats_itself_takes_fewer_steps_and_stays_the_same()
    {
        using var served = new ServedModel();
        using var scheduler = new Scheduler(served.Model, new SchedulerOptions
        {
            Sequences = 3, StepTokens = 80, ChunkTokens = ServedModel.ChunkTokens, Prefixes = 0, Speculate = 7,
        });
        var all = new List<(GenerationRequest, Received)>();
        for (int n = 0; n < 3; n++)
        {
            int token = served.Random.Next(61);
            var received = new Received();
            var request = new GenerationRequest
            {
                Prompt = served.Prompt(20 + n),
                MaxTokens = 100,
                // one token again and again
                Sampling = new SamplingOptions
                {
                    Temperature = n,
                    Seed = (ulong)served.Random.Next(),
                    LogitBias = Enumerable.Range(0, 61).Where(t => t != token).ToDictionary(t => t, _ => -100f),
                },
                OnToken = received.Take,
            };
            scheduler.Submit(request);
            all.Add((request, received));
        }
        while (scheduler.Step()) { }
        foreach (var (request, received) in all)
            Assert.Equal(served.Alone(request), received.Tokens());
        var counters = scheduler.Counters;
        Assert.Equal(300, counters.GeneratedTokens);
        Assert.InRange(counters.Steps, 15, 60);
        Assert.InRange(counters.AcceptedTokens, 180, counters.ProposedTokens);
        Assert.True(counters.ProposedTokens > 3 * counters.Proposals, $"{counters}");
        Assert.Equal(300 - 3 + counters.ProposedTokens - counters.AcceptedTokens,
            counters.ComputedTokens - (20 + 21 + 22));
        Assert.Equal(0, counters.UsedPages);
    }

    [Fact]
    public void Texts_side_by_side_stay_the_same_whether_guesses_are_right_or_wrong()
    {
        using var served = new ServedModel();
        using var scheduler = new Scheduler(served.Model, new SchedulerOptions
        {
            Sequences = 4, StepTokens = 80, ChunkTokens = ServedModel.ChunkTokens, Prefixes = 0, Speculate = 7,
        });
        var all = new List<(GenerationRequest, Received)>();
        for (int n = 0; n < 6; n++)
        {
            var received = new Received();
            int[] letters = [.. served.Prompt(2 + (n % 2))];
            var request = new GenerationRequest
            {
                Prompt = served.Prompt(served.Random.Next(1, 40)),
                MaxTokens = served.Random.Next(40, 100),
                Sampling = new SamplingOptions
                {
                    Temperature = served.Random.Pick(0.5f, 2),
                    Seed = (ulong)served.Random.Next(),
                    LogitBias = Enumerable.Range(0, 61).Except(letters).ToDictionary(t => t, _ => -100f),
                },
                OnToken = received.Take,
            };
            scheduler.Submit(request);
            all.Add((request, received));
        }
        while (scheduler.Step()) { }
        foreach (var (request, received) in all)
            Assert.Equal(served.Alone(request), received.Tokens());
        Assert.True(scheduler.Counters.Proposals > 0);
        Assert.Equal(0, scheduler.Counters.UsedPages);
    }

    [Fact]
    public void A_text_generator_gives_the_same_text()
    {
        using var engine = new CpuEngine();
        using var model = TinyModels.Create(engine,
            TinyModels.Config(TinyModels.Dense, _random.Pick(TinyModels.Sparse, TinyModels.ByQueryHead)) with
            { VocabularySize = 257 }, _random);
        using var generator = new TextGenerator(model, s_bytes);
        foreach (float temperature in (float[])[0, 0.5f, 1])
        {
            // Few letters, so that pairs of them come again.
            char last = _random.Pick('b', 'd', 'h');
            var sampling = new SamplingOptions
            {
                Temperature = temperature,
                Seed = (ulong)_random.Next(),
                LogitBias = Enumerable.Range(0, 257).Where(t => t < 'a' || t > last).ToDictionary(t => t, _ => -100f),
            };
            int most = _random.Pick(30, 200);
            string Text(int speculate, params string[] stop) => string.Concat(generator.Generate("abcab", most,
                sampling, TestContext.Current.CancellationToken, stop, speculate: speculate));
            string text = Text(0), stop = text[11..14];
            Assert.Equal(text, Text(1));
            Assert.Equal(text, Text(7));
            var spent = generator.Speculation;
            Assert.InRange(spent.AcceptedTokens, 0, spent.ProposedTokens);
            CheckWork(spent, text.Length - spent.AcceptedTokens);
            Assert.Equal(Text(0, stop), Text(7, stop));
        }
    }

    [Fact]
    public void Proposals_continue_as_the_latest_longest_match_did()
    {
        int[] Propose(int most, params int[] tokens)
        {
            int[] proposed = new int[most];
            return PromptLookup.TryPropose(tokens, proposed) ? proposed : [];
        }
        Assert.Equal([4, 1, 2], Propose(3, 1, 2, 3, 4, 1, 2, 3));
        Assert.Equal([9, 7, 2], Propose(3, 1, 2, 3, 9, 7, 2, 3, 8, 1, 2, 3)); // three tokens before two later ones
        Assert.Equal([8, 5], Propose(2, 7, 2, 3, 9, 6, 2, 3, 8, 5, 2, 3));
        Assert.Equal([5, 5, 5, 5], Propose(4, 1, 5, 5, 5));
        Assert.Equal([1, 2, 1, 2, 1], Propose(5, 1, 2, 1, 2));
        Assert.Empty(Propose(3, 1, 2, 3, 1));
        Assert.Empty(Propose(3, 1));
        Assert.Empty(Propose(0, 1, 1, 1, 1));
    }

    [Fact]
    public void Guesses_that_are_always_wrong_propose_nothing()
    {
        int letters = _random.Next(3, 8);
        int[] text = EachTripleOnce(letters);
        var (spent, _) = Read(text, _ => 7);
        Assert.Equal((0, 0), (spent.ProposedTokens, spent.AcceptedTokens));
    }

    [Fact]
    public void A_text_that_repeats_itself_proposes_as_much_as_it_may()
    {
        int[] period = TinyModels.Tokens(_random, _random.Next(1, 30), 61);
        int most = _random.Next(1, 8);
        int[] text = [.. Enumerable.Range(0, 400).Select(i => period[i % period.Length])];
        var (spent, lengths) = Read(text, _ => most);
        Assert.All(lengths.Skip(Math.Max(30, 2 * period.Length) + 20).SkipLast(1), k => Assert.Equal(most, k));
        Assert.True(lengths.Count < 2 * Math.Max(30, 2 * period.Length) + 400 / (1 + most), $"{lengths.Count} steps");
        CheckWork(spent, lengths.Count);
    }

    [Fact]
    public void Proposals_resume_when_a_text_begins_to_repeat_itself()
    {
        int[] wrong = EachTripleOnce(6), period = TinyModels.Tokens(_random, 10, 61);
        int[] text = [.. wrong, .. Enumerable.Range(0, 100).Select(i => 100 + period[i % 10])];
        var (spent, lengths) = Read(text, _ => 7);
        Assert.Equal(7, lengths[^2]);
        Assert.InRange(spent.AcceptedTokens, 50, 100);
        Assert.InRange(spent.ProposedTokens, spent.AcceptedTokens, spent.AcceptedTokens + 14);
    }

    // Texts of every kind, and the worst one: right as long as nothing is proposed.
    [Fact]
    public void Work_exceeds_that_of_one_by_one_by_a_credit_at_most()
    {
        for (int n = 0; n < 200; n++)
        {
            int letters = _random.Next(1, 6), most = _random.Next(1, 20);
            double repeats = _random.NextDouble();
            bool isWorst = n % 2 == 0;
            var speculation = new Speculation();
            var tokens = new List<int>(TinyModels.Tokens(_random, _random.Next(1, 20), letters));
            int steps = 0, sequences = _random.Next(1, 100);
            for (; steps < 500; steps++)
            {
                int[] proposal = [.. speculation.Propose([.. tokens], _random.Next(most + 1), sequences)];
                for (int guess = 0, drawn; ; guess++)
                {
                    drawn = guess + 1 < proposal.Length && (isWorst || _random.NextDouble() > repeats)
                        ? (proposal[guess + 1] + 1) % letters
                        : Continued([.. tokens]) ?? _random.Next(letters);
                    tokens.Add(drawn);
                    if (!speculation.Accepts(guess, drawn))
                        break;
                }
            }
            CheckWork(speculation, steps, sequences);
        }

        static int? Continued(ReadOnlySpan<int> tokens)
        {
            Span<int> next = stackalloc int[1];
            return PromptLookup.TryPropose(tokens, next) ? next[0] : null;
        }
    }

    // Rows beyond one for each token, in steps.
    private static void CheckWork(Speculation spent, int steps, int sequences = 1) => Assert.True(
        spent.ProposedTokens * Speculation.RowCost(sequences) - spent.AcceptedTokens
        <= Speculation.MostCredit + steps * Speculation.CreditPerStep + 1e-9,
        $"{spent.ProposedTokens} proposed, {spent.AcceptedTokens} accepted in {steps} steps; {Seeds.Text}");

    // Reads a text as if it were drawn. Returns the length of each step's proposal.
    private static (Speculation Spent, List<int> Lengths) Read(ReadOnlySpan<int> text, Func<int, int> most)
    {
        var speculation = new Speculation();
        var lengths = new List<int>();
        for (int at = 1; at < text.Length; at++)
        {
            lengths.Add(speculation.Propose(text[..at], Math.Min(most(at), text.Length - at - 1)).Length - 1);
            for (int guess = 0; speculation.Accepts(guess, text[at]); guess++)
                at++;
        }
        return (speculation, lengths);
    }

    // A sequence of de Bruijn: what came before never comes again in the same way.
    private static int[] EachTripleOnce(int letters)
    {
        var tokens = new List<int> { 0, 0 };
        var seen = new HashSet<(int, int, int)>();
        for (int next = letters - 1; next >= 0;)
            if (seen.Add((tokens[^2], tokens[^1], next)))
            {
                tokens.Add(next);
                next = letters - 1;
            }
            else
                next--;
        return [.. tokens];
    }
}
