using S2ILGPU.Core.Tests.Models;
using S2ILGPU.Core.Tests.Scheduling;
using S2ILGPU.Cpu;
using S2ILGPU.Inference;
using S2ILGPU.Lending;
using S2ILGPU.Models;
using S2ILGPU.Scheduling;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Lending;

/// <summary>Requests that need more pages than one scheduler has, with creditors in this process.</summary>
public sealed class LendingTests : IDisposable
{
    private static readonly SchedulerOptions s_options =
        new() { Sequences = 4, ChunkTokens = ServedModel.ChunkTokens, StepTokens = 80, Prefixes = 0 };

    private readonly ServedModel _served = new();
    private readonly CpuEngine _lending = new(new CpuOptions(Threads: 1));

    public void Dispose()
    {
        _lending.Dispose();
        _served.Dispose();
    }

    [Fact]
    public void A_request_larger_than_the_pool_gets_the_tokens_of_one_process()
    {
        var requests = Requests(3, 100, 128);
        var (bytes, own) = Demand();
        using var creditor = new Scheduler(_served.Model, s_options with { MaxBytes = 3 * bytes });
        using var lender = creditor.CreateLender(_lending, () => { });
        using var debtor = new Scheduler(_served.Model, s_options with { MaxBytes = own, Prefixes = 3,
            Speculate = _served.Random.Pick(0, 7) });
        Assert.Throws<ArgumentException>(() => debtor.Submit(requests[0].Request));
        var credit = new MemoryCredit(lender) { MostCount = _served.Random.Next(1, 9) };
        debtor.Credit = credit;
        var small = Requests(2, 34, 40, maxTokens: 2);                    // a chunk, so that a prefix is kept
        Submit(debtor, small[..1]);
        while (debtor.Step()) { }
        requests[^1].Request = requests[^1].Request with
        {
            Prompt = [.. small[0].Request.Prompt, .. _served.Prompt(70)],
        };
        Submit(debtor, [requests[^1]]);
        Submit(debtor, [.. requests[..^1], .. small[1..]]);
        while (debtor.Step())
            Assert.True(debtor.Counters.UsedBytes <= own, Seeds.Text);
        Check([.. requests, .. small]);
        // Choices that do not run together look for it one by one.
        Assert.InRange(debtor.Counters.PrefixHits, 1,
            requests[^1].Request.Choices + small.Sum(each => each.Request.Choices - 1));
        Assert.Equal(requests.Sum(request => request.Request.Choices), credit.Borrowed);
        Assert.Equal(new LendingCounters(), lender.Counters);
        Assert.Equal(0, debtor.Borrowing.Pages);
        Assert.Equal(0, debtor.Borrowing.Losses);
        Assert.Equal(3 * bytes, creditor.LendableBytes);
        debtor.ForgetPrefixes();
        Assert.Equal(0, debtor.Counters.UsedPages);
    }

    [Fact]
    public void Neighbours_of_a_borrowing_request_get_the_bits_that_they_get_alone()
    {
        int[] text = _served.Prompt(150), neighbour = _served.Prompt(100);
        using var creditor = new Scheduler(_served.Model, s_options);
        using var lender = creditor.CreateLender(_lending, () => { });
        var options = new KeyValueCacheOptions { Sequences = 2 };
        float[] alone, beside, whole;
        using (var cache = new KeyValueCache(_served.Model, options))
        {
            (alone, _) = Run(cache, neighbour, null);
            cache.Clear(0);
            (whole, _) = Run(cache, text, null);
        }
        using (var cache = new KeyValueCache(_served.Model, options))
        {
            var config = _served.Model.Config;
            int all = config.Layers * config.KeyValueHeads, first = _served.Random.Next(all);
            cache.Borrow(1, new BorrowedPages(_served.Model.Engine, config.Layers, config.QueryHeads
                / config.KeyValueHeads, new MemoryCredit(lender) { MostCount = _served.Random.Next(1, all + 1) }
                .TryBorrow(first, [.. Enumerable.Repeat(1L << 20, all - first)])!, new BorrowingLedger()));
            (beside, float[] borrowed) = Run(cache, neighbour, text);
            Assert.False(cache.Far(1)!.IsLost);
            Assert.True(lender.Counters.UsedPages > 0);
            Assert.True(alone.AsSpan().SequenceEqual(beside), Seeds.Text);
            double largest = whole.Max(Math.Abs), error = whole.Zip(borrowed, (a, b) => Math.Abs(a - b)).Max();
            Assert.True(error < 2e-4 * largest, $"largest error {error} of logits up to {largest}; {Seeds.Text}");
        }
    }

