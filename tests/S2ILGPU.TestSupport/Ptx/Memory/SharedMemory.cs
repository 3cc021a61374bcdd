using System.Runtime.InteropServices;

namespace S2ILGPU.TestSupport.Ptx;

/// <summary>Shared memory of the group that runs: NaN where nobody wrote, and guarded by a <see
/// cref="RaceDetector"/>.</summary>
internal sealed unsafe class SharedMemory : IDisposable
{
    /// <summary>Where shared memory begins: not 0, so that a kernel that takes addresses for offsets shows.</summary>
    public const int Begin = 1024;

    private readonly byte* _data;

    public SharedMemory(int bytes, bool detectRaces)
    {
        Bytes = bytes;
        _data = (byte*)NativeMemory.AlignedAlloc((nuint)Math.Max(bytes, 16), 128);
        Races = detectRaces ? new RaceDetector(bytes) : null;
    }

    /// <summary>Size of the group's memory.</summary>
    public int Bytes { get; }

    /// <summary>Null when races are not looked for.</summary>
    public RaceDetector? Races { get; }

    /// <summary>A new group begins.</summary>
    public void Reset()
    {
        new Span<byte>(_data, Bytes).Fill(0xff); // NaN in fp32, fp16 and bf16
        Races?.Reset();
    }

    /// <summary>Memory of an address, after the checks that concern the address alone.</summary>
    public byte* Locate(ulong address, int bytes)
    {
        long offset = (long)(uint)address - Begin;
        if (offset < 0 || offset + bytes > Bytes)
            throw new PtxFaultException(
                $"out of bounds: {bytes} bytes at byte {offset} of shared memory, which has {Bytes} bytes");
        if ((offset & (bytes - 1)) != 0)
            throw new PtxFaultException($"misaligned: {bytes} bytes at byte {offset} of shared memory");
        return _data + offset;
    }

    public void Dispose() => NativeMemory.AlignedFree(_data);
}
