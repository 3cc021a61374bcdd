using S2ILGPU.Inference;
using S2ILGPU.Patterns;
using S2ILGPU.Scheduling;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using S2ILGPU.Tokenizers;
using Xunit;

namespace S2ILGPU.Core.Tests.Scheduling;

public sealed class SchedulerTests : IDisposable
{
    private static readonly SamplingOptions s_greedy = new() { Temperature = 0 };
    private static readonly SchedulerOptions s_options =
        new() { Sequences = 4, ChunkTokens = ServedModel.ChunkTokens, StepTokens = 80 };

    private readonly ServedModel _served = new();

    public void Dispose() => _served.Dispose();

    [Theory]
    [InlineData(null)]
    [InlineData(ElementType.Int8)]
    public void Random_traffic_gets_the_tokens_of_requests_alone_and_leaves_no_page(ElementType? cacheType)
    {
        _served.CacheType = cacheType;
        var random = _served.Random;
        long bytes = 3 * DemandOf(160);
        using var scheduler = new Scheduler(_served.Model,
            s_options with { MaxBytes = bytes, Overcommit = 2, Prefixes = 5, ElementType = cacheType,
                Speculate = random.Pick(0, 1, 7) });
        int[] shared = _served.Prompt(96);
        var open = new List<(SubmittedRequest Request, Received Received)>();
        for (int n = 0; n < 24; n++)
        {
            int[] prompt = [.. shared[..random.Pick(0, 0, 40, 64, 96)], .. _served.Prompt(random.Next(1, 34))];
            var received = new Received();
            open.Add((scheduler.Submit(new GenerationRequest
            {
                Prompt = prompt,
                MaxTokens = random.Next(1, 35),
                Choices = random.Pick(1, 1, 1, 2, 3),
                Sampling = random.Next(2) == 0 ? s_greedy
                    : new SamplingOptions { Seed = (ulong)n, PresencePenalty = 0.5f, RepetitionPenalty = 1.2f },
                Priority = random.Next(3),
                EndTokens = [random.Next(61)],
                OnToken = received.Take,
            }), received));
            for (int step = random.Next(6); step > 0; step--)
                scheduler.Step();
            Assert.InRange(scheduler.Counters.UsedBytes, 0, bytes);
            if (random.Next(6) == 0)
                open[random.Next(open.Count)].Request.Cancel();
        }
        while (scheduler.Step()) { }
        foreach (var (request, received) in open)
        {
            Assert.True(request.IsFinished);
            for (int choice = 0; choice < request.Request.Choices; choice++)
            {
                int[] expected = _served.Alone(request.Request, choice), actual = received.Tokens(choice);
                if (received.Finish(choice) == FinishReason.Cancelled)
                    expected = expected[..Math.Min(actual.Length, expected.Length)];
                Assert.Equal(expected, actual);
            }
        }
        Assert.Equal((0, 0), (scheduler.Counters.Queued, scheduler.Counters.Running));
        scheduler.ForgetPrefixes();
        Assert.Equal(0, scheduler.Counters.UsedPages);
    }

    [Fact]
    public void Running_out_of_pages_preempts_the_youngest_which_gets_the_same_tokens()
    {
        using var scheduler = new Scheduler(_served.Model,
            s_options with { MaxBytes = DemandOf(150) + DemandOf(40), Overcommit = 8, Prefixes = 0 });
        var all = new List<(GenerationRequest, Received)>();
        for (int n = 0; n < 4; n++)
        {
            var received = new Received();
            var request = new GenerationRequest { Prompt = _served.Prompt(20 + n), MaxTokens = 120,
                Sampling = s_greedy, OnToken = received.Take };
            scheduler.Submit(request);
            all.Add((request, received));
        }
        while (scheduler.Step()) { }
        Assert.True(scheduler.Counters.Preemptions > 0);
        foreach (var (request, received) in all)
            Assert.Equal(_served.Alone(request), received.Tokens());
        Assert.Equal(0, scheduler.Counters.UsedPages);
    }

