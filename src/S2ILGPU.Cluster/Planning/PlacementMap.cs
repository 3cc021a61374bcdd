using Orleans.Placement;
using S2ILGPU.Cluster.Wire;

namespace S2ILGPU.Cluster.Planning;

/// <summary>Which instance holds pages of which, as the heartbeats say. It may be stale: the creditor itself decides
/// whether it lends. Not thread-safe.</summary>
/// <param name="lease">An instance that is silent for so long is forgotten.</param>
/// <param name="weightBytes">Bytes of the weights of an instance.</param>
/// <param name="time">The clock.</param>
internal sealed class PlacementMap(TimeSpan lease, long weightBytes, TimeProvider time)
{
    private readonly Dictionary<string, Entry> _instances = [];

    /// <summary>The loans of an instance.</summary>
    public IReadOnlyCollection<LoanEntry> LoansOf(string instance) =>
        _instances.TryGetValue(instance, out var entry) ? entry.Loans.Values : [];

    /// <inheritdoc cref="IPagePlan.BeatAsync"/>
    public PlanAnswer Take(string instance, PoolBeat beat)
    {
        foreach (string silent in _instances.Where(i => time.GetElapsedTime(i.Value.Heard) > lease)
            .Select(i => i.Key).ToArray())
            _instances.Remove(silent);
        if (beat.IsWhole)
            _instances[instance] = new Entry();
        else if (!_instances.TryGetValue(instance, out var known) || known.Number + 1 != beat.Number)
        {
            _instances.Remove(instance);
            return new PlanAnswer(IsKnown: false, [], []);
        }
        var entry = _instances[instance];
        (entry.Number, entry.Load, entry.Heard) = (beat.Number, beat.Load, time.GetTimestamp());
        foreach (var id in beat.Ended)
            entry.Loans.Remove(id);
        foreach (var loan in beat.Begun)
            entry.Loans[loan.Id] = loan;
        var others = _instances.Where(other => other.Key != instance)
            .Select(other => (other.Key, other.Value.Load)).ToArray();
        return new PlanAnswer(IsKnown: true, [.. others.Select(other => new PoolSize(other.Key, other.Load.MostBytes))],
            beat.Wish is null ? [] : LendingPlan.Make(beat.Wish, others, weightBytes));
    }

    private sealed class Entry
    {
        public long Number { get; set; }

        public long Heard { get; set; }

        public PoolLoad Load { get; set; } = new(0, 0, 0, 0);

        public Dictionary<Guid, LoanEntry> Loans { get; } = [];
    }
}

/// <summary>What the plan needs to know.</summary>
/// <param name="Lease">How long a silent instance stays in the map.</param>
/// <param name="WeightBytes">Bytes of the weights of an instance.</param>
internal sealed record PlanSettings(TimeSpan Lease, long WeightBytes);

/// <inheritdoc cref="IPagePlan"/>
[PreferLocalPlacement]
internal sealed class PagePlan(PlanSettings settings) : Grain, IPagePlan
{
    private readonly PlacementMap _map = new(settings.Lease, settings.WeightBytes, TimeProvider.System);

    public Task<PlanAnswer> BeatAsync(string instance, PoolBeat beat) => Task.FromResult(_map.Take(instance, beat));
}
