using S2ILGPU.Cli.Simulation;
using S2ILGPU.Cli.Simulation.Serving;
using S2ILGPU.Cli.Simulation.Tracing;
using S2ILGPU.Cli.Training;
using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.Scheduling;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Cli.Tests.Simulation;

/// <summary>Simulated servers against arithmetic, and that they lose nothing.</summary>
public sealed class ServingSimulationTests
{
    private static readonly TrainingPreset s_preset = TrainingPreset.Find("tiny");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    // One sequence and one step for each text: a queue with random arrivals, one server and equal service (M/D/1).
    [Fact]
    public void Texts_wait_as_in_a_queue()
    {
        int seed = Seeds.NewRandom().Next();
        var traffic = new Traffic { Texts = 2000, Rate = 1, PromptTokens = 20, OutputTokens = 1 };
        var options = new SchedulerOptions { Sequences = 1, Prefixes = 0 };
        double service = Run(traffic with { Texts = 1 }, options, seed).Texts[0].FirstSeconds;
        const double Load = 0.5;
        var run = Run(traffic with { Rate = Load / service }, options, seed);
        double free = 0, waited = 0;
        foreach (var text in run.Texts)
        {
            double start = Math.Max(text.Arrival.Time, free);
            free = start + service;
            waited += start - text.Arrival.Time;
            Near(free, text.Times[0]);
        }
        Near(service * run.Texts.Count, run.BusySeconds);
        double mean = waited / run.Texts.Count, expected = Load * service / (2 * (1 - Load));
        Assert.True(Math.Abs(mean / expected - 1) < 0.5, $"waits {mean}, expected {expected}; {Seeds.Text}");
    }

    // Instances fail, pages run out, prompts share a prefix.
    [Theory]
    [InlineData("dense")]
    [InlineData("s2")]
    [InlineData("hybrid")]
    public void No_text_and_no_page_is_lost(string attention)
    {
        var random = Seeds.NewRandom();
        int seed = random.Next();
        var traffic = new Traffic
        {
            Texts = 60,
            Rate = double.PositiveInfinity,
            PromptTokens = 20,
            OutputTokens = 60,
            Variation = 0.3,
            PrefixShare = 0.5,
            PrefixTokens = 32,
        };
        var options = new SchedulerOptions { Sequences = 16, StepTokens = 64, ChunkTokens = 16, Overcommit = 4 };
        double whole = Run(traffic, options, seed, attention).Seconds;
        options = options with { MaxBytes = 4 * 2 * 2 * 8 * PageBytes }; // 4 texts of 128 tokens, if dense
        var failures = new InstanceFailures(whole / 4, whole / 8, whole / 50);
        ServingForecast run;
        int runs = 0;
        do // a run without a failure, or where none leaves a prefix to share, is possible, if rare
            run = Run(traffic, options, seed = random.Next(), attention, instances: 3, failures);
        while (!SeesAll(run) && ++runs < 50);
        Assert.True(SeesAll(run), $"{run}; {Seeds.Text}");
        Assert.Equal((0, 0L), (run.LostTexts, run.LostPages));
        Assert.InRange(run.MostBytes, PageBytes, options.MaxBytes);
        Assert.All(run.Texts, text =>
        {
            Assert.Equal(text.Arrival.Tokens, text.Times.Count);
            Assert.True(text.Times[0] > text.Arrival.Time && text.Gaps.All(gap => gap > 0), Seeds.Text);
        });
        var again = Run(traffic, options, seed, attention, instances: 3, failures);
        Assert.Equal(run.Texts.SelectMany(text => text.Times), again.Texts.SelectMany(text => text.Times));

        bool SeesAll(ServingForecast run) => run.Failures > 0 && run.MovedTexts > 0 && run.PrefixTokens > 0
            && (attention != "dense" || run.Preemptions > 0);
    }

    [Fact]
    public void An_instance_that_fails_gives_its_texts_to_another()
    {
        var traffic = new Traffic
        {
            Texts = 1,
            Rate = double.PositiveInfinity,
            PromptTokens = 30,
            OutputTokens = 20,
        };
        double alone = Run(traffic, new(), 1).Texts[0].Times[^1];
        // The last attempt computes all of it; each failure before costs the time until it is noticed.
        var run = Run(traffic, new(), 1, instances: 2, failures: new InstanceFailures(alone / 3, alone, alone));
        Assert.True(run.MovedTexts > 0, run.ToString());
        Assert.Equal(0, run.LostTexts);
        Assert.True(run.Seconds > alone + run.MovedTexts * alone, $"{run.Seconds}, alone {alone}");
    }

