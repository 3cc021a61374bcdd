using System.Diagnostics;
using Orleans.Runtime;
using S2ILGPU.Cluster.Hosting;
using S2ILGPU.Cluster.Membership;
using S2ILGPU.Cluster.Planning;
using S2ILGPU.Cluster.Wire;
using S2ILGPU.Lending;
using S2ILGPU.Serving;

namespace S2ILGPU.Cluster.Lending;

/// <summary>Pages of the other instances for this one (Infinite-LLM's rManager): sends heartbeats, reserves what the
/// plan says, and has it ready for the scheduler, which never waits here.</summary>
internal sealed class PageCredit : IPageCredit, IAsyncDisposable
{
    private static readonly TimeSpan s_beat = TimeSpan.FromMilliseconds(500), s_pause = TimeSpan.FromMilliseconds(50);

    private readonly ModelServer _server;
    private readonly InstanceServices _instances;
    private readonly IPagePlan _plan;
    private readonly LendingHost _lending;
    private readonly string _fingerprint, _self;
    private readonly Cluster.ClusterOptions _options;
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _wake = new(0, 1);
    private readonly Lock _gate = new();
    private readonly Dictionary<Guid, PageLoan> _open = [];                             // under the gate
    private LoanWish? _wish;                                                            // under the gate
    private List<PageLoan>? _ready;                                                     // under the gate, for the wish
    private long _asked;                                                                // under the gate
    private readonly Task _beats;
    private readonly HashSet<Guid> _told = [];
    private volatile PoolSize[] _others = [];
    private long _number;
    private bool _isKnown;

    public PageCredit(ModelServer server, InstanceServices instances, IGrainFactory grains, LendingHost lending,
        string fingerprint, Cluster.ClusterOptions options)
    {
        (_server, _instances, _lending, _fingerprint, _options) = (server, instances, lending, fingerprint, options);
        (_self, _plan) = (instances.Self.ToParsableString(), grains.GetGrain<IPagePlan>(0));
        _beats = Task.Run(RunAsync);
    }

    public long MostBytes => _others.Sum(other => other.Bytes);

    public bool MayLend(int first, IReadOnlyList<long> bytes) =>
        LendingPlan.IsPossible(new LoanWish(first, [.. bytes]), _others);

    public IReadOnlyList<IPageLoan>? TryBorrow(int first, IReadOnlyList<long> bytes)
    {
        var wish = new LoanWish(first, [.. bytes]);
        List<PageLoan>? unused;
        lock (_gate)
        {
            _asked = Stopwatch.GetTimestamp();
            if (wish.Is(_wish))
            {
                if (_ready is not { } loans)
                    return null;
                (_wish, _ready) = (null, null);
                return loans;
            }
            (unused, _ready, _wish) = (_ready, null, wish);
        }
        unused?.ForEach(loan => loan.Dispose());
        if (_wake.CurrentCount == 0)
            _wake.Release();                                                            // only this thread does
        return null;
    }

    /// <summary>Ends the heartbeats.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _beats;
        Forget(TimeSpan.Zero);
    }

    private async Task RunAsync()
    {
        while (!_stop.IsCancellationRequested)
            try
            {
                await BeatAsync();
                await Task.Delay(s_pause, _stop.Token);
                bool isWaiting;
                lock (_gate)
                    isWaiting = _wish is not null && _ready is null;
                if (!isWaiting)
                    await _wake.WaitAsync(s_beat, _stop.Token);
            }
            catch (Exception)
            {
                // The plan's instance is gone, or busy; it will be found elsewhere, and wants to know everything then.
                _isKnown = false;
                await Task.Delay(s_beat, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
    }

    private async Task BeatAsync()
    {
        _lending.Lender.EndSilent(_options.Lease);
        Forget(_options.Lease);
        PageLoan[] open;
        LoanWish? wish;
        lock (_gate)
            (open, wish) = ([.. _open.Values], _ready is null ? _wish : null);
        foreach (var loans in open.GroupBy(loan => loan.Creditor))
            _instances[loans.Key].RenewAsync([.. loans.Select(loan => loan.Entry.Id)]).Ignore();
        if (!_isKnown)
            _told.Clear();
        var counters = _server.Counters;
        var ids = open.Select(loan => loan.Entry.Id).ToHashSet();
        var load = new PoolLoad(counters.Running, counters.UsedBytes + _lending.Lender.Counters.UsedBytes,
            _lending.FreeBytes, _lending.MostBytes);
        var answer = await _plan.BeatAsync(_self, new PoolBeat(++_number, !_isKnown, load,
            [.. open.Where(loan => !_told.Contains(loan.Entry.Id)).Select(loan => loan.Entry)],
            [.. _told.Except(ids)], wish)).WaitAsync(_stop.Token);
        _told.Clear();
        _told.UnionWith(ids);
        if (_isKnown = answer.IsKnown)
            _others = answer.Others;
        if (answer.Loans.Length > 0)
            await ReserveAsync(wish!, answer.Loans);
    }

    // All of a plan or nothing: the map may be stale, and then the next plan is waited for.
    private async Task ReserveAsync(LoanWish wish, PlannedLoan[] plan)
    {
        var loans = new List<PageLoan>();
        bool isWhole = true;
        foreach (var part in plan)
        {
            var entry = new LoanEntry(Guid.NewGuid(), part.Creditor, part.First, part.Count, part.Bytes);
            var loan = new PageLoan(_instances, SiloAddress.FromParsableString(part.Creditor), entry, _options, Close);
            loans.Add(loan);
            lock (_gate)
                _open[entry.Id] = loan;
            if (!(isWhole = await TryLendAsync(loan)))
                break;
        }
        lock (_gate)
            if (isWhole && wish.Is(_wish) && _ready is null)
            {
                _ready = loans;
                return;
            }
        loans.ForEach(loan => loan.Dispose());
    }

    private async Task<bool> TryLendAsync(PageLoan loan)
    {
        try
        {
            var entry = loan.Entry;
            return await _instances[loan.Creditor].LendAsync(entry.Id, _fingerprint, entry.First, entry.Count,
                entry.Bytes).WaitAsync(_stop.Token);
        }
        catch (Exception)
        {
            return false;                                                               // it is gone
        }
    }

    // Gives back what the scheduler has not asked for during a time.
    private void Forget(TimeSpan time)
    {
        List<PageLoan>? unused = null;
        lock (_gate)
            if (Stopwatch.GetElapsedTime(_asked) >= time)
                (unused, _ready, _wish) = (_ready, null, null);
        unused?.ForEach(loan => loan.Dispose());
    }

    private void Close(Guid id)
    {
        lock (_gate)
            _open.Remove(id);
    }
}
