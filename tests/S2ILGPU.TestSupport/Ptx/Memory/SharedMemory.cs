using System.Runtime.InteropServices;

namespace S2ILGPU.TestSupport.Ptx;

/// <summary>Shared memory of the group that runs: NaN until it is written, and guarded by a <see
/// cref="SharedShadow"/>.</summary>
internal sealed unsafe class SharedMemory : IDisposable
{
    /// <summary>Where shared memory begins: not 0, so that a kernel that takes addresses for offsets shows.</summary>
    public const int Begin = 1024;

    private readonly byte* _data;
    private readonly bool[]? _isGap; // by words; null where there is none

    public SharedMemory(int bytes, (int Begin, int End)[] gaps, Clock? clock)
    {
        Bytes = bytes;
        _isGap = gaps.Length == 0 ? null : new bool[bytes / 4 + 1];
        foreach (var (begin, end) in gaps)
            _isGap.AsSpan((begin + 3) / 4, end / 4 - (begin + 3) / 4).Fill(true);
        _data = (byte*)NativeMemory.AlignedAlloc((nuint)Math.Max(bytes, 16), 128);
        Shadow = clock is null ? null : new SharedShadow(clock, bytes);
    }

    /// <summary>Size of the group's memory.</summary>
    public int Bytes { get; }

    /// <summary>Null when races are not looked for.</summary>
    public SharedShadow? Shadow { get; }

    /// <summary>A new group begins.</summary>
    public void Reset() => new Span<byte>(_data, Bytes).Fill(0xff); // NaN in fp32, fp16 and bf16

    /// <summary>Memory of an address, after the checks that concern the address alone.</summary>
    public byte* Locate(ulong address, int bytes)
    {
        long offset = (long)(uint)address - Begin;
        if (offset < 0 || offset + bytes > Bytes)
            throw new PtxFaultException(PtxFaultKind.OutOfBounds,
                $"out of bounds: {bytes} bytes at byte {offset} of shared memory, which has {Bytes} bytes");
        if (_isGap is not null && (_isGap[offset >> 2] || _isGap[(offset + bytes - 1) >> 2]))
            throw new PtxFaultException(PtxFaultKind.OutOfBounds,
                $"out of bounds: {bytes} bytes at byte {offset} of shared memory lie past the end of their array");
        if ((offset & (bytes - 1)) != 0)
            throw new PtxFaultException(PtxFaultKind.Misaligned,
                $"misaligned: {bytes} bytes at byte {offset} of shared memory");
        return _data + offset;
    }

    public void Dispose() => NativeMemory.AlignedFree(_data);
}
