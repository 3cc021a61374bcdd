using System.Runtime.CompilerServices;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Cpu.Threads;

namespace S2ILGPU.Cpu;

/// <summary>What a number of threads of this machine can do at most: fused multiply-adds in registers, bytes read from
/// memory. Yardsticks for benchmarks.</summary>
/// <remarks>Runs on the threads of the engine that is measured, in items of some 30 microseconds, so that a worker that
/// comes late costs little. With threads of its own beside the engine's spinning ones, two of them often shared a core
/// for a while: the peak came out at a half now and then.</remarks>
internal abstract unsafe class MachineProbe : IParallelWork, IDisposable
{
    private const int ItemsPerWorker = 256, PieceFloats = 1 << 16;

    private readonly WorkerPool _pool;
    private readonly float* _memory;
    private readonly int _pieces;
    private bool _reads;

    private protected MachineProbe(WorkerPool pool, long readBytes)
    {
        _pool = pool;
        _pieces = checked((int)Math.Max(1, readBytes / (PieceFloats * sizeof(float))));
        _memory = (float*)NativePages.Allocate(ReadBytes);
        for (int piece = 0; piece < _pieces; piece++) // unwritten memory is a single shared page of zeros
            new Span<float>(_memory + (long)piece * PieceFloats, PieceFloats).Fill(1);
    }

    /// <summary>Number of threads, the calling one included.</summary>
    public int Threads => _pool.Workers;

    /// <summary>Multiplications and additions of one <see cref="MultiplyAdd"/>.</summary>
    public long MultiplyAddFlops => (long)ItemsPerWorker * Threads * ItemFlops;

    /// <summary>Bytes of one <see cref="Read"/>.</summary>
    public long ReadBytes => (long)_pieces * PieceFloats * sizeof(float);

    /// <summary>Multiplications and additions of an item.</summary>
    private protected abstract long ItemFlops { get; }

    /// <summary>Creates a probe for the registers that an engine uses.</summary>
    /// <param name="engine">The engine whose threads are measured; stays with the caller.</param>
    /// <param name="readBytes">Bytes to read, several times the size of the last cache.</param>
    public static MachineProbe Create(CpuEngine engine, long readBytes) => engine.Simd switch
    {
        SimdWidth.Bits512 => new MachineProbe<Simd512>(engine.Pool, readBytes),
        SimdWidth.Bits256 => new MachineProbe<Simd256>(engine.Pool, readBytes),
        SimdWidth.Bits128 => new MachineProbe<Simd128>(engine.Pool, readBytes),
        _ => new MachineProbe<SimdScalar>(engine.Pool, readBytes),
    };

    /// <summary>Multiplies and adds in registers, on all threads.</summary>
    public void MultiplyAdd()
    {
        _reads = false;
        _pool.Run(ItemsPerWorker * Threads, this);
    }

    /// <summary>Reads the memory once from start to end, all threads together.</summary>
    public void Read()
    {
        _reads = true;
        _pool.Run(_pieces, this);
    }

    public void Execute(int item, int worker)
    {
        float sum = _reads ? Sum(_memory + (long)item * PieceFloats, PieceFloats) : MultiplyAddItem();
        if (float.IsNaN(sum)) // never, but the compiler does not know
            throw new InvalidOperationException("the probe computed NaN");
    }

    public void Dispose() => NativePages.Free((byte*)_memory);

    private protected abstract float MultiplyAddItem();

    private protected abstract float Sum(float* source, int count);
}

/// <summary>The probe over registers of one width.</summary>
internal sealed unsafe class MachineProbe<T>(WorkerPool pool, long readBytes) : MachineProbe(pool, readBytes)
    where T : unmanaged, ISimd<T>
{
    // Two units with a latency of 4 need 8 chains; 12 leave room, and with 2 factors still fit into 16 registers.
    private const int Chains = 12, Turns = 12_000;

    private protected override long ItemFlops => 2L * Chains * Turns * T.Count;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private protected override float MultiplyAddItem()
    {
        T x = T.Create(0.999f), y = T.Create(0.5f);
        T a0 = y, a1 = y, a2 = y, a3 = y, a4 = y, a5 = y, a6 = y, a7 = y, a8 = y, a9 = y, a10 = y, a11 = y;
        for (int turn = 0; turn < Turns; turn++)
        {
            (a0, a1, a2) = (T.FusedMultiplyAdd(a0, x, y), T.FusedMultiplyAdd(a1, x, y), T.FusedMultiplyAdd(a2, x, y));
            (a3, a4, a5) = (T.FusedMultiplyAdd(a3, x, y), T.FusedMultiplyAdd(a4, x, y), T.FusedMultiplyAdd(a5, x, y));
            (a6, a7, a8) = (T.FusedMultiplyAdd(a6, x, y), T.FusedMultiplyAdd(a7, x, y), T.FusedMultiplyAdd(a8, x, y));
            (a9, a10, a11) = (T.FusedMultiplyAdd(a9, x, y), T.FusedMultiplyAdd(a10, x, y),
                T.FusedMultiplyAdd(a11, x, y));
        }
        return T.Sum(a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7 + a8 + a9 + a10 + a11);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private protected override float Sum(float* source, int count)
    {
        T s0 = T.Zero, s1 = T.Zero, s2 = T.Zero, s3 = T.Zero, s4 = T.Zero, s5 = T.Zero, s6 = T.Zero, s7 = T.Zero;
        for (float* end = source + count; source < end; source += 8 * T.Count)
        {
            (s0, s1) = (s0 + T.Load(source), s1 + T.Load(source + T.Count));
            (s2, s3) = (s2 + T.Load(source + 2 * T.Count), s3 + T.Load(source + 3 * T.Count));
            (s4, s5) = (s4 + T.Load(source + 4 * T.Count), s5 + T.Load(source + 5 * T.Count));
            (s6, s7) = (s6 + T.Load(source + 6 * T.Count), s7 + T.Load(source + 7 * T.Count));
        }
        return T.Sum(s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7);
    }
}
