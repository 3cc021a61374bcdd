namespace S2ILGPU.KernelLab;

/// <summary>
/// The rules. Two accesses conflict when neither a group barrier nor, inside a warp, a warp barrier lies between them, or when they come from two groups of one launch; at least one
/// must write, and they must not both be atomic. Asynchronous copies of the same bytes to the same place, issued in one interval, do not conflict with each other: in whatever order they arrive,
/// memory is the same (that nobody changes their source meanwhile is checked where they read it). Together they are one write, which has arrived when all of them have been waited for.
/// </summary>
internal static class Shadow
{
    /// <summary>Counts group barriers of all launches: accesses with equal numbers are not separated by one.</summary>
    internal static int Interval { get; private set; }

    private static int _groupFirst;
    private static int _launchFirst;

    internal static void BeginLaunch() => _launchFirst = ++Interval;

    internal static void BeginGroup() => _groupFirst = ++Interval;

    internal static void Barrier() => Interval++;

    internal static void Apply(Lane lane, Allocation memory, long offset, int size, AccessKind kind, Site site, CopySource source = default)
    {
        memory.Refine(offset, size);
        int granule = memory.Granule;
        if (kind == AccessKind.Read && !memory.IsInitialised(offset, size) && memory.Cell(offset / granule).CopyingLane == Cell.Nobody)
            ReportUninitialised(lane, memory, offset, size, site);
        for (long i = offset / granule; i * granule < offset + size; i++)
        {
            ref Cell cell = ref memory.Cell(i);
            long from = source.Of(offset, i * granule, granule);
            bool isOneOfSeveral = IsOneOfSeveral(in cell, kind, from);
            if (cell.CopyingLane != Cell.Nobody && !isOneOfSeveral)
                CheckCopy(lane, memory, i * granule, ref cell, kind, site);
            if (kind == AccessKind.Read)
                Read(lane, memory, i * granule, ref cell, site);
            else
                {
                Write(lane, memory, i * granule, ref cell, kind, site, isOneOfSeveral);
                Count(lane, ref cell, kind, from, isOneOfSeveral);
            }
        }
        if (kind is AccessKind.Write or AccessKind.Atomic or AccessKind.CopyLanded)
            memory.MarkInitialised(offset, size);
        if (kind != AccessKind.Read && memory.IsShared)
            Engine.Shared.Seen(memory, offset, size);
    }

    private static void Read(Lane lane, Allocation memory, long offset, ref Cell cell, Site site)
    {
        if (IsConcurrent(lane, memory, cell.WriteInterval, cell.WriteLane, cell.WriteEpoch))
            Race(lane, memory, offset, "read", site, "written", cell.WriteLane, cell.WriteSite, cell.WriteInterval);
        if (cell.ReadInterval == Interval && cell.ReadLane != lane.Id)
        {
            cell.OtherReader = (short)lane.Id;
            return;
        }
        cell.ReadInterval = Interval;
        cell.ReadLane = (short)lane.Id;
        cell.ReadEpoch = lane.Epoch;
        cell.ReadSite = site.Number();
        cell.OtherReader = Cell.Nobody;
    }

    private static void Write(Lane lane, Allocation memory, long offset, ref Cell cell, AccessKind kind, Site site, bool isOneOfSeveral)
    {
        bool atomic = kind == AccessKind.Atomic;
        string did = atomic ? "updated" : kind is AccessKind.Write ? "written" : "copied to";
        bool bothAtomic = atomic && cell.WriteAtomic;
        if (!bothAtomic && !isOneOfSeveral && IsConcurrent(lane, memory, cell.WriteInterval, cell.WriteLane, cell.WriteEpoch))
            Race(lane, memory, offset, did, site, "written", cell.WriteLane, cell.WriteSite, cell.WriteInterval);
        int reader = cell.ReadLane != lane.Id || cell.ReadInterval < _groupFirst ? cell.ReadLane : cell.OtherReader;
        if (reader >= 0 && IsConcurrent(lane, memory, cell.ReadInterval, reader, cell.ReadEpoch))
            Race(lane, memory, offset, did, site, "read", reader, cell.ReadSite, cell.ReadInterval);
        cell.WriteInterval = Interval;
        cell.WriteLane = (short)lane.Id;
        cell.WriteEpoch = lane.Epoch;
        cell.WriteSite = site.Number();
        cell.WriteAtomic = atomic;
    }

