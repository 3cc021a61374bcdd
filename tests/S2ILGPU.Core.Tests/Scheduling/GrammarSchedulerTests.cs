using System.Text.Json;
using S2ILGPU.Core.Tests.Grammars;
using S2ILGPU.Grammars;
using S2ILGPU.Inference;
using S2ILGPU.Scheduling;
using S2ILGPU.TestSupport;
using S2ILGPU.Tokenizers;
using Xunit;

namespace S2ILGPU.Core.Tests.Scheduling;

/// <summary>Texts that follow a grammar, side by side with others.</summary>
public sealed class GrammarSchedulerTests : IDisposable
{
    private const int EndToken = 256;

    private static readonly BytePairTokenizer s_bytes = new BytePairTrainer().Build(257); // a token per byte
    private static readonly TokenTrie s_trie = new(s_bytes);

    // What closes is likely, so that random texts end.
    private static readonly Dictionary<int, float> s_closing =
        "\"]}".ToDictionary(c => (int)c, _ => 3f);

    private readonly ServedModel _served = new(257);

    public void Dispose() => _served.Dispose();

    [Fact]
    public void Texts_meet_their_schemas_through_forks_and_preemption() => MeetSchemas(rounds: 1, requests: 16);

    [LongFact]
    public void Many_texts_meet_their_schemas() => MeetSchemas(rounds: 20, requests: 60);

    // Some more rounds where chance has brought no preemption or no whole text.
    private void MeetSchemas(int rounds, int requests)
    {
        long whole = 0, preemptions = 0;
        for (int round = 0; round < rounds
            || (preemptions == 0 || whole == 0) && round < rounds + 10; round++)
        {
            var (wholeOfRound, preemptionsOfRound) = MeetSchemas(requests);
            (whole, preemptions) = (whole + wholeOfRound, preemptions + preemptionsOfRound);
        }
        Assert.True(preemptions > 0 && whole > 0, $"{whole} whole texts, {preemptions} preemptions; {Seeds.Text}");
    }

    private (int Whole, long Preemptions) MeetSchemas(int requests)
    {
        var random = _served.Random;
        using var scheduler = new Scheduler(_served.Model, new SchedulerOptions
        {
            Sequences = 8, ChunkTokens = ServedModel.ChunkTokens, StepTokens = 80, MaxQueued = requests,
            Speculate = random.Pick(0, 5),
        }, s_bytes);
        var all = new List<(JsonElement Schema, GenerationRequest Request, Received Received)>();
        for (int n = 0; n < requests; n++)
        {
            var schema = RandomSchema.Create(random);
            var received = new Received();
            var request = new GenerationRequest
            {
                Prompt = _served.Prompt(random.Next(1, 40)),
                MaxTokens = random.Pick(5, 110, 110),
                Choices = random.Next(1, 4),
                Grammar = Grammar.FromJsonSchema(schema),
                Sampling = new SamplingOptions
                {
                    Temperature = random.Pick(0f, 1f, 1f),
                    TopP = 1,
                    TopK = random.Pick(0, 20),
                    Seed = (ulong)random.Next(),
                    LogitBias = s_closing,
                    PresencePenalty = random.Pick(0f, 1f),
                },
                Priority = random.Next(3),
                EndTokens = [EndToken],
                OnToken = received.Take,
            };
            scheduler.Submit(request);
            all.Add((schema, request, received));
            scheduler.Step();
        }
        while (scheduler.Step()) { }
        int whole = 0;
        foreach (var (schema, request, received) in all)
            for (int choice = 0; choice < request.Choices; choice++)
                whole += Check(schema, request, received, choice) ? 1 : 0;
        return (whole, scheduler.Counters.Preemptions);
    }

    // Whether the text is whole.
    private bool Check(JsonElement schema, GenerationRequest request, Received received, int choice)
    {
        string text = received.TextOf(choice), what = $"{schema}: {text}; {Seeds.Text}";
        int[] tokens = received.Tokens(choice);
        Assert.Equal(_served.Alone(request, choice, s_trie), tokens);
        if (received.Finish(choice) == FinishReason.Stop)
        {
            using var document = JsonDocument.Parse(text);
            Assert.True(SchemaValidator.Accepts(schema, document.RootElement), what);
            return true;
        }
        Assert.True(tokens.Length == request.MaxTokens, what);
        Assert.Equal(FinishReason.Length, received.Finish(choice));
        Assert.True(new GrammarMatcher(request.Grammar!).Accept(s_bytes.DecodeBytes(tokens)), what);
        return false;
    }

    [Fact]
    public void Choices_share_what_their_grammar_computed()
    {
        string names = string.Join(',', Enumerable.Range(0, 300).Select(i => $"\"p{i}\":{{\"type\":\"null\"}}"));
        var request = new GenerationRequest
        {
            Prompt = [1],
            Grammar = Grammar.FromJsonSchema(JsonDocument.Parse(
                $$"""{"type":"object","properties":{ {{names}} } }""").RootElement),
            Sampling = new SamplingOptions { Temperature = 0, LogitBias = s_closing },
            EndTokens = [EndToken],
        };
        var logits = new float[257];
        foreach (ref float logit in logits.AsSpan())
            logit = _served.Random.NextSingle();
        long Draw(int choices)
        {
            var constraint = new TokenConstraint(request.Grammar, s_trie, request.EndTokens);
            var owner = new SubmittedRequest(request, 0);
            Branch[] branches = [.. Enumerable.Range(0, choices).Select(choice =>
                new Branch(owner, choice, s_bytes, constraint.Copy()))];
            for (int step = 0; step < 20 && !branches[0].IsStopped; step++)
                foreach (var branch in branches)
                    branch.Append(branch.Draw(logits));
            return constraint.ComputedPairs;
        }
        long alone = Draw(1);
        Assert.InRange(alone, 300, long.MaxValue);
        Assert.Equal(alone, Draw(16));

        // and a scheduler makes one for all choices
        using var scheduler = new Scheduler(_served.Model,
            new SchedulerOptions { Sequences = 16, StepTokens = 80, ChunkTokens = 32 }, s_bytes);
        long Submit(int choices) =>
            Allocations.OfEveryRun(() => scheduler.Submit(request with { Choices = choices }));
        long one = Submit(1), all = Submit(16);
        Assert.True(all < 2 * one, $"{one} bytes for one choice, {all} for 16");
    }

