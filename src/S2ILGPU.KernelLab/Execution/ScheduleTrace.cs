namespace S2ILGPU.KernelLab;

/// <summary>What shared memory held at every group barrier of a launch, as hashes, and at one chosen barrier in full.</summary>
internal sealed class ScheduleTrace
{
    internal static readonly (int Group, int Barrier) Nowhere = (-1, -1);

    private readonly SortedDictionary<(int Group, int Barrier), ulong> _hashes = [];

    internal (int Group, int Barrier) CaptureAt { get; init; } = Nowhere;

    internal byte[] Captured { get; private set; } = [];

    /// <summary>What lies where in it.</summary>
    internal (long Start, int Bytes, int ElementSize, string Name)[] CapturedArrays { get; private set; } = [];

    internal string CapturedWhere { get; private set; } = "";

    internal void Record(int group, int barrier, string where)
    {
        if ((group, barrier) == CaptureAt)
        {
            Captured = Engine.Shared.Copy();
            CapturedArrays = Engine.Shared.Arrays();
            CapturedWhere = where;
        }
        _hashes[(group, barrier)] = Engine.Shared.Hash();
    }

    internal string Describe(int offset)
    {
        foreach (var (start, bytes, elementSize, name) in CapturedArrays)
        {
            if (offset >= start && offset < start + bytes)
                return $"element {(offset - start) / elementSize} of {name}";
        }
        return $"byte {offset} of shared memory";
    }

    /// <summary>The first barrier at which the other run's shared memory differed.</summary>
    internal (int Group, int Barrier) FirstDifference(ScheduleTrace other)
    {
        foreach (var (at, hash) in _hashes)
        {
            if (other._hashes.TryGetValue(at, out ulong otherHash) && otherHash != hash)
                return at;
        }
        return Nowhere;
    }
}