    [Fact]
    public void A_lost_creditor_changes_no_token_and_leaves_no_page()
    {
        var requests = Requests(2, 100, 128);
        var (bytes, own) = Demand();
        using var first = new Scheduler(_served.Model, s_options with { MaxBytes = 3 * bytes });
        using var lender = first.CreateLender(_lending, () => { });
        using var debtor = new Scheduler(_served.Model, s_options with { MaxBytes = own });
        var credit = new MemoryCredit(lender) { CallsLeft = _served.Random.Next(1, 100) };
        debtor.Credit = credit;
        Submit(debtor, requests);
        var small = Requests(2, 10, 20);
        Submit(debtor, small);
        while (debtor.Borrowing.Losses == 0)
            Assert.True(debtor.Step(), Seeds.Text);
        credit.CallsLeft = null;
        while (debtor.Step()) { }
        Check([.. requests, .. small]);
        Assert.Equal(new LendingCounters(), lender.Counters);
        Assert.Equal(0, debtor.Counters.UsedPages);
        Assert.Equal(0, debtor.Borrowing.Pages);
    }

    [Fact]
    public void A_request_that_waits_for_pages_holds_up_no_other_and_ends_with_the_credit()
    {
        var (bytes, own) = Demand();
        using var creditor = new Scheduler(_served.Model, s_options with { MaxBytes = bytes });
        using var lender = creditor.CreateLender(_lending, () => { });
        Assert.True(lender.TryLend(Guid.NewGuid(), 0, 1, bytes));
        using var debtor = new Scheduler(_served.Model, s_options with { MaxBytes = own })
        {
            Credit = new MemoryCredit(lender),
        };
        var waiting = Requests(1, 100, 128);
        var small = Requests(2, 10, 20);
        Submit(debtor, [.. waiting, .. small]);
        while (small.Any(s => Enumerable.Range(0, s.Request.Choices).Any(c => s.Received.Finish(c) is null)))
            Assert.True(debtor.Step(), Seeds.Text);
        Check(small);
        Assert.Empty(waiting[0].Received.All);
        debtor.Credit = null;
        Assert.False(debtor.Step());
        Assert.Equal(FinishReason.Cancelled, waiting[0].Received.Finish());
        debtor.Credit = new MemoryCredit(lender) { MostBytes = 1 };
        Assert.Contains("lend at most 1",
            Assert.Throws<ArgumentException>(() => debtor.Submit(waiting[0].Request)).Message);
    }

    [Theory]
    [InlineData(8, 2, ElementType.Float32)]
    [InlineData(4, 4, ElementType.BFloat16)]
    public void Bytes_are_those_of_the_formula_for_the_heads_that_are_lent(int heads, int keyHeads, ElementType type)
    {
        using var engine = new CpuEngine(new CpuOptions(Threads: 1));
        var config = TinyModels.Config(TinyModels.Sparse, TinyModels.Sparse) with
        {
            QueryHeads = heads,
            KeyValueHeads = keyHeads,
        };
        using var model = new TransformerModel(engine, config, activationType: type);
        using var creditor = new Scheduler(model, s_options);
        using var lender = creditor.CreateLender(_lending, () => { });
        var credit = new MemoryCredit(lender);
        int layers = config.Layers, all = layers * keyHeads, first = _served.Random.Next(all),
            group = heads / keyHeads, tokens = 150;
        using (var cache = new KeyValueCache(model, new KeyValueCacheOptions()))
        {
            cache.Borrow(0, new BorrowedPages(engine, layers, group, credit.TryBorrow(first,
                [.. Enumerable.Repeat(1L << 20, all - first)])!, new BorrowingLedger()));
            using var step = new PackedStep(model, cache);
            int[] text = TinyModels.Tokens(_served.Random, tokens, 11);
            for (int t = 0; t < tokens; t++)
            {
                step.Begin();
                step.Add(0, text.AsSpan(t, 1), 1);
                step.Run();
            }
            Assert.False(cache.Far(0)!.IsLost);
            long each = type.SizeBytes(), dim = config.HeadDim, queries = 0, pages = 0;
            foreach (int number in Enumerable.Range(first, all - first))
            {
                var pattern = model.Pattern(number % layers);
                int head = number / layers, block = pattern.BlockTokens, window = pattern.FarDistance,
                    end = tokens / block;
                queries += tokens - window * block;               // that have blocks before their window
                pages += Enumerable.Range(0, Math.Max(0, end - window + 1))
                        .Count(b => pattern.MayStillRead(head, end, b)) * block;
            }
            Assert.Equal(queries * group * dim * each, credit.QueryBytes);
            Assert.Equal(queries * group * (dim * each + sizeof(float)), credit.AnswerBytes);
            Assert.Equal(pages * 2 * dim * each, credit.PageBytes);
            long most = (2 * group + 2) * (all - first) * dim * each * tokens;
            Assert.InRange(credit.QueryBytes * 2 + credit.PageBytes, 1, most);
        }
        Assert.Equal(0, lender.Counters.Loans);
    }

