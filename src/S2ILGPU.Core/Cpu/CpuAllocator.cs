using System.Numerics;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cpu;

/// <summary>Caching allocator: a returned buffer waits in the stack of its size class for the next request of that class, so that a steady state never
/// asks the system for memory.</summary>
/// <remarks>Four classes per doubling waste at most a quarter. Idle memory is given back when it exceeds half of the peak and a new piece is needed
/// anyway.</remarks>
internal sealed unsafe class CpuAllocator : IDisposable
{
    private const int ClassesPerDoubling = 4, SmallestBytes = 256;
    private const long IdleAllowanceBytes = 64 << 20;

    private readonly Stack<CpuBuffer>?[] _idle = new Stack<CpuBuffer>?[64 * ClassesPerDoubling];
    private readonly HashSet<CpuBuffer> _all = [];
    private bool _disposed;

    /// <summary>Bytes that were asked for and not returned.</summary>
    public long UsedBytes { get; private set; }

    /// <summary>The most that <see cref="UsedBytes"/> ever was.</summary>
    public long PeakBytes { get; private set; }

    /// <summary>Bytes that wait for their next use.</summary>
    public long IdleBytes { get; private set; }

    /// <summary>Number of pieces taken from the system, in use and idle.</summary>
    public int Pieces => _all.Count;

    /// <summary>A buffer of at least the given size, from the cache where possible.</summary>
    public CpuBuffer Rent(long sizeBytes)
    {
        var buffer = Take(sizeBytes);
        buffer.HeldBytes = sizeBytes;
        UsedBytes += sizeBytes;
        PeakBytes = Math.Max(PeakBytes, UsedBytes);
        return buffer;
    }

    /// <summary>Scratch memory until the end of the caller's block; not counted as used.</summary>
    public Scratch Borrow(long sizeBytes)
    {
        var buffer = Take(sizeBytes);
        buffer.HeldBytes = 0;
        return new Scratch(this, buffer);
    }

    /// <summary>Takes a buffer back.</summary>
    public void Return(CpuBuffer buffer)
    {
        if (_disposed)
            return;
        UsedBytes -= buffer.HeldBytes;
        IdleBytes += buffer.SizeBytes;
        (_idle[SizeClass(buffer.SizeBytes, out _)] ??= new Stack<CpuBuffer>()).Push(buffer);
    }

    /// <summary>Gives idle memory back to the system.</summary>
    public void Trim()
    {
        foreach (var stack in _idle)
            while (stack is { Count: > 0 })
            {
                var buffer = stack.Pop();
                _all.Remove(buffer);
                buffer.Free();
            }
        IdleBytes = 0;
    }

    /// <summary>Frees everything, buffers in use too.</summary>
    public void Dispose()
    {
        _disposed = true;
        foreach (var buffer in _all)
            buffer.Free();
        _all.Clear();
    }

    private CpuBuffer Take(long sizeBytes)
    {
        ObjectDisposedException.ThrowIf(_disposed, typeof(CpuBackend));
        int sizeClass = SizeClass(sizeBytes, out long classBytes);
        if (_idle[sizeClass] is { Count: > 0 } stack)
        {
            var idle = stack.Pop();
            IdleBytes -= idle.SizeBytes;
            return idle;
        }
        if (IdleBytes > PeakBytes / 2 + IdleAllowanceBytes)
            Trim();
        var buffer = new CpuBuffer(this, Allocate(classBytes), classBytes);
        _all.Add(buffer);
        return buffer;
    }

    private byte* Allocate(long sizeBytes)
    {
        try
        {
            return NativePages.Allocate(sizeBytes);
        }
        catch (OutOfMemoryException)
        {
            Trim();
            return NativePages.Allocate(sizeBytes);
        }
    }

    // Class boundaries are 2^e * (4, 5, 6, 7) / 4.
    private static int SizeClass(long sizeBytes, out long classBytes)
    {
        long size = Math.Max(sizeBytes, SmallestBytes);
        int exponent = BitOperations.Log2((ulong)size);
        long step = (1L << exponent) / ClassesPerDoubling, steps = (size + step - 1) / step; // 4..8
        classBytes = steps * step;
        return exponent * ClassesPerDoubling + (int)(steps - ClassesPerDoubling); // 8 steps are the next doubling's first class
    }
}

/// <summary>A buffer that goes back at the end of a block.</summary>
internal readonly unsafe ref struct Scratch(CpuAllocator owner, CpuBuffer buffer)
{
    public float* Floats => (float*)buffer.Pointer;

    public double* Doubles => (double*)buffer.Pointer;

    public void Dispose() => owner.Return(buffer);
}
