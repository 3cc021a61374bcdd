using S2ILGPU.Cpu;
using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using Tensor = TorchSharp.torch.Tensor;

namespace S2ILGPU.TorchSharp;

/// <summary>Sparsely-sharded attention on TorchSharp's tensors, with gradients in libtorch's graph.</summary>
/// <remarks>
/// <para>Tensors are on the CPU, Float32 or BFloat16, and are read in place where the elements of a head are adjacent;
/// otherwise a dense copy is made. Inputs and results must not be modified in place between the forward and the
/// backward pass, which libtorch checks.</para>
/// <para>May be called from several threads: calls on one engine wait for each other. There are no second
/// derivatives: <c>create_graph: true</c> is refused. A backward pass that fails writes its reason to standard error,
/// and libtorch throws, naming a gradient of wrong shape: no exception of .NET passes through libtorch.</para>
/// </remarks>
public static class TorchAttention
{
    /// <summary><c>O = softmax(scale Q K^T over the kept blocks) V, LSE = ln sum exp(scale q k)</c>, both
    /// differentiable.</summary>
    /// <param name="query">Q [B, Nq, H, D]; D a multiple of 8 from 8 to 256. Read, and kept for the gradient.</param>
    /// <param name="key">K [B, Nk, Hkv, D] of the type of Q, with Nk at least Nq: query i sits at position Nk - Nq + i.
    /// Read, kept.</param>
    /// <param name="value">V [B, Nk, Hkv, D] of the type of Q. Read, kept.</param>
    /// <param name="layout">The kept blocks; covers all keys.</param>
    /// <param name="scale">Factor of the scores; null for 1 / sqrt(D).</param>
    /// <param name="sequences">Padded or packed sequences; null when all have the tensors' length.</param>
    /// <param name="engine">What computes; it must live until the gradient is computed. Null for the engine of the
    /// process, with all processors.</param>
    /// <returns>O [B, Nq, H, D] of the type of Q and LSE [B, H, Nq], Float32. New tensors of the caller, or of its
    /// dispose scope.</returns>
    /// <exception cref="ArgumentException">A tensor is on another device or of another element type, the layout does
    /// not cover a sequence, or sequences leave the tensors.</exception>
    /// <exception cref="Tensors.ShapeException">Shapes or types do not fit each other.</exception>
    public static (Tensor Output, Tensor LogSumExp) Forward(Tensor query, Tensor key, Tensor value, BlockLayout layout,
        float? scale = null, SequenceBatch? sequences = null, CpuEngine? engine = null) =>
        EngineFunction.Run(new AttentionCall(query, key, value, layout, scale, sequences, engine));

    /// <summary>Attention over all keys from attention over disjoint parts of them: <c>LSE = ln sum_i exp(LSE_i), O =
    /// sum_i exp(LSE_i - LSE) O_i</c>, differentiable in every O_i and LSE_i.</summary>
    /// <param name="outputs">O_i [B, N, H, D], at least one. Read, kept for the gradient.</param>
    /// <param name="logSumExps">LSE_i [B, H, N], Float32, one per output. Read, kept.</param>
    /// <param name="engine">As in <see cref="Forward"/>.</param>
    /// <returns>O and LSE, again a part: merges compose in a tree. A part with an LSE of -infinity counts
    /// nothing.</returns>
    /// <exception cref="ArgumentException">There are no parts, their numbers differ, or a tensor is on another device
    /// or of another element type.</exception>
    /// <exception cref="Tensors.ShapeException">The parts differ in shape or type.</exception>
    public static (Tensor Output, Tensor LogSumExp) Merge(IReadOnlyList<Tensor> outputs,
        IReadOnlyList<Tensor> logSumExps, CpuEngine? engine = null)
    {
        ArgumentNullException.ThrowIfNull(outputs);
        ArgumentNullException.ThrowIfNull(logSumExps);
        if (outputs.Count == 0 || outputs.Count != logSumExps.Count)
            throw new ArgumentException($"a merge has one log-sum-exp per output and at least one of each, got "
                + $"{outputs.Count} outputs and {logSumExps.Count} log-sum-exps");
        return EngineFunction.Run(new MergeCall([.. outputs, .. logSumExps], engine));
    }
}
