using System.Text.Json;
using S2ILGPU.Core.Tests.Grammars;
using S2ILGPU.Grammars;
using S2ILGPU.Inference;
using S2ILGPU.Scheduling;
using S2ILGPU.TestSupport;
using S2ILGPU.Tokenizers;
using Xunit;

namespace S2ILGPU.Core.Tests.Scheduling;

/// <summary>Requests that one scheduler begins and another one continues.</summary>
public sealed class ContinuedRequestTests : IDisposable
{
    private static readonly BytePairTokenizer s_bytes = new BytePairTrainer().Build(257); // a token per byte

    private readonly ServedModel _served = new(257);

    public void Dispose() => _served.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Text_goes_on_as_it_would_have(bool hasGrammar)
    {
        using var scheduler = Scheduler();
        for (int n = 0; n < 6; n++)
        {
            var request = RandomRequest(hasGrammar);
            var whole = Run(scheduler, request);
            int most = Math.Min(whole.Tokens().Length - (whole.All[^1].Token is null ? 0 : 1), request.MaxTokens - 1);
            int cut = _served.Random.Next(most + 1);
            // as another process gets it
            request = JsonSerializer.Deserialize<GenerationRequest>(JsonSerializer.Serialize(request with
            {
                Generated = whole.Tokens()[..cut],
                OnToken = null,
            }))!;
            var rest = Run(scheduler, request);
            Assert.Equal(whole.Tokens()[cut..], rest.Tokens());
            Assert.Equal(whole.All.Skip(cut).Select(t => (t.Text, t.LogProbability, t.Finish)),
                rest.All.Select(t => (t.Text, t.LogProbability, t.Finish)));
        }
    }

    [Fact]
    public void Tokens_that_cannot_be_continued_are_refused()
    {
        using var scheduler = Scheduler();
        var request = new GenerationRequest { Prompt = [1, 2], MaxTokens = 3, Generated = ['a', 'b'] };
        foreach (var wrong in (GenerationRequest[])
        [
            request with { MaxTokens = 2 },
            request with { Choices = 2 },
            request with { Generated = [257] },
            request with { Stop = ["ab"] },
            request with { Grammar = Grammar.JsonObject },
            request with { MaxTokens = 1000, Generated = [.. Enumerable.Repeat(1, 159)] },
        ])
            Assert.Throws<ArgumentException>(() => scheduler.Submit(wrong));
        Assert.Equal(0, scheduler.Counters.Queued);
        Assert.Single(Run(scheduler, request).Tokens());
    }

    [Fact]
    public void Hashes_find_the_longest_kept_prefix()
    {
        using var scheduler = Scheduler();
        int[] shared = _served.Prompt(70);
        Run(scheduler, new GenerationRequest { Prompt = [.. shared, 1, 2], MaxTokens = 1 });
        Assert.Equal(64, scheduler.KeptPrefixTokens(scheduler.PrefixHashes([.. shared, 5, 6])));
        Assert.Equal(32, scheduler.KeptPrefixTokens(scheduler.PrefixHashes([.. shared[..40], .. shared])));
        Assert.Equal(32, scheduler.KeptPrefixTokens(scheduler.PrefixHashes(shared[..64]))); // the last one is computed
        Assert.Equal(0, scheduler.KeptPrefixTokens(scheduler.PrefixHashes(shared[1..])));
        scheduler.ForgetPrefixes();
        Assert.Equal(0, scheduler.KeptPrefixTokens(scheduler.PrefixHashes(shared)));
    }

    private Scheduler Scheduler() => new(_served.Model,
        new SchedulerOptions { Sequences = 4, ChunkTokens = ServedModel.ChunkTokens, StepTokens = 80 }, s_bytes);

    private GenerationRequest RandomRequest(bool hasGrammar)
    {
        var random = _served.Random;
        return new GenerationRequest
        {
            Prompt = _served.Prompt(random.Next(1, 80)),
            MaxTokens = random.Next(1, 70),
            TopLogProbabilities = 1,
            Stop = random.Pick<string[]>([], ["a"], ["ab", "e"]),
            EndTokens = [hasGrammar ? s_bytes.EndOfText!.Value : random.Next(257)],
            Grammar = hasGrammar ? Grammar.FromJsonSchema(RandomSchema.Create(random)) : null,
            Sampling = new SamplingOptions
            {
                Temperature = random.Pick(0f, 1f, 1f),
                TopP = 1,
                TopK = random.Pick(0, 20),
                MinP = random.Pick(0, 0.01f),
                Seed = (ulong)random.Next(),
                PresencePenalty = random.Pick(0f, 1f),
                RepetitionPenalty = random.Pick(1f, 1.3f),
                LogitBias = random.Pick(null, new Dictionary<int, float> { ['a'] = 2, ['e'] = 3 }),
            },
        };
    }

    private static Received Run(Scheduler scheduler, GenerationRequest request)
    {
        var received = new Received();
        scheduler.Submit(request with { OnToken = received.Take });
        while (scheduler.Step()) { }
        return received;
    }
}
