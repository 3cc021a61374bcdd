using S2ILGPU.Scheduling;
using Xunit;

namespace S2ILGPU.Core.Tests.Scheduling;

public sealed class SchedulerThreadTests : IDisposable
{
    private static readonly SchedulerOptions s_options =
        new() { Sequences = 4, ChunkTokens = ServedModel.ChunkTokens, StepTokens = 80 };

    private readonly ServedModel _served = new();

    public void Dispose() => _served.Dispose();

    [Fact]
    public async Task Requests_of_a_stream_get_the_tokens_that_they_get_alone()
    {
        using var thread = new SchedulerThread(_served.Model, s_options);
        var own = new Received();
        GenerationRequest first = new() { Prompt = _served.Prompt(40), MaxTokens = 20, Choices = 2 },
            second = new() { Prompt = _served.Prompt(7), MaxTokens = 9, OnToken = own.Take };
        using var stream = thread.Submit(first, second);
        var received = new Received();
        await foreach (var token in stream.ReadAsync(TestContext.Current.CancellationToken))
            received.Take(token);
        Assert.Equal(3, stream.Texts);
        Assert.Equal(_served.Alone(first, 0), received.Tokens(0));
        Assert.Equal(_served.Alone(first, 1), received.Tokens(1));
        Assert.Equal(_served.Alone(second), received.Tokens(2));
        Assert.Equal(received.Tokens(2), own.Tokens(2));
        Assert.All(stream.Requests, request => Assert.True(request.IsFinished && request.QueueTime >= TimeSpan.Zero));
    }

    [Fact]
    public async Task A_stream_of_many_requests_leaves_the_next_place_to_another_stream()
    {
        using var thread = new SchedulerThread(_served.Model, s_options);
        var request = new GenerationRequest { Prompt = _served.Prompt(3), MaxTokens = 4 };
        int begun = 0, begunBefore = 0;
        TokenStream? later = null;
        void Begin(GeneratedToken token)
        {
            begun++;
            // on the scheduler's thread, while all others wait or run
            later ??= thread.Submit(request with
            {
                OnToken = _ => begunBefore = begunBefore == 0 ? begun : begunBefore,
            });
        }
        using var many = thread.Submit([.. Enumerable.Range(0, 100).Select(_ =>
        {
            bool isBegun = false;
            return request with
            {
                OnToken = token =>
                {
                    if (!isBegun)
                        Begin(token);
                    isBegun = true;
                },
            };
        })]);
        await many.Ended;
        using (later)
            await later!.Ended;
        Assert.Equal(100, begun);
        // those that ran already, and those that begin in the same step
        Assert.InRange(begunBefore, 1, 2 * s_options.Sequences);
    }

    [Fact]
    public async Task Refused_requests_leave_none_behind()
    {
        using var thread = new SchedulerThread(_served.Model, s_options with { Prefixes = 0 });
        GenerationRequest good = new() { Prompt = _served.Prompt(9), MaxTokens = 100 };
        Assert.Throws<ArgumentException>(() => thread.Submit(good, good with { Prompt = [-1] }));
        Assert.Throws<ArgumentException>(() => thread.Submit());
        while (thread.Counters is not { Queued: 0, Running: 0, UsedPages: 0 })
            await Task.Delay(1, TestContext.Current.CancellationToken);
        Assert.Empty((await thread.CaptureAsync(TestContext.Current.CancellationToken)).Sequences);
    }

    [Fact]
    public async Task Failure_ends_streams_and_snapshots()
    {
        using var thread = new SchedulerThread(_served.Model, s_options);
        // A callback must not throw; this one stands for a step that fails.
        using var stream = thread.Submit(new GenerationRequest
        {
            Prompt = _served.Prompt(9),
            OnToken = _ => throw new InvalidDataException("damaged"),
        });
        await Assert.ThrowsAsync<InvalidOperationException>(async () =>
        {
            await foreach (var _ in stream.ReadAsync(TestContext.Current.CancellationToken)) { }
        });
        Assert.IsType<InvalidDataException>(thread.Failure);
        Assert.Contains("damaged", Assert.Throws<InvalidOperationException>(() =>
            thread.Submit(new GenerationRequest { Prompt = [1] })).Message);
        await Assert.ThrowsAsync<InvalidOperationException>(() =>
            thread.CaptureAsync(TestContext.Current.CancellationToken));
    }
}
