using System.Runtime.InteropServices;

namespace S2ILGPU.TestSupport.Ptx;

/// <summary>The arrays that a kernel may reach, each at an address of its own, far from the others.</summary>
internal sealed unsafe class GlobalMemory : IDisposable
{
    private const int RegionBits = 36;

    private readonly List<Region> _regions = [];

    private readonly struct Region(string name, byte* data, long bytes, bool isReadOnly, GCHandle pin)
    {
        public readonly string Name = name;
        public readonly byte* Data = data;
        public readonly long Bytes = bytes;
        public readonly bool IsReadOnly = isReadOnly;
        public readonly GCHandle Pin = pin;
    }

    /// <summary>Gives an array an address, aligned to 256 bytes as a device's allocator aligns.</summary>
    public ulong Map(Array array, long bytes, string name, bool isReadOnly)
    {
        var pin = GCHandle.Alloc(array, GCHandleType.Pinned);
        _regions.Add(new Region(name, (byte*)Marshal.UnsafeAddrOfPinnedArrayElement(array, 0), bytes, isReadOnly, pin));
        return (ulong)_regions.Count << RegionBits;
    }

    /// <summary>Memory at an address, after the checks.</summary>
    public byte* Locate(ulong address, int bytes, bool isWrite)
    {
        ulong number = (address >> RegionBits) - 1;
        if (number >= (ulong)_regions.Count)
            throw new PtxFaultException($"global address 0x{address:x} belongs to no array");
        var region = _regions[(int)number];
        long offset = (long)(address & ((1ul << RegionBits) - 1));
        if (offset + bytes > region.Bytes)
            throw new PtxFaultException(
                $"out of bounds: {bytes} bytes at byte {offset} of {region.Name}, which has {region.Bytes} bytes");
        if ((offset & (bytes - 1)) != 0)
            throw new PtxFaultException($"misaligned: {bytes} bytes at byte {offset} of {region.Name}");
        if (isWrite && region.IsReadOnly)
            throw new PtxFaultException($"write to byte {offset} of {region.Name}, which is input");
        return region.Data + offset;
    }

    public void Dispose()
    {
        foreach (var region in _regions)
            region.Pin.Free();
        _regions.Clear();
    }
}