    [Fact]
    public void Equals_end_in_their_order_and_a_higher_priority_takes_their_place()
    {
        using var scheduler = new Scheduler(_served.Model, s_options with { Sequences = 1 });
        var ends = new List<string>();
        SubmittedRequest Submit(string name, int priority) => scheduler.Submit(new GenerationRequest
        {
            Prompt = _served.Prompt(10), MaxTokens = 5, Priority = priority,
            OnToken = token => { if (token.Finish is not null) ends.Add(name); },
        });
        Submit("a", 0);
        Submit("b", 0);
        scheduler.Step();
        scheduler.Step();
        Submit("urgent", 1);
        Submit("c", 0);
        while (scheduler.Step()) { }
        Assert.Equal(["urgent", "a", "b", "c"], ends);
        Assert.Equal(1, scheduler.Counters.Preemptions);
    }

    [Fact]
    public void A_later_request_begins_at_the_next_free_place()
    {
        using var scheduler = new Scheduler(_served.Model, s_options with { Sequences = 2 });
        var received = new Received();
        var request = new GenerationRequest { Prompt = _served.Prompt(5), Sampling = s_greedy };
        var group = Guid.NewGuid();
        SubmittedRequest[] many = [.. Enumerable.Range(0, 100).Select(n =>
            scheduler.Submit(request with { MaxTokens = 3 + n % 2, Group = group }))];
        scheduler.Step();
        var later = scheduler.Submit(request with { MaxTokens = 30, OnToken = received.Take });
        while (later.QueueTime is null)
            scheduler.Step();
        Assert.Equal(2, many.Count(one => one.QueueTime is not null));
        // one place each from here on
        while (!later.IsFinished)
        {
            Assert.InRange(many.Count(one => one.QueueTime is not null && !one.IsFinished), 0, 1);
            scheduler.Step();
        }
        Assert.Equal(_served.Alone(request with { MaxTokens = 30 }), received.Tokens());
        Assert.Contains(many, one => one.QueueTime is null);
        while (scheduler.Step()) { }
        Assert.All(many, one => Assert.True(one.IsFinished));
        Assert.Equal(0, scheduler.Counters.Preemptions);
    }

    [Fact]
    public void Groups_take_turns_and_none_is_left_behind()
    {
        using var scheduler = new Scheduler(_served.Model, s_options with { Sequences = 1 });
        var begun = new List<string>();
        void Submit(string name, Guid? group, int priority = 0) => scheduler.Submit(new GenerationRequest
        {
            Prompt = [1], MaxTokens = 1, Group = group, Priority = priority, OnToken = _ => begun.Add(name),
        });
        var (a, b) = (Guid.NewGuid(), Guid.NewGuid());
        foreach (string name in (string[])["a0", "a1", "a2"])
            Submit(name, a);
        Submit("b0", b);
        Submit("b1", b);
        Submit("c", null);
        Submit("urgent", a, priority: 1);
        while (scheduler.Step()) { }
        Assert.Equal(["urgent", "a0", "b0", "c", "a1", "b1", "a2"], begun);

        // requests that come as fast as they are served
        begun.Clear();
        Submit("first", a);
        Submit("second", a);
        for (int step = 0; step < 200; step++)
        {
            scheduler.Step();
            Submit("new", null);
        }
        Assert.Equal("first", begun[0]);
        Assert.InRange(begun.IndexOf("second"), 2, 70);
    }

    [Fact]
    public void What_waits_takes_no_memory_in_proportion_to_the_vocabulary()
    {
        const int Vocabulary = 20_000, Choices = 16;
        using var served = new ServedModel(Vocabulary);
        using var scheduler = new Scheduler(served.Model, s_options with { Sequences = Choices });
        var request = new GenerationRequest
        {
            Prompt = [1],
            MaxTokens = 2,
            Choices = Choices,
            Sampling = new SamplingOptions { TopK = 0, PresencePenalty = 1 },
        };
        long bytes = Allocations.OfEveryRun(() => scheduler.Submit(request));
        Assert.InRange(bytes, 1, Choices * Vocabulary / 4);
        var received = new Received();
        var biased = request with
        {
            OnToken = received.Take,
            Sampling = request.Sampling with { LogitBias = new Dictionary<int, float> { [Vocabulary - 1] = 1 } },
        };
        scheduler.Submit(biased);
        while (scheduler.Step()) { }
        for (int choice = 0; choice < Choices; choice++)
            Assert.Equal(served.Alone(biased, choice), received.Tokens(choice));
        // what drawing would refuse is refused here
        Assert.Contains($"only {Vocabulary} tokens", Assert.Throws<ArgumentException>(() => scheduler.Submit(
            request with { Sampling = new() { LogitBias = new Dictionary<int, float> { [Vocabulary] = 1 } } }))
            .Message);
    }

