using ILGPU;
using S2ILGPU.Attention;
using S2ILGPU.Engines;
using S2ILGPU.Lists;
using S2ILGPU.Tensors;
using S2ILGPU.Variants;

namespace S2ILGPU;

public sealed partial class IlgpuEngine
{
    private readonly PlanCache _plans;
    private readonly AttentionKernels _attentionKernels;
    private readonly PortableAttention _portableAttention;
    private readonly TensorCoreAttention _tensorCoreAttention;

    /// <summary>Plans of attention built so far: a steady state builds none.</summary>
    internal int PlansBuilt => _plans.Built;

    /// <summary>Which kernels attention uses.</summary>
    internal AttentionKernels AttentionKernels => _attentionKernels;

    /// <summary>The attention kernels of the registry that this device can run.</summary>
    internal IReadOnlyList<KernelVariant> AttentionVariants => _attentionKernels.Variants;

    /// <summary>Prefers a variant wherever it fits, until the result is disposed.</summary>
    internal IDisposable Force(KernelVariant variant) => _attentionKernels.Force(variant);

    /// <inheritdoc/>
    public bool SupportsAttention(ElementType elementType) =>
        elementType is ElementType.Float32 or ElementType.BFloat16 or ElementType.Float16;

    /// <inheritdoc/>
    public void AttentionForward(in AttentionForwardArguments arguments)
    {
        AttentionChecks.Forward(arguments);
        if (arguments.Query.Count == 0)
            return;
        bool isDense = arguments.LogSumExp is { IsContiguous: true };
        using var logSumExp = isDense ? arguments.LogSumExp!.Share()
            : Allocate(new Shape(arguments.Query.Shape[0], arguments.Query.Shape[2], arguments.Query.Shape[1]),
            ElementType.Float32);
        if (HasPadding(arguments.Sequences, arguments.Query.Shape, areQueries: true))
        {
            Fill(arguments.Output, 0);
            Fill(logSumExp, float.NegativeInfinity);
        }
        var pages = arguments.Pages is { } table
            ? _pageTables.On(_memory, _stream, table,
            TileGeometry.Of(arguments.Layout.BlockTokens).EntriesPerBlock) : default;
        if (!_tensorCoreAttention.TryForward(arguments, logSumExp, pages))
            _portableAttention.Forward(arguments, logSumExp, pages);
        if (arguments.LogSumExp is { } strided && !isDense)
            Copy(logSumExp, strided);
    }

    /// <inheritdoc/>
    public void AttentionBackward(in AttentionBackwardArguments arguments)
    {
        AttentionChecks.Backward(arguments);
        if (HasPadding(arguments.Sequences, arguments.Query.Shape, areQueries: true))
            Fill(arguments.QueryGradient, 0);
        if (HasPadding(arguments.Sequences, arguments.Key.Shape, areQueries: false))
        {
            Fill(arguments.KeyGradient, 0);
            Fill(arguments.ValueGradient, 0);
        }
        if (arguments.Query.Count + arguments.Key.Count == 0)
            return;
        using var logSumExp = Dense(arguments.LogSumExp);
        using var logSumExpGradient = arguments.LogSumExpGradient is { } gradient ? Dense(gradient) : null;
        if (!_tensorCoreAttention.TryBackward(arguments, logSumExp, logSumExpGradient))
            _portableAttention.Backward(arguments);
    }

    /// <inheritdoc/>
    public void MergePartitions(IReadOnlyList<Tensor> outputs, IReadOnlyList<Tensor> logSumExps, Tensor output,
        Tensor logSumExp)
    {
        if (outputs.Count == 0 || outputs.Count != logSumExps.Count)
            throw new ArgumentException(
                $"{nameof(MergePartitions)}: {outputs.Count} outputs and {logSumExps.Count} log-sum-exps");
        for (int p = 0; p < outputs.Count; p++)
        {
            ShapeException.ThrowUnless(nameof(MergePartitions), $"output of part {p}", outputs[p], output.Shape);
            ShapeException.ThrowUnless(nameof(MergePartitions), $"log-sum-exp of part {p}", logSumExps[p],
                logSumExp.Shape);
        }
        if (output.Count > 0)
            _portableAttention.Merge(outputs, logSumExps, output, logSumExp);
    }

    /// <inheritdoc/>
    public void MergePartitionBackward(in MergeBackwardArguments arguments)
    {
        if (arguments.Output.Count > 0)
            _portableAttention.MergeBackward(arguments);
    }

    /// <summary>Splits that the lists of decoding are cut into, so that all multiprocessors have work.</summary>
    /// <param name="rows">Row tiles.</param>
    /// <param name="longest">Column tiles of the longest list.</param>
    internal int SplitsOf(int rows, int longest)
    {
        int groups = IsEmulated ? 6 : 4 * _accelerator.NumMultiprocessors; // emulated: some parts, for the tests' sake
        return Math.Clamp(groups / Math.Max(1, rows), 1, Math.Max(1, longest));
    }

    /// <summary>Frees cached plans, page tables and idle memory.</summary>
    internal void Trim()
    {
        _plans.Dispose();
        _pageTables.Clear();
        _memory.Trim();
    }

    private Tensor Dense(Tensor tensor)
    {
        if (tensor.IsContiguous)
            return tensor.Share();
        var dense = Allocate(tensor.Shape, tensor.ElementType);
        Copy(tensor, dense);
        return dense;
    }

    private static bool HasPadding(SequenceBatch sequences, Shape shape, bool areQueries)
    {
        long rows = 0;
        foreach (var sequence in sequences.Sequences)
            rows += areQueries ? sequence.QueryCount : sequence.KeyCount;
        return rows != (long)shape[0] * shape[1];
    }
}
