using System.Runtime.InteropServices;
using S2ILGPU.Engines;

namespace S2ILGPU.Cpu.Memory;

/// <summary>The memory of the CPU engine.</summary>
/// <remarks>Four classes per doubling waste at most a quarter. Idle memory is given back when it exceeds half of the
/// peak and a new piece is needed anyway.</remarks>
/// <param name="engine">The engine that users know, for exceptions.</param>
internal sealed unsafe class CpuAllocator(Type engine) : CachingAllocator<CpuBuffer>(engine, classesPerDoubling: 4)
{
    private const long IdleAllowanceBytes = 64 << 20;

    /// <summary>Whether memory is handed out full of NaN; for tests.</summary>
    public bool IsPoisoned { get; set; }

    /// <summary>Scratch memory until the end of the caller's block; not counted as used.</summary>
    public Scratch Borrow(long sizeBytes) => new(this, RentScratch(sizeBytes));

    protected override CpuBuffer Allocate(long sizeBytes, long classBytes)
    {
        if (IdleBytes > PeakBytes / 2 + IdleAllowanceBytes)
            Trim();
        byte* memory;
        try
        {
            memory = NativePages.Allocate(classBytes);
        }
        catch (OutOfMemoryException)
        {
            Trim();
            memory = NativePages.Allocate(classBytes);
        }
        return new CpuBuffer(this, memory, classBytes);
    }

    protected override void OnRented(CpuBuffer buffer)
    {
        if (IsPoisoned)
            NativeMemory.Fill(buffer.Pointer, (nuint)buffer.SizeBytes, 0xff);
    }

    protected override void Free(CpuBuffer buffer) => buffer.Free();
}

/// <summary>A buffer that goes back at the end of a block.</summary>
internal readonly unsafe ref struct Scratch(CpuAllocator owner, CpuBuffer buffer)
{
    public float* Floats => (float*)buffer.Pointer;

    public double* Doubles => (double*)buffer.Pointer;

    public void Dispose() => owner.Return(buffer);
}
