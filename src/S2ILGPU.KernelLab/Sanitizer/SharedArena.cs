using System.Runtime.InteropServices;
using ILGPU;

namespace S2ILGPU.KernelLab;

/// <summary>The shared memory of the running group. The n-th Allocate call of every thread is the same array.</summary>
internal sealed unsafe class SharedArena
{
    /// <summary>What a group can have at most on current devices.</summary>
    internal const int Capacity = 227 * 1024;

    /// <summary>What it can have without asking for dynamic shared memory.</summary>
    internal const int StaticLimit = 48 * 1024;

    private readonly byte* _memory = (byte*)NativeMemory.AlignedAlloc(Capacity * 2, 256);

    /// <summary>Memory as it is known to the shadow: what differs was written behind its back.</summary>
    private readonly byte* _known = (byte*)NativeMemory.AlignedAlloc(Capacity * 2, 256);
    private readonly List<(Allocation Memory, Site Site, Type Type)> _arrays = [];
    private readonly Lock _gate = new();
    private Allocation? _dynamic;
    private uint _poison;
    private int _used;
    private int _live;

    internal void BeginGroup(SharedMemoryConfig config, uint poison)
    {
        _live = 0;
        _used = 0;
        _poison = poison;
        if (!config.UsesDynamicSharedMemory)
        {
            _dynamic = null;
            return;
        }
        if (config.ArraySize > Capacity)
            throw new KernelFaultException($"{config.ArraySize} bytes of dynamic shared memory, at most {Capacity}");
        _dynamic = Place(_dynamic, config.ArraySize, config.ElementSize, "dynamic shared memory");
    }

    internal ArrayView<T> Allocate<T>(Lane lane, int extent, Site site)
        where T : unmanaged
    {
        lock (_gate)
        {
            int number = lane.SharedCount++;
            int bytes = checked(extent * sizeof(T));
            if (number == _live)
                Create<T>(number, extent, bytes, site);
            var (memory, first, type) = _arrays[number];
            if (memory.Bytes != bytes || type != typeof(T) || !first.IsSameAs(site))
                throw new KernelFaultException(
                    $"divergent shared memory: allocation {number} is {memory.Name} for the first thread and {typeof(T).Name}[{extent}] of {site} for this one");
            return new ArrayView<T>(memory, memory.Base, extent);
        }
    }

    internal ArrayView<T> Dynamic<T>()
        where T : unmanaged
    {
        if (_dynamic is not { } memory)
            throw new KernelFaultException("GetDynamic without dynamic shared memory in the KernelConfig");
        return new ArrayView<T>(memory, memory.Base, memory.Bytes / sizeof(T));
    }

    internal Allocation? Find(byte* at)
    {
        if (at < _memory || at >= _memory + _used)
            return null;
        if (_dynamic is { } memory && memory.Contains(at))
            return memory;
        for (int i = 0; i < _live; i++)
        {
            if (_arrays[i].Memory.Contains(at))
                return _arrays[i].Memory;
        }
        return null;
    }

    /// <summary>The shadow knows of this write.</summary>
    internal void Seen(Allocation memory, long offset, int size)
    {
        long at = memory.Base - _memory + offset;
        Buffer.MemoryCopy(_memory + at, _known + at, size, size);
    }

    /// <summary>Bytes that changed without an access through a view or <see cref="Raw"/> were written by the thread that ran.</summary>
    internal void AttributeRawWrites(Lane lane)
    {
        var now = new ReadOnlySpan<byte>(_memory, _used);
        var known = new Span<byte>(_known, _used);
        for (int at = 0; (at += now[at..].CommonPrefixLength(known[at..])) < _used; at++)
        {
            if (Find(_memory + at) is { } memory)
            {
                long offset = (_memory + at - memory.Base) / memory.Granule * memory.Granule;
                Shadow.Apply(lane, memory, offset, memory.Granule, AccessKind.Write, Site.Unknown);
            }
            else
            {
                Engine.Session.Report(FindingKind.OutOfBounds, "shared guard", $"out of bounds: a raw write {at} bytes into shared memory hits no array, {lane}");
                known[at] = now[at];
            }
        }
    }

    internal ulong Hash()
    {
        ulong hash = 14695981039346656037;
        foreach (ulong word in new Span<ulong>(_memory, _used / 8))
            hash = (hash ^ word) * 0x9E3779B97F4A7C15 ^ hash >> 29;
        return hash;
    }

    internal byte[] Copy() => new Span<byte>(_memory, _used).ToArray();

    /// <summary>What lies where.</summary>
    internal (long Start, int Bytes, int ElementSize, string Name)[] Arrays()
    {
        var all = _arrays.Take(_live).Select(array => array.Memory);
        return [.. (_dynamic is null ? all : all.Append(_dynamic)).Select(memory => (memory.Base - _memory, (int)memory.Bytes, memory.ElementSize, memory.Name))];
    }

    private void Create<T>(int number, int extent, int bytes, Site site)
        where T : unmanaged
    {
        if (number == _arrays.Count)
            _arrays.Add(default);
        long total = bytes;
        for (int i = 0; i < number; i++)
            total += _arrays[i].Memory.Bytes;
        if (total > StaticLimit)
            throw new KernelFaultException($"{total} bytes of static shared memory, at most {StaticLimit}, at {site}");
        if (total + (_dynamic?.Bytes ?? 0) > Capacity)
            throw new KernelFaultException($"{total + _dynamic!.Bytes} bytes of shared memory, at most {Capacity}, at {site}");
        var memory = Place(_arrays[number].Memory, bytes, sizeof(T), $"shared {typeof(T).Name}[{extent}] of {site}");
        _arrays[number] = (memory, site, typeof(T));
        _live++;
    }

    private Allocation Place(Allocation? former, int bytes, int elementSize, string name)
    {
        var memory = former is not null && former.Bytes == bytes && former.ElementSize == elementSize ? former : Allocation.Shared(bytes, elementSize);
        if (_used + bytes + 2 * Allocation.Guard > Capacity * 2)
            throw new KernelFaultException($"too many shared arrays, the last one is {name}");
        memory.Name = name;
        memory.Base = _memory + _used;
        memory.ForgetInitialised();
        int end = (_used + bytes + Allocation.Guard + 255) & ~255;
        Allocation.Fill(_memory + _used, end - _used, _poison);
        Allocation.Fill(_known + _used, end - _used, _poison);
        _used = end;
        return memory;
    }
}
