using S2ILGPU.Cpu.Simd;

namespace S2ILGPU.Cpu.Memory;

/// <summary>Native memory that grows when more is asked for and is kept between calls, so that nothing is allocated in
/// the steady state.</summary>
internal sealed unsafe class ScratchMemory : IDisposable
{
    private const int FloatsPerLine = CacheLines.Bytes / sizeof(float);

    private float* _memory;
    private long _floats;

    /// <summary>Rounds up to whole cache lines.</summary>
    public static long Aligned(long floats) => (floats + FloatsPerLine - 1) / FloatsPerLine * FloatsPerLine;

    /// <summary>Uninitialised memory of at least that size, aligned to a cache line; valid until the next
    /// call.</summary>
    public float* Take(long floats)
    {
        if (floats > _floats)
        {
            NativePages.Free((byte*)_memory);
            _memory = null;
            _floats = 0;
            _memory = (float*)NativePages.Allocate(floats * sizeof(float));
            _floats = floats;
        }
        return _memory;
    }

    public void Dispose()
    {
        NativePages.Free((byte*)_memory);
        _memory = null;
        _floats = 0;
    }
}
