using ILGPU;

namespace S2ILGPU.KernelLab;

/// <summary>Runs the groups of a launch one after another; how the threads of a group run is up to the two kinds of executor.</summary>
internal abstract class Executor
{
    private readonly int[] _counts = new int[2];
    private Exception? _failure;
    private int[] _order = [];
    private int _groupNumber;
    private int _barrierNumber;

    protected Lane[] Lanes { get; private set; } = [];

    protected int Threads { get; private set; }

    protected Launch Launch { get; private set; } = null!;

    /// <summary>Random decisions of the schedule.</summary>
    protected Random Random { get; private set; } = new(0);

    protected bool HasFailed => Volatile.Read(ref _failure) is not null;

    /// <summary>Set at the end of a launch.</summary>
    protected MonitorSignal Done { get; } = new();

    /// <summary>Threads that ended and barriers that were passed; a launch in which it stands still hangs.</summary>
    internal long Progress;

    internal abstract void GroupBarrier(Site site);

    /// <summary>The meeting of a warp. Shuffles meet like a barrier but, as on the device, order no memory.</summary>
    internal abstract void WarpBarrier(bool ordersMemory, Site site);

    /// <summary>Runs the launch to its end.</summary>
    internal void Run(Launch launch)
    {
        Prepare(launch);
        if (NextGroup())
        {
            Start();
            WaitForEnd();
        }
        if (_failure is not null)
            throw new KernelFaultException($"{launch.Name}: {_failure.Message}", _failure);
    }

    internal int Count(bool predicate, Site site)
    {
        int parity = _barrierNumber & 1;
        if (predicate)
            Interlocked.Increment(ref _counts[parity]);
        GroupBarrier(site);
        return _counts[parity];
    }

    internal unsafe T Exchange<T>(T value, int source, Site site)
        where T : unmanaged
    {
        var lane = Engine.Current;
        int round = Meet(lane, value, site);
        int at = lane.WarpIdx * Engine.WarpSize + source;
        return (uint)source < Engine.WarpSize && at < Threads ? *(T*)Lanes[at].Slot(round) : value;
    }

    internal unsafe void Gather<T>(T value, Span<T> all, Site site)
        where T : unmanaged
    {
        var lane = Engine.Current;
        int round = Meet(lane, value, site);
        int first = lane.WarpIdx * Engine.WarpSize;
        for (int i = 0; i < Engine.WarpSize; i++)
            all[i] = first + i < Threads ? *(T*)Lanes[first + i].Slot(round) : default;
    }

    /// <summary>Starts the threads of the first group.</summary>
    protected abstract void Start();

    /// <summary>Prepares the threads' states for a group.</summary>
    protected abstract void BeginGroup();

    /// <summary>Moves to the next group; false if the launch has ended.</summary>
    protected bool NextGroup()
    {
        if (_groupNumber >= 0)
            Record("at the end");
        if (HasFailed || ++_groupNumber == _order.Length)
            return false;
        var grid = Launch.Config.GridDim;
        int group = _order[_groupNumber];
        Engine.GroupIndex = new Index3D(group % grid.X, group / grid.X % grid.Y, group / (grid.X * grid.Y));
        for (int i = 0; i < Threads; i++)
            Lanes[i].Begin(Launch.Config.GroupDim);
        _barrierNumber = 0;
        Array.Clear(_counts);
        Shadow.BeginGroup();
        Engine.Shared.BeginGroup(Launch.Config.SharedMemoryConfig, Launch.Session.Schedule.Poison);
        BeginGroup();
        return true;
    }

    /// <summary>All threads of the group have met.</summary>
    protected void PassBarrier(Site site)
    {
        Record($"at barrier {_barrierNumber} ({site})");
        _barrierNumber++;
        _counts[_barrierNumber & 1] = 0;
        Shadow.Barrier();
        Interlocked.Increment(ref Progress);
    }

