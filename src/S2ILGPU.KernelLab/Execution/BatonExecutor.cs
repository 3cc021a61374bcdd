namespace S2ILGPU.KernelLab;

/// <summary>
/// Exactly one thread runs at a time. It runs until a barrier, then the baton goes to the next one in the schedule's order. A thread that has not started needs no operating-system
/// thread of its own: the worker whose thread just ended runs it, so kernels without barriers never switch.
/// </summary>
internal sealed class BatonExecutor : Executor
{
    private readonly Stack<Worker> _idle = [];
    private int[] _atWarp = [];
    private int _alive;
    private int _atGroup;
    private int _position;

    private ThreadOrder Order => Launch.Session.Schedule.Order;

    internal override void GroupBarrier(Site site)
    {
        var lane = Engine.Current;
        AccessLog.Drain(lane);
        (lane.State, lane.Site) = (LaneState.AtGroupBarrier, site);
        if (++_atGroup == Threads)
        {
            if (!AreTogether(Lanes.AsSpan(0, Threads)))
            {
                FailDivergent("barrier");
            }
            else
            {
                _atGroup = 0;
                for (int i = 0; i < Threads; i++)
                    Lanes[i].State = LaneState.Ready;
                PassBarrier(site);
            }
        }
        Suspend(lane);
    }

    internal override void WarpBarrier(bool ordersMemory, Site site)
    {
        var lane = Engine.Current;
        AccessLog.Drain(lane);
        (lane.State, lane.Site) = (LaneState.AtWarpBarrier, site);
        int first = lane.WarpIdx * Engine.WarpSize;
        var warp = Lanes.AsSpan(first, Math.Min(Engine.WarpSize, Threads - first));
        if (++_atWarp[lane.WarpIdx] == warp.Length)
        {
            _atWarp[lane.WarpIdx] = 0;
            if (!AreTogether(warp))
            {
                FailDivergent("warp barrier");
            }
            else
            {
                foreach (var member in warp)
                {
                    member.State = LaneState.Ready;
                    member.Epoch += ordersMemory ? 1 : 0;
                }
                Progress++;
            }
        }
        Suspend(lane);
    }

    /// <summary>A worker got the baton: it runs fresh threads until the next one is suspended in another worker.</summary>
    internal void Work(Worker me)
    {
        while (true)
        {
            var lane = Engine.Current;
            lane.Worker = me;
            RunBody(lane);
            lane.State = LaneState.Ended;
            _alive--;
            var next = Pick();
            if (next is null && NextGroup())
                next = Pick();
            if (next is null)
            {
                _idle.Push(me);
                Done.Set();
                return;
            }
            Engine.Current = next;
            if (next.State == LaneState.Fresh)
                continue;
            _idle.Push(me);
            Hand(next);
            return;
        }
    }

    protected override void BeginGroup()
    {
        _alive = Threads;
        _atGroup = 0;
        _atWarp = new int[(Threads + Engine.WarpSize - 1) / Engine.WarpSize];
        _position = Order == ThreadOrder.Descending ? 0 : -1;
    }

    protected override void Start()
    {
        Engine.Current = Pick()!;
        Hand(Engine.Current);
    }

    /// <summary>Suspended threads are resumed to be unwound, fresh ones never start.</summary>
    protected override void Fail(Exception failure)
    {
        base.Fail(failure);
        for (int i = 0; i < Threads; i++)
        {
            if (Lanes[i].State == LaneState.Fresh)
            {
                Lanes[i].State = LaneState.Ended;
                _alive--;
            }
            else if (Lanes[i].State is LaneState.AtGroupBarrier or LaneState.AtWarpBarrier)
            {
                Lanes[i].State = LaneState.Ready;
            }
        }
        _atGroup = 0;
    }

    /// <summary>The next thread that may run; null when the group has ended.</summary>
    private Lane? Pick()
    {
        while (true)
        {
            int step = Order == ThreadOrder.Descending ? Threads - 1 : 1;
            int at = Order == ThreadOrder.Random ? Random.Next(Threads) : (_position + step + Threads) % Threads;
            for (int i = 0; i < Threads; i++, at = (at + step) % Threads)
            {
                if (Lanes[at].State is not (LaneState.Fresh or LaneState.Ready))
                    continue;
                _position = at;
                return Lanes[at];
            }
            if (_alive == 0)
                return null;
            FailDivergent("barrier");
        }
    }

    private void Hand(Lane next)
    {
        Lab.Switches++;
        if (next.State == LaneState.Fresh)
        {
            var worker = _idle.TryPop(out var idle) ? idle : new Worker(this);
            worker.Signal.Set();
            return;
        }
        next.State = LaneState.Running;
        next.Worker!.Signal.Set();
    }

    private void Suspend(Lane lane)
    {
        var next = Pick()!;
        if (next != lane)
        {
            Engine.Current = next;
            var me = lane.Worker!;
            Hand(next);
            me.Signal.Wait();
        }
        lane.State = LaneState.Running;
        if (HasFailed)
            throw new Abandoned();
    }
}
