using S2ILGPU.Cpu.InnerLoops;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Cpu.Threads;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cpu.Attention;

/// <summary>Sparse attention on the CPU: forward (decoding too), backward and the merge of partitions.</summary>
/// <remarks>Driven by one thread at a time. Deterministic for any number of workers. Allocates nothing managed once the
/// shapes have been seen.</remarks>
internal abstract class CpuAttention : IDisposable
{
    /// <summary>The attention of a register width.</summary>
    /// <param name="simd">A resolved width.</param>
    /// <param name="pool">The workers; stays with the caller.</param>
    /// <param name="blocking">How products are cut for the caches.</param>
    public static CpuAttention Create(SimdWidth simd, WorkerPool pool, Blocking blocking) => simd switch
    {
        SimdWidth.Bits512 => new CpuAttention<Simd512>(pool, blocking),
        SimdWidth.Bits256 => new CpuAttention<Simd256>(pool, blocking),
        SimdWidth.Bits128 => new CpuAttention<Simd128>(pool, blocking),
        _ => new CpuAttention<SimdScalar>(pool, blocking),
    };

    /// <summary>See <see cref="IEngine.AttentionForward"/>.</summary>
    public abstract void Forward(in AttentionForwardArguments arguments);

    /// <summary>See <see cref="IEngine.AttentionBackward"/>.</summary>
    public abstract void Backward(in AttentionBackwardArguments arguments);

    /// <summary>See <see cref="IEngine.MergePartitions"/>.</summary>
    public abstract void Merge(IReadOnlyList<Tensor> outputs, IReadOnlyList<Tensor> logSumExps, Tensor output,
        Tensor logSumExp);

    /// <summary>See <see cref="IEngine.MergePartitionBackward"/>.</summary>
    public abstract void MergeBackward(in MergeBackwardArguments arguments);

    /// <summary>See <see cref="IAttentionSampler.SampleRows"/>.</summary>
    public abstract void SampleRows(in AttentionSampleArguments arguments);

    public abstract void Dispose();
}

/// <summary>Attention over registers of one width.</summary>
internal sealed class CpuAttention<T>(WorkerPool pool, Blocking blocking) : CpuAttention
    where T : unmanaged, ISimd<T>
{
    private readonly PaddingRows _padding = new();
    private readonly ForwardWork<T> _forward = new(pool.Workers, blocking);
    private readonly BackwardWork<T> _backward = new(pool.Workers, blocking);
    private readonly PartitionMerge<T> _merge = new();
    private readonly PartitionMergeBackward<T> _mergeBackward = new();
    private readonly SampleWork<T> _samples = new(pool.Workers, blocking);

    public override void Forward(in AttentionForwardArguments arguments)
    {
        _forward.Run(arguments, pool);
        _padding.OfQueries(arguments.Sequences, arguments.Query.Shape);
        _padding.Clear(arguments.Output);
        if (arguments.LogSumExp is { } logSumExp)
            _padding.FillStatistics(logSumExp, float.NegativeInfinity);
    }

    public override void Backward(in AttentionBackwardArguments arguments)
    {
        _backward.Run(arguments, pool);
        _padding.OfQueries(arguments.Sequences, arguments.Query.Shape);
        _padding.Clear(arguments.QueryGradient);
        _padding.OfKeys(arguments.Sequences, arguments.Key.Shape);
        _padding.Clear(arguments.KeyGradient);
        _padding.Clear(arguments.ValueGradient);
    }

    public override void Merge(IReadOnlyList<Tensor> outputs, IReadOnlyList<Tensor> logSumExps, Tensor output,
        Tensor logSumExp) =>
        _merge.Run(outputs, logSumExps, output, logSumExp, pool);

    public override void MergeBackward(in MergeBackwardArguments arguments) => _mergeBackward.Run(arguments, pool);

    public override void SampleRows(in AttentionSampleArguments arguments) => _samples.Run(arguments, pool);

    public override void Dispose()
    {
        _samples.Dispose();
        _forward.Dispose();
        _backward.Dispose();
        _merge.Dispose();
        _mergeBackward.Dispose();
    }
}
