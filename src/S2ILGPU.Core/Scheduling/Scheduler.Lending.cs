using S2ILGPU.AttentionWorkers;
using S2ILGPU.Engines;
using S2ILGPU.Inference;
using S2ILGPU.Lending;

namespace S2ILGPU.Scheduling;

public sealed partial class Scheduler
{
    // The least mean time between two questions for pages of others, and what the thread sleeps when it has nothing
    // else to do.
    private static readonly TimeSpan s_borrowDelay = TimeSpan.FromMilliseconds(20);
    private const int MostDoublings = 3;

    private readonly BorrowingLedger _borrowing = new();
    private long _lentBytes, _neededBytes;                                        // under the gate
    private long _refusedTimestamp;
    private TimeSpan _untilBorrowing;
    private int _refusals;                                                        // one after the other
    private bool _ownWait;                                                        // under the gate

    /// <summary>Where pages are borrowed for requests that need more than there are here; null for nowhere. Set before
    /// requests come; set to null again, it ends those that need it.</summary>
    internal IPageCredit? Credit { get; set; }

    /// <summary>What was borrowed. Any thread may read it.</summary>
    internal BorrowingCounters Borrowing => _borrowing.Counters;

    /// <summary>What the pages of this scheduler may take, without those that are lent.</summary>
    private long OwnBytes
    {
        get
        {
            lock (_gate)
                return _options.MaxBytes - _lentBytes;
        }
    }

    /// <summary>Reserves bytes of pages for another instance, where no running request may need them and none waits.
    /// Any thread may call it.</summary>
    internal bool TryLend(long bytes)
    {
        lock (_gate)
        {
            if (_ownWait || bytes > _options.MaxBytes - _lentBytes - _neededBytes)
                return false;
            _lentBytes += bytes;
            return true;
        }
    }

    /// <summary>Bytes that <see cref="TryLend"/> would lend. Any thread may call it.</summary>
    internal long LendableBytes
    {
        get
        {
            lock (_gate)
                return _ownWait ? 0 : Math.Max(0, _options.MaxBytes - _lentBytes - _neededBytes);
        }
    }

    /// <summary>A lender of free pages.</summary>
    /// <param name="engine">Holds them and computes over them.</param>
    /// <param name="changed">Told when there are fewer or more pages for this scheduler's own requests.</param>
    internal PageLender CreateLender(IEngine engine, Action changed) => new(_model, _options.Cache, engine, bytes =>
    {
        bool isLent = TryLend(bytes);
        changed();
        return isLent;
    }, bytes =>
    {
        TakeBack(bytes);
        changed();
    });

    /// <summary>Takes lent bytes back. Any thread may call it.</summary>
    internal void TakeBack(long bytes)
    {
        lock (_gate)
            _lentBytes -= bytes;
    }

    // The fewest heads of layers whose far blocks must be elsewhere for the rest to fit; null when that is not
    // possible.
    private (long Bytes, long[] FarBytes)? DemandWithCredit(int longest)
    {
        if (Credit is not { } credit || _model.Sample is not null
            || !WireTensors.Carries(_options.ElementType ?? _model.ActivationType))
            return null;
        int layers = _model.Config.Layers, all = layers * _model.Config.KeyValueHeads, first = all;
        long bytes;
        do
            bytes = _demand.NearBytes(longest, --first);
        while (bytes > _options.MaxBytes && first > 0);
        long[] far = [.. Enumerable.Range(first, all - first).Select(number =>
            _demand.FarBytes(longest, number % layers, number / layers))];
        return bytes <= _options.MaxBytes && credit.MayLend(first, far) ? (bytes, far) : null;
    }

    // False when a request must wait for pages of others.
    private bool TryBorrow(Branch branch, out IFarPages? far)
    {
        far = null;
        if (branch.FarBytes.Count == 0)
            return true;
        int layers = _model.Config.Layers, heads = _model.Config.KeyValueHeads;
        if (Credit?.TryBorrow(layers * heads - branch.FarBytes.Count, branch.FarBytes) is not { } loans)
            return false;
        far = new BorrowedPages(_model.Engine, layers, _model.Config.QueryHeads / heads, loans, _borrowing);
        return true;
    }

    private bool MayBorrow(Branch branch) => branch.FarBytes.Count == 0 || _refusedTimestamp == 0
        || _time.GetElapsedTime(_refusedTimestamp) >= _untilBorrowing;

    // Instances that reserve each other's pages at the same time all fail. As each waits a random time, longer after
    // every failure and never short beside what asking takes, one comes first in the end.
    private void PutOffBorrowing(long start)
    {
        var asked = _time.GetElapsedTime(start);
        _untilBorrowing = (asked > s_borrowDelay ? asked : s_borrowDelay)
            * (2 * Random.Shared.NextDouble() * (1 << Math.Min(_refusals++, MostDoublings)));
        _refusedTimestamp = _time.GetTimestamp();
    }

    // Those whose pages elsewhere are gone give way, to be computed again.
    private bool IsLost(Branch branch)
    {
        if (branch.Sequence < 0 || _cache.Far(branch.Sequence) is not { IsLost: true })
            return false;
        _running.Remove(branch);
        GiveWay(branch);
        PutOffBorrowing(_time.GetTimestamp());
        _borrowing.Add(losses: 1);
        return true;
    }
}
