using ILGPU.Runtime;

namespace S2ILGPU.KernelLab;

/// <summary>The work of <see cref="Lab.CompareSchedules"/>.</summary>
internal sealed unsafe class ScheduleComparison(Accelerator accelerator, Action launch, LabSession session)
{
    private static readonly AsyncLocal<ScheduleTrace?> Trace = new();
    private readonly List<string> _differences = [];
    private readonly Allocation[] _memory = Heap.LiveOf(accelerator);

    internal static ScheduleTrace? CurrentTrace => Trace.Value;

    internal void Run(ReadOnlySpan<Schedule> schedules)
    {
        var before = session.Schedule;
        var start = Snapshot();
        try
        {
            var first = schedules[0];
            var firstTrace = RunOnce(first, start, ScheduleTrace.Nowhere);
            var firstEnd = Snapshot();
            foreach (var schedule in schedules[1..])
            {
                var trace = RunOnce(schedule, start, ScheduleTrace.Nowhere);
                var end = Snapshot();
                if (schedule.Poison == first.Poison && firstTrace.FirstDifference(trace) is var at && at != ScheduleTrace.Nowhere)
                {
                    ReportShared(first, schedule, start, at);
                    Restore(end);
                }
                CompareEnds(first, schedule, firstEnd, end);
            }
        }
        finally
        {
            session.Schedule = before;
            Trace.Value = null;
        }
        if (session.ThrowOnFindings && _differences.Count > 0)
            throw new KernelFaultException(string.Join("; ", _differences));
    }

    private ScheduleTrace RunOnce(Schedule schedule, byte[][] start, (int, int) captureAt)
    {
        Restore(start);
        session.Schedule = schedule;
        var trace = new ScheduleTrace { CaptureAt = captureAt };
        Trace.Value = trace;
        launch();
        return trace;
    }

    private void ReportShared(Schedule first, Schedule second, byte[][] start, (int, int) at)
    {
        var one = RunOnce(first, start, at);
        var other = RunOnce(second, start, at);
        int offset = one.Captured.AsSpan().CommonPrefixLength(other.Captured);
        Report(FindingKind.Race, one.CapturedWhere, $"race: {first.Order} and {second.Order} order disagree {one.CapturedWhere}: {one.Describe(offset)}");
    }

    private void CompareEnds(Schedule first, Schedule second, byte[][] firstEnd, byte[][] end)
    {
        bool poison = first.Poison != second.Poison;
        for (int i = 0; i < _memory.Length; i++)
        {
            int offset = firstEnd[i].AsSpan().CommonPrefixLength(end[i]);
            if (offset == end[i].Length)
                continue;
            string kind = poison ? "uninitialised: two poison values" : $"race: {first.Order} and {second.Order} order";
            Report(poison ? FindingKind.Uninitialised : FindingKind.Race, $"compared {_memory[i].Name}", $"{kind} disagree at the end of the launch: {_memory[i].Describe(offset)}");
        }
    }

    private void Report(FindingKind kind, string place, string message)
    {
        session.Report(kind, place, message);
        _differences.Add(message);
    }

    private byte[][] Snapshot() => [.. _memory.Select(m => new ReadOnlySpan<byte>(m.Base, checked((int)m.Bytes)).ToArray())];

    private void Restore(byte[][] snapshot)
    {
        for (int i = 0; i < _memory.Length; i++)
            snapshot[i].CopyTo(new Span<byte>(_memory[i].Base, snapshot[i].Length));
    }
}
