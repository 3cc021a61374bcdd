using S2ILGPU.Cli.Simulation.Tracing;
using S2ILGPU.Cli.Training;

namespace S2ILGPU.Cli.Simulation;

/// <summary>Plays a training step: discrete events, a clock, ranks that compute, exchange and wait.</summary>
/// <remarks>Ranks with devices of their own are simulated for one data-parallel group, since all groups do the same;
/// ranks that share processors are all simulated, and divide the speed of the processors. An exchange begins when its
/// last rank has begun it; on the way of each rank exchanges follow each other. What does not overlap with computing
/// takes the rank's processor when it waits. Everything is determined by the inputs.</remarks>
internal sealed class StepSimulation
{
    private readonly MachineCosts _costs;
    private readonly RankGrid _grid;
    private readonly RankPlayer[] _ranks;
    private readonly Dictionary<(RankGroup Group, int Index, int Number), Meeting> _meetings = [];
    private readonly PriorityQueue<(int Rank, int Version, Meeting? Arrived), (double Time, long Order)> _events =
        new();
    private readonly bool _isShared;
    private double _now, _processorSeconds;
    private long _order;

    private StepSimulation(MachineCosts costs, RankGrid grid, IReadOnlyList<RankTrace> traces)
    {
        (_costs, _grid, _isShared) = (costs, grid, costs.Processors > 0);
        _ranks = [.. Enumerable.Range(0, _isShared ? grid.Ranks : grid.Together).Select(rank =>
            new RankPlayer(rank, traces[rank % grid.Together].Instructions, costs))];
    }

    /// <summary>Simulates a step.</summary>
    /// <param name="costs">The machine.</param>
    /// <param name="grid">The ranks.</param>
    /// <param name="traces">What the ranks of a data-parallel group do.</param>
    public static StepForecast Run(MachineCosts costs, RankGrid grid, IReadOnlyList<RankTrace> traces) =>
        new StepSimulation(costs, grid, traces).Run();

    private StepForecast Run()
    {
        foreach (var rank in _ranks)
            Continue(rank);
        Reschedule();
        while (_events.TryDequeue(out var next, out var at))
        {
            var rank = _ranks[next.Rank];
            if (next.Arrived is null && next.Version != rank.Version)
                continue; // the speed has changed since
            Advance(at.Time);
            if (next.Arrived is { } meeting)
                Arrive(rank, meeting);
            else
            {
                rank.EndWork(_now);
                Continue(rank);
            }
            Reschedule();
        }
        if (_ranks.FirstOrDefault(rank => !rank.IsDone) is { } stuck)
            throw new InvalidOperationException($"rank {stuck.Rank} waits for an exchange that no other rank begins");
        return _ranks.MaxBy(rank => rank.End)!.Forecast([.. _ranks.Select(rank => rank.SentBytes)],
            _processorSeconds);
    }

    // Goes on with a rank until it computes, waits or ends.
    private void Continue(RankPlayer rank)
    {
        while (rank.Next is { } step)
        {
            if (step.Begins is { } begin)
            {
                rank.Take();
                rank.SentBytes += begin.SentBytes;
                Join(rank, begin);
            }
            else if (step.Awaits is { } awaited)
            {
                var meeting = At(rank, awaited.Group, awaited.Number);
                if (!meeting.HasArrived(rank))
                {
                    rank.AwaitedMeeting = meeting;
                    return;
                }
                rank.Take();
                if (StartWork(rank, meeting.ProcessorSeconds(rank), isOwn: false))
                    return;
            }
            else
            {
                rank.Take();
                if (StartWork(rank, step.Seconds, isOwn: true))
                    return;
            }
        }
        rank.Finish(_now);
    }

    private bool StartWork(RankPlayer rank, double seconds, bool isOwn)
    {
        if (seconds <= 0)
            return false;
        rank.StartWork(_now, seconds, isOwn);
        if (!_isShared)
            Schedule(rank, _now + seconds, null);
        return true;
    }

    private void Join(RankPlayer rank, Begin begin)
    {
        var meeting = At(rank, begin.Group, begin.Number);
        if (!meeting.Join(rank, begin))
            return;
        foreach (var (member, seconds) in meeting.Members)
        {
            double overlapped = seconds * meeting.Transport.Overlap;
            Schedule(member, member.OnTheWay(meeting.Transport, _now, overlapped), meeting);
        }
    }

    private void Arrive(RankPlayer rank, Meeting meeting)
    {
        meeting.Arrive(rank);
        if (!ReferenceEquals(rank.AwaitedMeeting, meeting))
            return;
        rank.AwaitedMeeting = null;
        Continue(rank);
    }

    private Meeting At(RankPlayer rank, RankGroup group, int number)
    {
        int r = rank.Rank, tensor = _grid.Tensor, together = _grid.Together;
        var (index, size, span) = group switch
        {
            RankGroup.Tensor => (r / tensor, tensor, tensor),
            RankGroup.Context => (r / together * tensor + r % tensor, _grid.Context, together),
            RankGroup.Replicas => (r % tensor, _grid.Ranks / tensor, _grid.Ranks),
            _ => (0, _grid.Ranks, _grid.Ranks),
        };
        if (_meetings.TryGetValue((group, index, number), out var meeting))
            return meeting;
        bool hasOtherGroups = group is RankGroup.All or RankGroup.Replicas;
        int simulated = hasOtherGroups ? size / (_grid.Ranks / _ranks.Length) : size;
        return _meetings[(group, index, number)] = new Meeting(size, simulated, _costs.Transport(span));
    }

    private void Advance(double time)
    {
        int computing = _ranks.Count(rank => rank.IsComputing);
        if (computing > 0)
        {
            _processorSeconds += (time - _now) * computing * _costs.Share(computing);
            foreach (var rank in _ranks)
                rank.Work((time - _now) * _costs.Speed(computing));
        }
        _now = time;
    }

    // Ranks that share processors change their speed with every change of what the others do.
    private void Reschedule()
    {
        if (!_isShared)
            return;
        double speed = _costs.Speed(Math.Max(1, _ranks.Count(rank => rank.IsComputing)));
        foreach (var rank in _ranks)
            if (rank.IsComputing)
                Schedule(rank, _now + rank.Left / speed, null);
    }

    private void Schedule(RankPlayer rank, double time, Meeting? arrived)
    {
        int version = arrived is null ? ++rank.Version : 0;
        _events.Enqueue((rank.Rank, version, arrived), (time, _order++));
    }
}