    [Fact]
    public void Sparse_patterns_let_in_what_dense_attention_would_not()
    {
        long bytes = 2 * DemandOf(159);
        using var scheduler = new Scheduler(_served.Model, s_options with { MaxBytes = bytes, Prefixes = 0 });
        for (int n = 0; n < 3; n++)
            scheduler.Submit(new GenerationRequest { Prompt = _served.Prompt(140), MaxTokens = 20 });
        long mostDense = 0;
        while (scheduler.Step())
        {
            Assert.InRange(scheduler.Counters.Running, 0, 2);
            mostDense = Math.Max(mostDense, scheduler.Counters.DenseBytes);
        }
        Assert.True(mostDense > bytes, $"{mostDense} dense bytes, {bytes} allowed");
        Assert.Equal(0, scheduler.Counters.Preemptions);
    }

    [Fact]
    public void Choices_that_do_not_fit_together_run_each_by_itself()
    {
        var received = new Received();
        var request = new GenerationRequest { Prompt = _served.Prompt(100), MaxTokens = 20, Choices = 3,
            OnToken = received.Take };
        using var scheduler = new Scheduler(_served.Model, s_options with { MaxBytes = DemandOf(119), Prefixes = 0 });
        scheduler.Submit(request);
        while (scheduler.Step())
            Assert.InRange(scheduler.Counters.Running, 0, 1);
        for (int choice = 0; choice < 3; choice++)
            Assert.True(_served.Alone(request, choice).AsSpan().SequenceEqual(received.Tokens(choice)), Seeds.Text);
        Assert.Equal(3, scheduler.Counters.FinishedChoices);
    }

    [Fact]
    public void A_shared_prefix_is_computed_once()
    {
        using var scheduler = new Scheduler(_served.Model, s_options);
        int[] shared = _served.Prompt(70);
        var received = new Received();
        GenerationRequest first = new() { Prompt = [.. shared, 1, 2], MaxTokens = 30, Sampling = s_greedy },
            second = first with { Prompt = [.. shared, 5], OnToken = received.Take };
        scheduler.Submit(first);
        while (scheduler.Step()) { }
        Assert.Equal(2, scheduler.Counters.Prefixes); // 32 and 64 tokens
        long before = scheduler.Counters.ComputedTokens;
        scheduler.Submit(second);
        while (scheduler.Step()) { }
        Assert.Equal((1L, 64L), (scheduler.Counters.PrefixHits, scheduler.Counters.PrefixTokens));
        Assert.Equal(7 + 29, scheduler.Counters.ComputedTokens - before);
        Assert.Equal(_served.Alone(second), received.Tokens());
        long kept = 0;
        foreach (int end in (int[])[32, 64])
            for (int layer = 0; layer < _served.Model.Config.Layers; layer++)
                for (int head = 0; head < _served.Model.Config.KeyValueHeads; head++)
                {
                    var pattern = _served.Model.Pattern(layer);
                    int next = end / pattern.BlockTokens;
                    for (int block = 0; block < next; block++)
                        if (pattern.MayStillRead(head, next, block)
                            && (end == 64 || !SharesWith64(pattern, head, block)))
                            kept++;
                }
        Assert.Equal(kept, scheduler.Counters.UsedPages);
    }

    // A page that both prefixes keep counts once.
    private static bool SharesWith64(AttentionPattern pattern, int head, int block) =>
        pattern.MayStillRead(head, 64 / pattern.BlockTokens, block);

