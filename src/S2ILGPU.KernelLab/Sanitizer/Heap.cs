using ILGPU.Runtime;

namespace S2ILGPU.KernelLab;

/// <summary>The global memory of all lab devices.</summary>
internal static unsafe class Heap
{
    private static readonly Lock Gate = new();

    /// <summary>Live allocations by address; replaced, never changed.</summary>
    private static volatile Allocation[] _live = [];

    internal static Allocation Allocate(Accelerator owner, long bytes, int elementSize, string name)
    {
        lock (Gate)
        {
            long used = 0;
            foreach (var other in _live)
                used += other.Owner == owner ? other.Bytes : 0;
            if (bytes > Lab.DeviceMemoryBytes - used)
                throw new DeviceMemoryException(bytes, used, Lab.DeviceMemoryBytes);
            var memory = Allocation.Global(owner, bytes, elementSize, name, LabSession.Current.Schedule.Poison);
            var live = new Allocation[_live.Length + 1];
            int at = 0;
            while (at < _live.Length && _live[at].Base < memory.Base)
                at++;
            Array.Copy(_live, live, at);
            live[at] = memory;
            Array.Copy(_live, at, live, at + 1, _live.Length - at);
            _live = live;
            return memory;
        }
    }

    internal static void Free(Allocation memory)
    {
        lock (Gate)
        {
            _live = Array.FindAll(_live, other => other != memory);
            memory.Free();
        }
    }

    /// <summary>The array that holds this address.</summary>
    internal static Allocation? Find(byte* at)
    {
        var live = _live;
        int low = 0, high = live.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            if (live[middle].Contains(at))
                return live[middle];
            if (at < live[middle].Base)
                high = middle - 1;
            else
                low = middle + 1;
        }
        return null;
    }

    internal static Allocation[] LiveOf(Accelerator owner) => Array.FindAll(_live, memory => memory.Owner == owner);

    internal static void CheckGuards(LabSession session)
    {
        lock (Gate)
        {
            foreach (var memory in _live)
            {
                if (!memory.CheckGuards())
                    session.Report(FindingKind.OutOfBounds, memory.Name, $"out of bounds: a raw write missed {memory.Name} by less than {Allocation.Guard} bytes");
            }
        }
    }

    /// <summary>After a launch that nobody followed.</summary>
    internal static void AssumeInitialised(Accelerator owner)
    {
        foreach (var memory in LiveOf(owner))
            memory.AssumeInitialised();
    }
}
