using S2ILGPU.AttentionWorkers;
using S2ILGPU.Engines;
using S2ILGPU.Inference;
using S2ILGPU.Lending;

namespace S2ILGPU.Scheduling;

public sealed partial class Scheduler
{
    private readonly BorrowingPause _pause;
    private readonly BorrowingLedger _borrowing = new();
    private long _lentBytes, _neededBytes;                                        // under the gate
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
        {
            _pause.Begin();
            return false;
        }
        far = new BorrowedPages(_model.Engine, layers, _model.Config.QueryHeads / heads, loans, _borrowing);
        return true;
    }

    private bool MayBorrow(Branch branch) => branch.FarBytes.Count == 0 || _pause.IsOver;

    private bool IsOwnRoomLent(Branch branch) => branch.FarBytes.Count > 0 && branch.Bytes > OwnBytes;

    // Those whose pages elsewhere are gone give way, to be computed again.
    private bool IsLost(Branch branch)
    {
        if (branch.Sequence < 0 || _cache.Far(branch.Sequence) is not { IsLost: true })
            return false;
        _running.Remove(branch);
        GiveWay(branch);
        _pause.Begin();
        _borrowing.Add(losses: 1);
        return true;
    }
}
