using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Xunit;

namespace S2ILGPU.Serving.Tests;

public sealed class TelemetryTests
{
    private const string Secret = "Line 5 of some text";

    [Fact]
    public async Task Request_is_a_span_with_the_attributes_of_the_conventions()
    {
        // Requests of other tests, which run meanwhile, have another model's name.
        const string Name = "traced";
        var ended = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "S2ILGPU.Serving",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = activity =>
            {
                if (activity.DisplayName.EndsWith(Name, StringComparison.Ordinal))
                    ended.Enqueue(activity);
            },
        };
        ActivitySource.AddActivityListener(listener);
        await using var server = await TestServer.StartAsync(o => o with { ModelName = Name });
        var answer = await server.SucceedAsync("/v1/completions", $$"""
            {"model":"traced","prompt":"{{Secret}}","max_tokens":9,"n":2,"temperature":0.5,"seed":3}
            """);
        var span = Assert.Single(ended);
        Assert.Equal("text_completion traced", span.DisplayName);
        var tags = span.TagObjects.ToDictionary(tag => tag.Key, tag => tag.Value);
        Assert.Equal("text_completion", tags["gen_ai.operation.name"]);
        Assert.Equal(Name, tags["gen_ai.request.model"]);
        Assert.Equal(9, tags["gen_ai.request.max_tokens"]);
        Assert.Equal(2, tags["gen_ai.request.choice.count"]);
        Assert.Equal(0.5, tags["gen_ai.request.temperature"]);
        Assert.Equal(answer.GetProperty("usage").GetProperty("prompt_tokens").GetInt32(),
            tags["gen_ai.usage.input_tokens"]);
        Assert.Equal(18, tags["gen_ai.usage.output_tokens"]);
        Assert.Equal(["length", "length"], (string[])tags["gen_ai.response.finish_reasons"]!);
        Assert.EndsWith((string)tags["gen_ai.response.id"]!, answer.GetProperty("id").GetString());
        double queued = (double)tags["s2.queue_time"]!, first = (double)tags["s2.time_to_first_token"]!;
        Assert.InRange(queued, 0, first);
        Assert.InRange(first, 0, span.Duration.TotalSeconds);
        Assert.DoesNotContain(span.TagObjects, tag => $"{tag.Value}".Contains(Secret, StringComparison.Ordinal));

        await server.BecomeIdleAsync();                                   // no step runs that could fail instead
        server.Damage();
        using var failed = await server.PostAsync("/v1/chat/completions",
            """{"model":"traced","messages":[{"role":"user","content":"a"}]}""");
        Assert.Equal(503, (int)failed.StatusCode);
        var failure = ended.Last();
        Assert.Equal(ActivityStatusCode.Error, failure.Status);
        Assert.Equal("chat traced", failure.DisplayName);
        Assert.Equal(typeof(InvalidDataException).FullName, failure.GetTagItem("error.type"));
    }

    [Fact]
    public async Task Log_has_requests_and_the_life_of_the_server_but_no_texts()
    {
        var log = new Recorder();
        await using (var server = await TestServer.StartAsync(logger: log))
        {
            await server.SucceedAsync("/v1/completions",
                $$"""{"model":"tiny","prompt":"{{Secret}}","max_tokens":4,"temperature":0}""");
            using var refused = await server.PostAsync("/v1/completions",
                $$"""{"model":"{{Secret}}","prompt":"{{Secret}}"}""");
            Assert.Equal(404, (int)refused.StatusCode);
            await server.Server.DrainAsync();
        }
        string[] information = [.. log.Messages.Where(m => m.Level >= LogLevel.Information).Select(m => m.Text)];
        Assert.Collection(information,
            text => Assert.Equal("Serving tiny: up to 160 tokens, 8 sequences", text),
            text => Assert.Matches(@"^text_completion \w+ ended: \d+ tokens in, 4 out, .*, length$", text),
            text => Assert.Equal("Refused with 404: model_not_found model", text),
            text => Assert.Equal("Draining: new requests are refused, 0 still run", text),
            text => Assert.Equal("Stopped", text));
        Assert.DoesNotContain(information, text => text.Contains(Secret, StringComparison.Ordinal));
        Assert.Contains(log.Messages, m => m.Level == LogLevel.Debug && m.Text.Contains(Secret));
    }

    private sealed class Recorder : ILogger<ModelServer>
    {
        public ConcurrentQueue<(LogLevel Level, string Text)> Messages { get; } = [];

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter) => Messages.Enqueue((logLevel, formatter(state, exception)));
    }
}