    // 100 tokens of a context in blocks of 16, a window of 2 blocks and every 4th one before it.
    [Fact]
    public void Sparse_texts_take_fewer_pages()
    {
        var traffic = new Traffic { Texts = 8, Rate = double.PositiveInfinity, PromptTokens = 60, OutputTokens = 68 };
        var options = new SchedulerOptions { Prefixes = 0 };
        var (dense, sparse) = (Run(traffic, options, 1, "dense"), Run(traffic, options, 1, "s2"));
        Assert.Equal(8 * 2 * 2 * 8, dense.MostPages); // texts, layers, KV heads, blocks
        Assert.InRange(sparse.MostPages, 1, dense.MostPages - 1);
    }

    // What a decoding step is asked for, against the pattern's own definition.
    [Fact]
    public void Attention_counts_the_blocks_that_a_pattern_keeps()
    {
        var config = Config("s2");
        var operations = new List<Operation>();
        using var engine = new TracedEngine(null, (operation, _) => operations.Add(operation));
        using var model = new TransformerModel(engine, config, seed: null);
        using var scheduler = new Scheduler(model, new SchedulerOptions { Prefixes = 0 });
        int[] prompts = [50, 90];
        foreach (int prompt in prompts)
            scheduler.Submit(new GenerationRequest { Prompt = new int[prompt], MaxTokens = 3 });
        scheduler.Step();
        operations.Clear();
        scheduler.Step();
        var pattern = config.Attention[0].CreatePattern(config.QueryHeads, config.KeyValueHeads);
        int block = pattern.BlockTokens, kept = 0;
        foreach (int prompt in prompts)
            for (int head = 0; head < pattern.PatternHeads; head++)
                kept += Enumerable.Range(0, prompt / block + 1).Count(key => pattern.Keeps(head, prompt / block, key));
        var attention = operations.Where(o => o.Name == nameof(IEngine.AttentionForward)).ToArray();
        Assert.Equal(config.Layers, attention.Length);
        Assert.All(attention, operation => Assert.Equal(
            (4.0 * config.HeadDim * block * kept * config.QueryHeads / pattern.PatternHeads,
                2.0 * config.HeadDim * block * kept * sizeof(float)), (operation.Work, operation.Bytes)));
        // All rows of the step are computed one by one.
        Assert.All(operations.Where(o => o.Name == nameof(IEngine.MatMul)), product =>
            Assert.Equal(product.Work / 2, product.Rows));
    }

    [Fact]
    public void Lengths_and_times_have_their_means()
    {
        int seed = Seeds.NewRandom().Next();
        var traffic = new Traffic { Texts = 20_000, Rate = 5, PromptTokens = 100, OutputTokens = 40, Variation = 0.5 };
        var arrivals = traffic.Draw(seed, 300, 100_000);
        Assert.Equal(arrivals.Select(a => a.Time), arrivals.Select(a => a.Time).Order());
        // 6 standard deviations of a mean of 20,000.
        Assert.InRange(arrivals[^1].Time * 5 / 20_000, 0.957, 1.043);
        Assert.InRange(arrivals.Average(a => a.Prompt.Length) / 100, 0.978, 1.022);
        Assert.InRange(arrivals.Average(a => a.Tokens) / 40.0, 0.977, 1.023);
        var shared = (traffic with { Texts = 1000, PrefixShare = 0.3, PrefixTokens = 50 }).Draw(seed, 300, 500);
        Assert.All(shared, a => Assert.InRange(a.Prompt.Length + a.Tokens, 2, 500));
        Assert.InRange(shared.GroupBy(a => string.Join(' ', a.Prompt.Take(50))).Max(group => group.Count()), 200, 400);
    }

    private static long PageBytes => 2 * 16 * 16 * sizeof(float);

    private static ServingForecast Run(Traffic traffic, SchedulerOptions options, int seed, string attention = "dense",
        int instances = 1, InstanceFailures? failures = null)
    {
        var config = Config(attention);
        var costs = new MachineCosts("test", new Dictionary<string, OperationCost>
        {
            [MachineCosts.Others] = new(1e-6, 1e-10),
        }, 0, 0, [], []);
        using var model = ServingModel.Counted(costs, config, activationType: null);
        return ServingSimulation.Run(model, options, instances,
            traffic.Draw(seed, config.VocabularySize, config.ContextTokens), failures, seed, Cancellation);
    }

    private static TransformerConfig Config(string attention) =>
        (s_preset.Model with { Attention = s_preset.Attention(attention) }).Validate();

    private static void Near(double expected, double actual) =>
        Assert.True(Math.Abs(actual - expected) <= 1e-9 * expected, $"expected {expected}, got {actual}; {Seeds.Text}");
}