    // Else the masks of one text, some 10 times as much work as the step, are computed between all steps.
    [Fact]
    public void Too_many_ways_at_once_end_their_text_and_no_other()
    {
        var trainer = new BytePairTrainer();
        for (int word = 0; word < 8; word++)
        {
            byte[] letters = [.. Enumerable.Range(1, 40).Select(i => (byte)('a' + i * i * i * (word + 3) % 26))];
            for (int time = 0; time < 5; time++)
                trainer.Add([.. letters, (byte)'\n']);
        }
        var tokenizer = trainer.Build(500);                               // long tokens, as large vocabularies have
        using var served = new ServedModel(tokenizer.VocabularySize);
        using var scheduler = new Scheduler(served.Model,
            new SchedulerOptions { Sequences = 6, StepTokens = 80, ChunkTokens = 32 }, tokenizer);
        string items = string.Join(',', Enumerable.Range(0, 40).Select(n =>
            $$"""{"type":"string","minLength":{{n}} }"""));
        string arrays = string.Join(',', Enumerable.Range(0, 25).Select(n =>
            $$"""{"type":"array","minItems":{{n}},"items":{"anyOf":[{{items}}]} }"""));
        Received failing = new(), other = new();
        var request = new GenerationRequest
        {
            Prompt = [1],
            MaxTokens = 40,
            Choices = 3,
            Grammar = Grammar.FromJsonSchema(JsonDocument.Parse($$"""{"anyOf":[{{arrays}}]}""").RootElement),
            Sampling = new SamplingOptions
            {
                Temperature = 0,
                LogitBias = new Dictionary<int, float> { ['['] = 100, ['"'] = 50 },
            },
            EndTokens = [tokenizer.EndOfText!.Value],
            OnToken = failing.Take,
        };
        var plain = new GenerationRequest { Prompt = [1, 2], MaxTokens = 40, OnToken = other.Take };
        scheduler.Submit(request);
        scheduler.Submit(plain);
        for (int step = 1; step <= plain.MaxTokens; step++)
        {
            scheduler.Step();
            Assert.Equal(step, other.Tokens().Length);
        }
        Assert.False(scheduler.Step());
        Assert.Equal(served.Alone(plain), other.Tokens());
        for (int choice = 0; choice < request.Choices; choice++)
        {
            Assert.StartsWith("[\"", failing.TextOf(choice), StringComparison.Ordinal);
            Assert.Equal(FinishReason.Failed, failing.Finish(choice));
            Assert.Contains("too many ways at once", failing.All.Last(t => t.Choice == choice).Failure,
                StringComparison.Ordinal);
        }
        // where a text begins there, at the door
        Assert.Contains("too many ways at once", Assert.Throws<ArgumentException>(() =>
            scheduler.Submit(request with { Choices = 1, Generated = failing.Tokens() })).Message);
        Assert.Equal(0, scheduler.Counters.Queued);
    }

    [Fact]
    public void A_whole_text_ends_at_once_and_end_tokens_wait_for_it()
    {
        using var scheduler = new Scheduler(_served.Model,
            new SchedulerOptions { Sequences = 2, StepTokens = 80, ChunkTokens = 32 }, s_bytes);
        var received = new Received();
        var request = new GenerationRequest
        {
            Prompt = [1],
            MaxTokens = 100,
            Grammar = Grammar.FromJsonSchema(JsonDocument.Parse("""{"const":[1]}""").RootElement),
            // the end token is what the model wants most
            Sampling = new SamplingOptions { LogitBias = new Dictionary<int, float> { [EndToken] = 100 } },
            EndTokens = [EndToken],
            TopLogProbabilities = 1,
            OnToken = received.Take,
        };
        scheduler.Submit(request);
        scheduler.Submit(request with { OnToken = null, Grammar = null });
        while (scheduler.Step()) { }
        Assert.Equal("[1]", received.Text);
        Assert.Equal(FinishReason.Stop, received.All[2].Finish);
        // of the model's own distribution, where other tokens are likely
        Assert.All(received.All, token => Assert.True(token.LogProbability < 0));
        Assert.Throws<ArgumentException>(() =>
        {
            using var plain = new Scheduler(_served.Model);
            plain.Submit(request);
        });
    }

    // Else a text could stand where no token may follow, and the step of all requests fails.
    [Fact]
    public void A_byte_without_a_token_of_its_own_is_refused()
    {
        using var scheduler = new Scheduler(_served.Model, tokenizer: s_bytes);
        var request = new GenerationRequest { Prompt = [1], Grammar = Grammar.JsonObject, EndTokens = ['{', EndToken] };
        var error = Assert.Throws<ArgumentException>(() => scheduler.Submit(request));
        Assert.Contains("byte 0x7B", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, scheduler.Counters.Queued);
        scheduler.Submit(request with { EndTokens = [EndToken, 0xC0] });
        Assert.Null(s_trie.MissingByte([EndToken, 0xC1, 0xF5]));
        Assert.Equal(0x61, s_trie.MissingByte(['b', 'a']));
    }
}