    [Fact]
    public void Snapshots_add_up_to_the_pool()
    {
        using var scheduler = new Scheduler(_served.Model, s_options with { Prefixes = 4 });
        int[] prompt = _served.Prompt(80);
        scheduler.Submit(new GenerationRequest { Prompt = prompt, MaxTokens = 30, Choices = 2 });
        scheduler.Submit(new GenerationRequest { Prompt = [.. prompt, 3, 4], MaxTokens = 20 });
        int most = 0;
        bool hasMore = true, hasSharing = false;
        while (hasMore)
        {
            hasMore = scheduler.Step();
            var snapshot = scheduler.Capture();
            most = Math.Max(most, snapshot.Sequences.Count);
            long kept = snapshot.Sequences.Sum(s => (long)s.Pages.Count(PageState.Kept));
            long shared = snapshot.Sequences.Sum(s => (long)s.Pages.Count(PageState.Shared));
            Assert.InRange(snapshot.SequencePages, kept, kept + shared);
            Assert.InRange(snapshot.SequencePages, 0, snapshot.Counters.UsedPages);
            hasSharing |= snapshot.SequencePages < kept + shared;
            Assert.All(snapshot.Sequences, s => Assert.True(s.Tokens >= 1 && s.PromptTokens >= 80));
            if (snapshot.Sequences.Count < 3)
                continue;
            scheduler.ForgetPrefixes();
            Assert.Equal(scheduler.Counters.UsedPages, scheduler.Capture().SequencePages);
        }
        Assert.True(hasSharing);
        Assert.Equal(3, most);
        Assert.Empty(scheduler.Capture().Sequences);
    }

    [Fact]
    public void Cancelled_and_late_requests_end_at_the_next_step()
    {
        var time = new SetTime();
        using var scheduler = new Scheduler(_served.Model, s_options with { Sequences = 2 }, time: time);
        Received[] received = [new(), new(), new()];
        var requests = received.Select((r, n) => scheduler.Submit(new GenerationRequest
        {
            Prompt = _served.Prompt(40), MaxTokens = 50, OnToken = r.Take,
            Timeout = n == 2 ? TimeSpan.FromSeconds(3) : null,
        })).ToArray();
        for (int step = 0; step < 4; step++)
            scheduler.Step();
        requests[0].Cancel();
        scheduler.Step();
        Assert.Equal(FinishReason.Cancelled, received[0].Finish());
        Assert.Equal(2, scheduler.Counters.Running); // the third one began
        time.Now = TimeSpan.FromSeconds(4);
        scheduler.Step();
        Assert.Equal(FinishReason.TimedOut, received[2].Finish());
        Assert.Equal(1, scheduler.Counters.Running);
        requests[1].Cancel();
        Assert.False(scheduler.Step());
        Assert.All(requests, request => Assert.True(request.IsFinished));
    }

    [Fact]
    public void Requests_that_cannot_run_are_refused()
    {
        using var scheduler = new Scheduler(_served.Model, s_options with { MaxQueued = 1, MaxBytes = DemandOf(60) });
        string Refusal(GenerationRequest request) =>
            Assert.Throws<ArgumentException>(() => scheduler.Submit(request)).Message;
        var valid = new GenerationRequest { Prompt = [1, 2] };
        Assert.Contains("1 to 160 tokens, got 0", Refusal(valid with { Prompt = [] }));
        Assert.Contains("token 1 is 61", Refusal(valid with { Prompt = [1, 61] }));
        Assert.Contains("at least 1, got 0", Refusal(valid with { MaxTokens = 0 }));
        Assert.Contains("5 choices need as many sequences, there are 4", Refusal(valid with { Choices = 5 }));
        Assert.Contains("bytes of pages", Refusal(valid with { MaxTokens = 150 }));
        Assert.Contains("tokenizer", Refusal(valid with { Stop = ["x"] }));
        Assert.Contains("top-p", Refusal(valid with { Sampling = new SamplingOptions { TopP = 0 } }));
        Assert.Contains("0 to 20 tokens", Refusal(valid with { TopLogProbabilities = 21 }));
        scheduler.Submit(valid);
        Assert.Contains("1 requests wait",
            Assert.Throws<InvalidOperationException>(() => scheduler.Submit(valid)).Message);
        Assert.Contains("ChunkTokens must be 1 to",
            Assert.Throws<ArgumentException>(() => new Scheduler(_served.Model, s_options with { StepTokens = 20 }))
            .Message);
    }

