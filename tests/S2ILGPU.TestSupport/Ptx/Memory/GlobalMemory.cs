using System.Runtime.InteropServices;

namespace S2ILGPU.TestSupport.Ptx;

/// <summary>The arrays that a kernel may reach, each at an address of its own, far from the others.</summary>
/// <param name="clock">The machine's clock; null when races are not looked for.</param>
internal sealed unsafe class GlobalMemory(Clock? clock) : IDisposable
{
    private const int RegionBits = 36;

    private readonly List<Region> _regions = [];

    private sealed class Region(string name, byte* data, long bytes, PtxAccess access, GCHandle pin)
    {
        public readonly string Name = name;
        public readonly byte* Data = data;
        public readonly long Bytes = bytes;
        public readonly PtxAccess Access = access;
        public readonly GCHandle Pin = pin;
        private Shadow? _shadow;

        /// <summary>What is known of the bytes; inputs need none.</summary>
        public Shadow? ShadowOf(Clock? clock) => Access == PtxAccess.Input || clock is null ? null
            : _shadow ??= new Shadow(clock, Name, Bytes, isShared: false, hasContent: Access == PtxAccess.InputOutput);
    }

    /// <summary>Gives an array an address, aligned to 256 bytes as a device's allocator aligns.</summary>
    public ulong Map(Array array, long bytes, string name, PtxAccess access)
    {
        var pin = GCHandle.Alloc(array, GCHandleType.Pinned);
        byte* data = (byte*)Marshal.UnsafeAddrOfPinnedArrayElement(array, 0);
        if (access == PtxAccess.Output)
            new Span<byte>(data, checked((int)bytes)).Fill(0xff); // NaN in fp32, fp16 and bf16
        _regions.Add(new Region(name, data, bytes, access, pin));
        return (ulong)_regions.Count << RegionBits;
    }

    /// <summary>Memory at an address, after the checks.</summary>
    public byte* Locate(Warp warp, int lane, ulong address, int bytes, Access access)
    {
        var region = At(address, bytes, bytes, out long offset);
        if (access != Access.Read && region.Access == PtxAccess.Input)
            throw new PtxFaultException(PtxFaultKind.WriteToInput,
                $"write to byte {offset} of {region.Name}, which is input");
        region.ShadowOf(clock)?.Touch(warp, lane, offset, bytes, access);
        return region.Data + offset;
    }

    /// <summary>The source of an asynchronous copy. Unwritten bytes may be copied, but not used.</summary>
    /// <param name="warp">The warp.</param>
    /// <param name="lane">The lane.</param>
    /// <param name="address">The source.</param>
    /// <param name="bytes">Bytes to read.</param>
    /// <param name="alignment">Size of the copy.</param>
    /// <param name="written">Bit n: word n was written.</param>
    public byte* LocateForCopy(Warp warp, int lane, ulong address, int bytes, int alignment, out int written)
    {
        var region = At(address, bytes, alignment, out long offset);
        written = -1;
        if (region.ShadowOf(clock) is { } shadow)
            for (int n = 0; n < bytes; n += 4)
                if (!shadow.ReadForCopy(warp, lane, offset + n))
                    written &= ~(1 << n / 4);
        return region.Data + offset;
    }

    public void Dispose()
    {
        foreach (var region in _regions)
            region.Pin.Free();
        _regions.Clear();
    }

    private Region At(ulong address, int bytes, int alignment, out long offset)
    {
        ulong number = (address >> RegionBits) - 1;
        if (number >= (ulong)_regions.Count)
            throw new PtxFaultException(PtxFaultKind.OutOfBounds,
                $"out of bounds: global address 0x{address:x} belongs to no array");
        var region = _regions[(int)number];
        offset = (long)(address & ((1ul << RegionBits) - 1));
        if (offset + bytes > region.Bytes)
            throw new PtxFaultException(PtxFaultKind.OutOfBounds,
                $"out of bounds: {bytes} bytes at byte {offset} of {region.Name}, which has {region.Bytes} bytes");
        if ((offset & (alignment - 1)) != 0)
            throw new PtxFaultException(PtxFaultKind.Misaligned,
                $"misaligned: {bytes} bytes at byte {offset} of {region.Name}");
        return region;
    }
}
