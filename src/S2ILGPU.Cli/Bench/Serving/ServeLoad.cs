using System.Diagnostics;
using S2ILGPU.Engines;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Scheduling;
using S2ILGPU.Serving;

namespace S2ILGPU.Cli.Bench.Serving;

/// <summary>Many streaming clients of one server, on the loopback address of this machine: they share its cores.
/// </summary>
/// <remarks>The same prompts are continued one by one first, greedily: that is what every stream must equal, and what
/// the throughput is compared with.</remarks>
internal sealed class ServeLoad
{
    /// <summary>Name of the model in requests.</summary>
    public const string ModelName = "bench";

    private readonly ServeSettings _settings;
    private readonly PretrainedModel _model;
    private readonly string[] _prompts, _texts;
    private readonly double _secondsAlone;

    /// <summary>Makes the prompts, and their texts one by one.</summary>
    /// <param name="model">The model; not disposed.</param>
    /// <param name="settings">Sizes.</param>
    /// <param name="cancellation">Ends the run.</param>
    public ServeLoad(PretrainedModel model, ServeSettings settings, CancellationToken cancellation)
    {
        (_model, _settings) = (model, settings);
        using var generator = new TextGenerator(model.Model, model.Tokenizer,
            new KeyValueCacheOptions { ChunkTokens = new SchedulerOptions().ChunkTokens }, model.EndTokens);
        // The model's own texts, of different lengths, so that prompts look like what it was trained on.
        _prompts = [.. Enumerable.Range(0, settings.Prompts).Select(p => Shortened(string.Concat(generator.Generate(" ",
            Math.Max(1, settings.TextTokens * (p + 1) / settings.Prompts),
            new SamplingOptions { Seed = (ulong)p }, cancellation))))];
        Texts(); // compiles
        long start = Stopwatch.GetTimestamp();
        _texts = Texts();
        _secondsAlone = Stopwatch.GetElapsedTime(start).TotalSeconds;

        string[] Texts() => [.. _prompts.Select(prompt => string.Concat(
            generator.Generate(prompt, settings.TextTokens, new SamplingOptions { Temperature = 0 }, cancellation)))];
    }

    // A text may have more tokens than it was made of, when their bytes are no characters.
    private string Shortened(string text)
    {
        int most = Math.Max(1, _model.Model.Config.ContextTokens - _settings.TextTokens);
        while (_model.Tokenizer.Encode(text).Length > most)
        {
            int length = text.Length / 2;
            text = text[..(length > 0 && char.IsHighSurrogate(text[length - 1]) ? length - 1 : length)];
        }
        return text.Length > 0 ? text : " ";
    }

