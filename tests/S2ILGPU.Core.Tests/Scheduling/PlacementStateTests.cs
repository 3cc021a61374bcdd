using S2ILGPU.Scheduling;
using Xunit;

namespace S2ILGPU.Core.Tests.Scheduling;

/// <summary>Which instance gets a request.</summary>
public sealed class PlacementStateTests
{
    private static readonly PlacementState s_plain = new(IsReady: true, Sequences: 4,
        new SchedulerCounters { Running = 2, UsedBytes = 100 }, Placed: 0, KeptPrefixTokens: 32, IsSelf: false);

    // Each is better than the one before it in one thing and worse in all that decide later.
    private static readonly PlacementState[] s_rising =
    [
        s_plain with { IsReady = false, Counters = new SchedulerCounters(), KeptPrefixTokens = 99, IsSelf = true },
        s_plain with { Placed = 4, KeptPrefixTokens = 64, IsSelf = true },
        s_plain with { Counters = s_plain.Counters with { Running = 0, UsedBytes = 1 }, KeptPrefixTokens = 0 },
        s_plain with { Placed = 3, Counters = new SchedulerCounters { Running = 1 }, IsSelf = true },
        s_plain with { Counters = s_plain.Counters with { UsedBytes = 200 }, IsSelf = true },
        s_plain,
        s_plain with { IsSelf = true },
    ];

    [Fact]
    public void Candidates_are_ordered_by_the_first_thing_that_differs()
    {
        var candidates = Enumerable.Range(0, s_rising.Length).ToArray();
        int[] best = [.. candidates.Reverse()];
        Assert.Equal(best, PlacementState.Order(candidates, n => s_rising[n]));
        Assert.Equal(best, PlacementState.Order(best, n => s_rising[n]));
    }

    [Fact]
    public void An_instance_where_requests_wait_is_as_full_as_one_without_a_free_sequence()
    {
        var waits = s_plain with { Counters = new SchedulerCounters { Queued = 1 } };
        var full = s_plain with { Counters = new SchedulerCounters { Running = 4 } };
        Assert.Equal([1, 0, 2], PlacementState.Order([0, 1, 2], n => n switch { 0 => waits, 1 => s_plain, _ => full }));
    }

    [Fact]
    public void The_earlier_of_two_equal_ones_is_first() =>
        Assert.Equal([3, 1, 2], PlacementState.Order([3, 1, 2], _ => s_plain));
}