    [Fact]
    public void Text_ends_before_a_stop_string_that_several_tokens_make()
    {
        using var served = new ServedModel(257);
        var bytes = new BytePairTrainer().Build(257); // a token per byte
        using var scheduler = new Scheduler(served.Model, s_options, bytes);
        Received Run(params string[] stop)
        {
            var received = new Received();
            scheduler.Submit(new GenerationRequest { Prompt = bytes.Encode("some text"), MaxTokens = 40, Stop = stop,
                Sampling = s_greedy with { LogitBias = Letters() }, OnToken = received.Take, TopLogProbabilities = 2 });
            while (scheduler.Step()) { }
            return received;
        }
        var whole = Run();
        string text = whole.Text;
        Assert.Equal(40, text.Length);
        Assert.Equal(FinishReason.Length, whole.Finish());
        Assert.All(whole.All, token => Assert.Equal(2, token.Top.Count));
        string stop = text[6..9];
        var stopped = Run("never there", stop);
        Assert.Equal(text[..text.IndexOf(stop, StringComparison.Ordinal)], stopped.Text);
        Assert.Equal(FinishReason.Stop, stopped.Finish());
    }

    [Fact]
    public void Any_thread_may_submit_and_cancel()
    {
        using var scheduler = new Scheduler(_served.Model, s_options);
        var prompts = Enumerable.Range(0, 20).Select(_ => _served.Prompt(12)).ToArray();
        int ended = 0;
        var submitting = Task.Run(() => Parallel.ForEach(prompts, prompt =>
        {
            var request = scheduler.Submit(new GenerationRequest { Prompt = prompt, MaxTokens = 3,
                OnToken = token => ended += token.Finish is null ? 0 : 1 });
            if (prompt[0] % 4 == 0)
                request.Cancel();
        }), TestContext.Current.CancellationToken);
        while (!submitting.IsCompleted || scheduler.Counters.Queued + scheduler.Counters.Running > 0)
            scheduler.Step();
        scheduler.Step();
        Assert.Equal(20, ended);
        Assert.Equal(20, scheduler.Counters.FinishedChoices);
    }

    [Fact]
    public void During_a_step_what_begins_is_counted_and_the_queue_has_its_limit()
    {
        using var scheduler = new Scheduler(_served.Model, s_options with { Sequences = 1, MaxQueued = 1 });
        var request = new GenerationRequest { Prompt = _served.Prompt(12), MaxTokens = 3 };
        var seen = new List<(int Running, int Queued)>();
        scheduler.Submit(request with { OnToken = _ =>
        {
            seen.Add((scheduler.Counters.Running, scheduler.Counters.Queued));
            if (seen.Count == 1)
                scheduler.Submit(request);
            else
                Assert.Throws<InvalidOperationException>(() => scheduler.Submit(request));
        } });
        Assert.Equal((0, 1), (scheduler.Counters.Running, scheduler.Counters.Queued));
        while (scheduler.Step()) { }
        Assert.Equal([(1, 0), (1, 1), (1, 1)], seen);
        Assert.Equal((0, 0), (scheduler.Counters.Running, scheduler.Counters.Queued));
        Assert.Equal(2, scheduler.Counters.FinishedChoices);
    }

    private long DemandOf(int tokens)
    {
        using var cache = new KeyValueCache(_served.Model,
            new KeyValueCacheOptions { ElementType = _served.CacheType });
        return new PageDemand(_served.Model, cache, ServedModel.ChunkTokens).Bytes(tokens);
    }

    // Only letters are generated, so that a token is a character.
    private static Dictionary<int, float> Letters() =>
        Enumerable.Range(0, 257).Where(token => token is < 'a' or > 'z').ToDictionary(token => token, _ => -100f);
}