    /// <summary>Runs the clients.</summary>
    public async Task<FigureGroup> MeasureAsync(CancellationToken cancellation)
    {
        using var server = new ModelServer(_model, new ModelServerOptions
        {
            ModelName = ModelName,
            StreamInterval = _settings.StreamInterval,
            Scheduler = _settings.Scheduler with { Speculate = _settings.Speculate },
        });
        await using var host = await ApiHost.StartAsync(server, new ApiHostOptions { Port = 0 });
        using var http = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = 2 * _settings.Clients })
        {
            BaseAddress = new Uri(host.Address),
            Timeout = Timeout.InfiniteTimeSpan,
        };
        await RunAsync(http, _settings.Seconds / 10, leaves: false, cancellation); // compiles
        await BecomeIdleAsync(server, cancellation);
        var (before, memoryBefore) = (server.Counters, UsedMemory.Measure());
        // What the clients have received is gone before memory is measured again.
        Figure[] staying = [.. Figures(await RunAsync(http, _settings.Seconds, leaves: false, cancellation))];
        await BecomeIdleAsync(server, cancellation);
        var (after, memoryAfter) = (server.Counters, UsedMemory.Measure());
        var leaving = await RunAsync(http, _settings.Seconds / 5, leaves: true, cancellation);
        await BecomeIdleAsync(server, cancellation);
        return new FigureGroup($"{_settings.Clients} streaming clients for {_settings.Seconds:0} s",
            [.. staying, new Figure("pages in use at the end", after.UsedPages, null, "pages", null),
                UsedMemory.Compare(memoryBefore, memoryAfter), .. Speculation(before, after),
                .. Leaving(leaving, server.Counters.UsedPages)]);
    }

    private IEnumerable<Figure> Figures(Traffic traffic)
    {
        var complete = traffic.Texts.Where(t => t.IsComplete).ToArray();
        int tokens = complete.Sum(t => t.Tokens);
        double rate = tokens / traffic.Seconds, alone = TokensAlone(complete) / _secondsAlone;
        yield return new Figure("texts that equal their one-by-one run", Equal(traffic.Texts) / (double)
            traffic.Texts.Count, 1, "of all texts", null, $"{traffic.Texts.Count:#,0} texts{Errors(traffic.Texts)}");
        yield return new Figure("throughput over one by one", rate / alone, 6, "x", null,
            $"{rate:#,0} tokens/s, one by one {alone:#,0}");
        yield return new Figure("time to first token", Milliseconds(complete.Select(t => t.Arrivals[0]), 0.5), null,
            "ms", null, $"99 of 100 within {Milliseconds(complete.Select(t => t.Arrivals[0]), 0.99):0} ms");
        var gaps = complete.SelectMany(t => t.Arrivals.Zip(t.Arrivals.Skip(1), (a, b) => b - a)).ToArray();
        yield return new Figure("time between pieces", Milliseconds(gaps, 0.5), null, "ms", null,
            $"99 of 100 within {Milliseconds(gaps, 0.99):0} ms");
        yield return new Figure("tokens of a piece", tokens / (double)complete.Sum(t => t.Arrivals.Count), null,
            "tokens", null);
    }

    private IEnumerable<Figure> Speculation(SchedulerCounters before, SchedulerCounters after)
    {
        if (_settings.Speculate == 0)
            yield break;
        long tokens = after.GeneratedTokens - before.GeneratedTokens;
        long accepted = after.AcceptedTokens - before.AcceptedTokens;
        yield return new Figure("tokens of a text per step of its sequence", tokens / (double)(tokens - accepted), null,
            "tokens", null, SpeculationText.Of(after.Proposals - before.Proposals,
            after.ProposedTokens - before.ProposedTokens, accepted));
    }

    private IEnumerable<Figure> Leaving(Traffic traffic, long pages)
    {
        var stayed = traffic.Texts.Where(t => !t.HasLeft).ToArray();
        yield return new Figure("texts beside clients that leave, equal to their one-by-one run",
            Equal(stayed) / (double)stayed.Length, 1, "of all texts", null,
            $"{traffic.Texts.Count - stayed.Length:#,0} left, {stayed.Length:#,0} stayed{Errors(stayed)}");
        yield return new Figure("pages in use after clients left", pages, null, "pages", null);
    }

    private int Equal(IEnumerable<StreamedText> texts) => texts.Count(t => t.IsComplete && t.Text == _texts[t.Prompt]);

    // Tokens of all prompts' texts, by what the server counted for the same texts.
    private int TokensAlone(StreamedText[] complete)
    {
        var byPrompt = complete.GroupBy(t => t.Prompt).ToDictionary(g => g.Key, g => g.First().Tokens);
        return Enumerable.Range(0, _prompts.Length).Sum(p => byPrompt.GetValueOrDefault(p));
    }

    private async Task<Traffic> RunAsync(HttpClient http, double seconds, bool leaves, CancellationToken cancellation)
    {
        var client = new StreamClient(http, _settings.TextTokens);
        long start = Stopwatch.GetTimestamp();
        int next = -1;
        var texts = await Task.WhenAll(Enumerable.Range(0, _settings.Clients).Select(n => Task.Run(async () =>
        {
            var random = new Random(n);
            var own = new List<StreamedText>();
            // Every prompt comes up, however short the run is.
            while (Stopwatch.GetElapsedTime(start).TotalSeconds < seconds || Volatile.Read(ref next) < _prompts.Length)
            {
                int prompt = Interlocked.Increment(ref next) % _prompts.Length;
                int? leaveAfter = leaves && random.Next(2) == 0 ? random.Next(_texts[prompt].Length) : null;
                own.Add(await client.AskAsync(prompt, _prompts[prompt], leaveAfter, cancellation));
            }
            return own;
        }, cancellation)));
        return new Traffic([.. texts.SelectMany(own => own)], Stopwatch.GetElapsedTime(start).TotalSeconds);
    }

    private static async Task BecomeIdleAsync(ModelServer server, CancellationToken cancellation)
    {
        while (server.Counters is not { Queued: 0, Running: 0 })
            await Task.Delay(10, cancellation);
    }

    private static string Errors(IReadOnlyList<StreamedText> texts) => texts.FirstOrDefault(t => t.Error is not null)
        is { } first ? $", {texts.Count(t => t.Error is not null)} with errors such as {first.Error}" : "";

    private static double Milliseconds(IEnumerable<double> seconds, double fraction) =>
        seconds.ToArray() is { Length: > 0 } all ? new Samples(all).Quantile(fraction) * 1e3 : 0;

    private sealed record Traffic(IReadOnlyList<StreamedText> Texts, double Seconds);
}