    [Fact]
    public void Lender_refuses_what_is_over_missing_or_more_than_it_lent()
    {
        var config = _served.Model.Config;
        using var scheduler = new Scheduler(_served.Model, s_options with { MaxBytes = 1 << 20 });
        using var lender = scheduler.CreateLender(_lending, () => { });
        var id = Guid.NewGuid();
        Assert.True(lender.TryLend(id, 0, 1, 1 << 19));
        Assert.True(lender.TryLend(id, 0, 1, 1 << 19));
        Assert.False(lender.TryLend(Guid.NewGuid(), 0, 1, (1 << 19) + 1));
        Assert.Equal(1 << 19, scheduler.LendableBytes);
        Assert.Throws<ArgumentException>(() => lender.TryLend(Guid.NewGuid(), 0,
            config.Layers * config.KeyValueHeads + 1, 1));
        int group = config.QueryHeads / config.KeyValueHeads;
        var missing = Assert.Throws<ArgumentException>(() =>
            lender.Attend(id, 0, 100, 1, new byte[group * config.HeadDim * sizeof(float)]));
        Assert.Contains("missing", missing.Message);
        Assert.Throws<ArgumentException>(() => lender.Attend(id, 9, 100, 1, []));
        Assert.Throws<ArgumentException>(() => lender.Put(id, 0, [0, 0], new byte[3]));
        lender.EndSilent(TimeSpan.FromHours(1));
        Assert.Equal(1, lender.Counters.Loans);
        lender.EndSilent(TimeSpan.Zero);
        Assert.Equal(new LendingCounters(), lender.Counters);
        Assert.Equal(1 << 20, scheduler.LendableBytes);
        Assert.Contains("over", Assert.Throws<ArgumentException>(() => lender.Put(id, 0, [], [])).Message);
    }

    private (GenerationRequest Request, Received Received)[] Requests(int count, int least, int most,
        int maxTokens = ServedModel.ChunkTokens) =>
        [.. Enumerable.Range(0, count).Select(n =>
        {
            var received = new Received();
            return (new GenerationRequest
            {
                Prompt = _served.Prompt(_served.Random.Next(least, most)),
                MaxTokens = maxTokens,
                Sampling = new SamplingOptions
                {
                    Temperature = _served.Random.Pick(0f, 1f),
                    Seed = (ulong)_served.Random.Next(),
                },
                Choices = _served.Random.Next(1, 3),
                OnToken = received.Take,
            }, received);
        })];

    private static void Submit(Scheduler scheduler, (GenerationRequest Request, Received Received)[] requests)
    {
        foreach (var (request, _) in requests)
            scheduler.Submit(request);
    }

    private void Check((GenerationRequest Request, Received Received)[] requests)
    {
        foreach (var (request, received) in requests)
            for (int choice = 0; choice < request.Choices; choice++)
                Assert.True(_served.Alone(request, choice).AsSpan().SequenceEqual(received.Tokens(choice)),
                    $"choice {choice} of a prompt of {request.Prompt.Count} tokens; {Seeds.Text}");
    }

    // The last logits of a text in sequence 0 and one in sequence 1, the second half of both token by token.
    private (float[] First, float[] Second) Run(KeyValueCache cache, int[] first, int[]? second)
    {
        using var step = new PackedStep(_served.Model, cache);
        float[] logits = [], secondLogits = [];
        while (cache.Length(0) < first.Length || (second is not null && cache.Length(1) < second.Length))
        {
            step.Begin();
            int parts = 0;
            foreach (var (s, text) in ((int, int[]?)[])[(0, first), (1, second)])
                if (text is not null && cache.Length(s) is var length && length < text.Length)
                {
                    step.Add(s, text.AsSpan(length, length < text.Length / 2 ? Math.Min(ServedModel.ChunkTokens,
                        text.Length / 2 - length) : 1), 1);
                    parts += 1 << s;
                }
            step.Run();
            if ((parts & 1) != 0)
                logits = step.Logits(0).ToArray();
            if ((parts & 2) != 0)
                secondLogits = step.Logits(parts == 3 ? 1 : 0).ToArray();
        }
        return (logits, secondLogits);
    }

    // Bytes of the longest request, and a pool for it where some of its heads, or all, have their far blocks elsewhere.
    private (long Whole, long Own) Demand()
    {
        using var cache = new KeyValueCache(_served.Model, new KeyValueCacheOptions());
        var demand = new PageDemand(_served.Model, cache, ServedModel.ChunkTokens);
        int tokens = _served.Model.Config.ContextTokens;
        return (demand.Bytes(tokens), demand.NearBytes(tokens, _served.Random.Next(_served.Model.Config.Layers)));
    }
}