    /// <summary>Whether an asynchronous copy writes what the copies before it, the latest to write here, write as well.</summary>
    private static bool IsOneOfSeveral(in Cell cell, AccessKind kind, long from) => from != CopySource.Unknown && from == cell.Source && kind switch
    {
        AccessKind.CopyIssued => cell.CopyInterval == Interval,
        AccessKind.CopyLanded => cell.CopyInterval >= _groupFirst && cell.Copies > 0,
        _ => false,
    };

    /// <summary>Keeps the number of copies under way. After a conflict the latest write counts.</summary>
    private static void Count(Lane lane, ref Cell cell, AccessKind kind, long from, bool isOneOfSeveral)
    {
        if (kind == AccessKind.CopyIssued)
        {
            cell.Copies = (short)(isOneOfSeveral ? cell.Copies + 1 : 1);
            cell.CopyingLane = (short)lane.Id;
            cell.Source = from;
            cell.CopyInterval = Interval;
        }
        else if (isOneOfSeveral && cell.Copies > 1)
        {
            cell.Copies--;
            if (cell.CopyingLane == lane.Id)
                cell.CopyingLane = Cell.SomeOf;
        }
        else
        {
            cell.Copies = 0;
            cell.CopyingLane = Cell.Nobody;
            if (kind != AccessKind.CopyLanded || from != cell.Source)
                cell.Source = CopySource.Unknown;
        }
    }

    /// <summary>Somebody touches the target of a copy that has not been waited for. Landing is the one thing that may happen.</summary>
    private static void CheckCopy(Lane lane, Allocation memory, long offset, ref Cell cell, AccessKind kind, Site site)
    {
        bool ofThisGroup = cell.WriteInterval >= _groupFirst;
        if (!ofThisGroup && memory.IsShared)
            cell.CopyingLane = Cell.Nobody;
        else if (kind != AccessKind.CopyLanded || cell.CopyingLane != lane.Id)
        {
            var issued = Site.Of(cell.WriteSite);
            string by = cell.CopyingLane == Cell.SomeOf ? "one of several threads" : $"thread {cell.CopyingLane}";
            string did = kind switch { AccessKind.Read => "read", AccessKind.Write => "written", AccessKind.Atomic => "updated", _ => "copied to again" };
            Engine.Session.Report(FindingKind.MissingWait, $"{memory.Name} {did} {site} {issued}",
                $"missing wait: {memory.Describe(offset)} {did} at {site} by {lane}, while the asynchronous copy issued at {issued} by {by} has not been waited for");
        }
    }

    private static bool IsConcurrent(Lane lane, Allocation memory, int interval, int other, int otherEpoch)
    {
        if (other < 0 || interval < _launchFirst)
            return false;
        if (interval < _groupFirst)
            return !memory.IsShared;
        if (interval < Interval || other == lane.Id)
            return false;
        return other / Engine.WarpSize != lane.WarpIdx || otherEpoch == lane.Epoch;
    }

    private static void ReportUninitialised(Lane lane, Allocation memory, long offset, int size, Site site)
    {
        while (memory.IsInitialised(offset, 1))
            offset++;
        Engine.Session.Report(FindingKind.Uninitialised, $"{memory.Name} {site}", $"uninitialised read: {memory.Describe(offset)} at {site}, {lane}");
        memory.MarkInitialised(offset, size);
    }

    private static void Race(Lane lane, Allocation memory, long offset, string did, Site site, string otherDid, int other, int otherSite, int interval)
    {
        var otherAt = Site.Of(otherSite);
        string otherGroup = interval < _groupFirst ? "another group's " : "";
        Engine.Session.Report(FindingKind.Race, $"{memory.Name} {did} {site} {otherDid} {otherAt}",
            $"race: {memory.Describe(offset)} {did} at {site} by {lane} and {otherDid} at {otherAt} by {otherGroup}thread {other}, no barrier between");
    }
}
