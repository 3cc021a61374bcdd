using System.Runtime.InteropServices;
using ILGPU;

namespace S2ILGPU.KernelLab;

/// <summary>One thread of the running group.</summary>
internal sealed unsafe class Lane
{
    /// <summary>The largest value that a warp exchanges.</summary>
    internal const int SlotBytes = 64;
    private const int ChunkBytes = 1 << 16;
    private static readonly Allocation Local = new(0, 1, "local memory");

    private readonly List<(nint At, int Bytes)> _chunks = [];
    private readonly byte* _slots = (byte*)NativeMemory.AlignedAlloc(2 * SlotBytes, 64);
    private readonly (nint Address, Site Site)[] _origins = new (nint, Site)[2];
    private int _chunk;
    private int _used;
    private int _origin;

    internal Lane(int id)
    {
        Id = id;
        WarpIdx = id / Engine.WarpSize;
        LaneIdx = id % Engine.WarpSize;
    }

    internal int Id { get; }

    internal int WarpIdx { get; }

    internal int LaneIdx { get; }

    internal Index3D Index { get; private set; }

    internal LaneState State { get; set; }

    /// <summary>The operating-system thread that is suspended in this lane.</summary>
    internal Worker? Worker { get; set; }

    /// <summary>The barrier at which it waits.</summary>
    internal Site Site { get; set; }

    /// <summary>Shared arrays allocated so far.</summary>
    internal int SharedCount { get; set; }

    /// <summary>Exchanges so far; neighbouring ones use different slots.</summary>
    internal int Round { get; set; }

    /// <summary>Warp barriers so far.</summary>
    internal int Epoch { get; set; }

    internal CopyQueue Copies { get; } = new();

    internal void Begin(Index3D dimension)
    {
        Index = new Index3D(Id % dimension.X, Id / dimension.X % dimension.Y, Id / (dimension.X * dimension.Y));
        State = LaneState.Fresh;
        Worker = null;
        Site = Site.Unknown;
        SharedCount = Round = Epoch = 0;
        _chunk = _used = 0;
        Array.Clear(_origins);
        Copies.Clear();
    }

    /// <summary>Where a value of the given exchange is put for the other lanes.</summary>
    internal byte* Slot(int round) => _slots + (round & 1) * SlotBytes;

    /// <summary>Remembers the source line that took the reference which device primitives use as a base.</summary>
    internal void RememberOrigin(nint address, Site site)
    {
        int known = Array.FindIndex(_origins, origin => origin.Address == address);
        if (known < 0)
            known = _origin ^= 1;
        _origins[known] = (address, site);
    }

    internal Site? FindOrigin(nint address)
    {
        foreach (var (at, site) in _origins)
        {
            if (at == address)
                return site;
        }
        return null;
    }

    internal ArrayView<T> AllocateLocal<T>(int extent, uint poison)
        where T : unmanaged
    {
        int bytes = checked(extent * sizeof(T) + 15) & ~15;
        while (_chunk < _chunks.Count && _used + bytes > _chunks[_chunk].Bytes)
        {
            _chunk++;
            _used = 0;
        }
        if (_chunk == _chunks.Count)
        {
            int size = Math.Max(bytes, ChunkBytes);
            _chunks.Add(((nint)NativeMemory.AlignedAlloc((nuint)size, 64), size));
            _used = 0;
        }
        byte* at = (byte*)_chunks[_chunk].At + _used;
        _used += bytes;
        Allocation.Fill(at, bytes, poison);
        return new ArrayView<T>(Local, at, extent);
    }

    public override string ToString() => $"thread {Id} of group {Engine.Describe(Engine.GroupIndex)}";
}