    /// <summary>Runs the kernel for one thread.</summary>
    protected void RunBody(Lane lane)
    {
        if (HasFailed)
            return;
        lane.State = LaneState.Running;
        try
        {
            Launch.Body();
            if (lane.Copies.Count > 0)
                Launch.Session.Report(FindingKind.UnwaitedCopy, lane.Copies.Oldest.ToString(),
                    $"unwaited copy: {lane} ended with {lane.Copies.Count} asynchronous copies not waited for, the oldest issued at {lane.Copies.Oldest}");
            AccessLog.Drain(lane);
        }
        catch (Abandoned)
        {
            AccessLog.Discard();
        }
        catch (Exception e)
        {
            AccessLog.Discard();
            Fail(Fault.InThread(e, lane));
        }
        Interlocked.Increment(ref Progress);
    }

    /// <summary>The first failure counts.</summary>
    protected virtual void Fail(Exception failure) => KeepFirst(failure);

    protected void FailDivergent(string what) => Fail(new KernelFaultException($"divergent {what} in group {Engine.Describe(Engine.GroupIndex)}: {WhereEverybodyIs()}"));

    protected static bool AreTogether(ReadOnlySpan<Lane> lanes)
    {
        for (int i = 1; i < lanes.Length; i++)
        {
            if (!lanes[i].Site.IsSameAs(lanes[0].Site))
                return false;
        }
        return true;
    }

    private void KeepFirst(Exception failure) => Interlocked.CompareExchange(ref _failure, failure, null);

    private unsafe int Meet<T>(Lane lane, T value, Site site)
        where T : unmanaged
    {
        if (sizeof(T) > Lane.SlotBytes)
            throw new KernelFaultException($"a warp exchanges at most {Lane.SlotBytes} bytes per thread, not {sizeof(T)}, at {site}");
        int round = lane.Round++;
        *(T*)lane.Slot(round) = value;
        WarpBarrier(ordersMemory: false, site);
        return round;
    }

    private string WhereEverybodyIs()
    {
        var groups = Lanes.Take(Threads).GroupBy(WhereIs);
        return string.Join("; ", groups.Select(g => $"{g.Count()} threads ({g.First().Id}..{g.Last().Id}) {g.Key}"));
    }

    private static string WhereIs(Lane lane) => lane.State switch
    {
        LaneState.Ended => "ended",
        LaneState.AtGroupBarrier => $"at group barrier {lane.Site}",
        LaneState.AtWarpBarrier => $"at warp barrier {lane.Site}",
        _ => "running",
    };

    private void Record(string where) =>
        Launch.Trace?.Record(_order[_groupNumber], _barrierNumber, $"{where} of group {Engine.Describe(Engine.GroupIndex)}");

    private void Prepare(Launch launch)
    {
        Launch = launch;
        _failure = null;
        Threads = launch.Config.GroupDim.Size;
        if (Lanes.Length < Threads)
            Lanes = [.. Lanes, .. Enumerable.Range(Lanes.Length, Threads - Lanes.Length).Select(id => new Lane(id))];
        Random = new Random(launch.Session.Schedule.Seed);
        _order = [.. Enumerable.Range(0, launch.Config.GridDim.Size)];
        if (launch.Session.Schedule.Order == ThreadOrder.Descending)
            Array.Reverse(_order);
        if (launch.Session.Schedule.Order == ThreadOrder.Random)
            Random.Shuffle(_order);
        _groupNumber = -1;
        Shadow.BeginLaunch();
    }

    /// <summary>Waits; if nothing moves for the session's timeout, tells the threads to stop at their next access or barrier.</summary>
    private void WaitForEnd()
    {
        long before = -1;
        while (!Done.Wait(Launch.Session.Timeout))
        {
            long now = Interlocked.Read(ref Progress);
            if (now != before)
            {
                before = now;
                continue;
            }
            if (Engine.Aborts)
            {
                Engine.IsLost = true;
                throw new KernelFaultException(
                    $"{Launch.Name}: hangs without touching memory in group {Engine.Describe(Engine.GroupIndex)}: {WhereEverybodyIs()}. This process can launch no more kernels.");
            }
            KeepFirst(new KernelFaultException(
                $"hangs: no thread ended or reached a barrier for {Launch.Session.Timeout.TotalSeconds:0.#} s in group {Engine.Describe(Engine.GroupIndex)}: {WhereEverybodyIs()}"));
            Engine.Aborts = true;
        }
    }
}
