namespace S2ILGPU.KernelLab;

/// <summary>All threads of a group run at once, each on an operating-system thread of its own that yields while it waits.</summary>
internal sealed class ConcurrentExecutor : Executor
{
    private readonly Lock _gate = new();
    private readonly object _wake = new();
    private int _workers;
    private int _launch;
    private int _ended;
    private int _group;
    private int _running;
    private Meeting _groupMeeting = new(0);
    private Meeting[] _warpMeetings = [];

    internal override void GroupBarrier(Site site)
    {
        var lane = Engine.Current;
        (lane.Site, lane.State) = (site, LaneState.AtGroupBarrier);
        Meet(lane, _groupMeeting, "barrier", Lanes.AsSpan(0, Threads), passes: true);
    }

    internal override void WarpBarrier(bool ordersMemory, Site site)
    {
        var lane = Engine.Current;
        (lane.Site, lane.State) = (site, LaneState.AtWarpBarrier);
        int first = lane.WarpIdx * Engine.WarpSize;
        var meeting = _warpMeetings[lane.WarpIdx];
        Meet(lane, meeting, "warp barrier", Lanes.AsSpan(first, meeting.Members), passes: false);
    }

    protected override void BeginGroup()
    {
        _running = Threads;
        _groupMeeting = new Meeting(Threads);
        int warps = (Threads + Engine.WarpSize - 1) / Engine.WarpSize;
        _warpMeetings = [.. Enumerable.Range(0, warps).Select(w => new Meeting(Math.Min(Engine.WarpSize, Threads - w * Engine.WarpSize)))];
    }

    protected override void Start()
    {
        for (; _workers < Threads; _workers++)
        {
            int id = _workers;
            new Thread(() => Loop(id), Worker.StackBytes) { IsBackground = true, Name = Worker.ThreadName }.Start();
        }
        lock (_wake)
        {
            Volatile.Write(ref _group, 1);
            _launch++;
            Monitor.PulseAll(_wake);
        }
    }

    private void Loop(int id)
    {
        int launch = 0;
        while (true)
        {
            lock (_wake)
            {
                while (_launch == launch)
                    Monitor.Wait(_wake);
                launch = _launch;
                if (id >= Threads)
                    continue;
            }
            for (int done = 0; WaitForGroup(ref done, launch);)
                RunLane(Lanes[id]);
        }
    }

    /// <summary>False when the launch has ended. The order of the two reads matters: a group of the next launch is seen only after the end of this one.</summary>
    private bool WaitForGroup(ref int done, int launch)
    {
        while (true)
        {
            int group = Volatile.Read(ref _group);
            if (Volatile.Read(ref _ended) >= launch)
                return false;
            if (group > done)
            {
                done = group;
                return true;
            }
            Thread.Yield();
        }
    }

    private void RunLane(Lane lane)
    {
        Engine.Current = lane;
        if (!HasFailed)
            RunBody(lane);
        lane.State = LaneState.Ended;
        _warpMeetings[lane.WarpIdx].Leave();
        _groupMeeting.Leave();
        if (Interlocked.Decrement(ref _running) > 0)
            return;
        int next = _group + 1;
        if (NextGroup())
        {
            Volatile.Write(ref _group, next);
            return;
        }
        Volatile.Write(ref _ended, _launch);
        Done.Set();
    }

    private void Meet(Lane lane, Meeting meeting, string what, ReadOnlySpan<Lane> members, bool passes)
    {
        int turn = meeting.Turn;
        if (meeting.Arrive())
        {
            if (!AreTogether(members))
                Diverge(what);
            if (passes)
                PassBarrier(lane.Site);
            else
                Interlocked.Increment(ref Progress);
            meeting.Pass();
        }
        while (meeting.Turn == turn)
        {
            if (HasFailed)
                throw new Abandoned();
            if (meeting.HasLeavers && meeting.Turn == turn)
                Diverge(what);
            Thread.Yield();
        }
        lane.State = LaneState.Running;
    }

    private void Diverge(string what)
    {
        lock (_gate)
        {
            if (!HasFailed)
                FailDivergent(what);
        }
        throw new Abandoned();
    }

    /// <summary>A barrier of the group or of a warp.</summary>
    private sealed class Meeting(int members)
    {
        private int _arrived;
        private int _left;
        private int _turn;

        internal int Members => members;

        /// <summary>How often all have met.</summary>
        internal int Turn => Volatile.Read(ref _turn);

        /// <summary>A thread has ended: the meeting under way cannot take place.</summary>
        internal bool HasLeavers => Volatile.Read(ref _left) > 0;

        internal void Leave() => Interlocked.Increment(ref _left);

        /// <summary>True for the last one to arrive, who calls <see cref="Pass"/>.</summary>
        internal bool Arrive() => Interlocked.Increment(ref _arrived) == members;

        internal void Pass()
        {
            _arrived = 0;
            Volatile.Write(ref _turn, _turn + 1);
        }
    }
}
