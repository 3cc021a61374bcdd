using S2ILGPU.Cpu.Simd;

namespace S2ILGPU.Cpu.Threads;

/// <summary>A loop body whose index range can be cut anywhere: the fields are the arguments, the method is the loop,
/// written once for all register widths.</summary>
internal interface IRangeKernel
{
    /// <summary>Executes the indices start to end exclusive.</summary>
    void Execute<T>(long start, long end) where T : unmanaged, ISimd<T>;
}

/// <summary>Runs range kernels on the worker pool with the engine's register width. Chunks have a fixed size, so
/// results do not depend on the number of threads; nothing is allocated once a kernel has run.</summary>
internal sealed class RangeRunner(SimdWidth simd, WorkerPool pool)
{
    private readonly Dictionary<Type, IParallelWork> _works = [];

    /// <summary>Executes the indices 0 to count exclusive.</summary>
    /// <param name="kernel">The loop body with its arguments.</param>
    /// <param name="count">Number of indices; nothing happens for 0.</param>
    /// <param name="grain">Indices per chunk.</param>
    public void Run<TKernel>(in TKernel kernel, long count, long grain) where TKernel : struct, IRangeKernel
    {
        if (count <= 0)
            return;
        if (!_works.TryGetValue(typeof(TKernel), out var work))
            _works.Add(typeof(TKernel), work = new Work<TKernel>(simd));
        var ranges = (Work<TKernel>)work;
        (ranges.Kernel, ranges.Count, ranges.Grain) = (kernel, count, grain);
        pool.Run(checked((int)((count + grain - 1) / grain)), ranges);
    }

    private sealed class Work<TKernel>(SimdWidth simd) : IParallelWork where TKernel : struct, IRangeKernel
    {
        public TKernel Kernel;
        public long Count, Grain;

        public void Execute(int item, int worker)
        {
            long start = item * Grain, end = Math.Min(Count, start + Grain);
            switch (simd)
            {
                case SimdWidth.Bits512: Kernel.Execute<Simd512>(start, end); break;
                case SimdWidth.Bits256: Kernel.Execute<Simd256>(start, end); break;
                case SimdWidth.Bits128: Kernel.Execute<Simd128>(start, end); break;
                default: Kernel.Execute<SimdScalar>(start, end); break;
            }
        }
    }
}
