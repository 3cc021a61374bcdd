using S2ILGPU.Engines;
using S2ILGPU.Lists;
using S2ILGPU.Queue;
using S2ILGPU.Tensors;

namespace S2ILGPU.Attention;

/// <summary>The attention family of the contract on a device: checks, padding, staging and plans, then tensor-core
/// kernels where they serve the call and portable ones elsewhere.</summary>
/// <param name="queue">The device.</param>
/// <param name="pageTables">The page tables on it.</param>
/// <param name="kernels">The kernels to choose from.</param>
internal sealed class DeviceAttention(DeviceQueue queue, PageTableCopies pageTables, AttentionKernels kernels)
{
    private readonly PlanCache _plans = new(queue);
    private readonly StagingTensors _staging = new(queue);
    private readonly PortableAttention _portable = new(queue, kernels);
    private readonly TensorCoreAttention _tensorCore = new(queue, kernels);

    /// <summary>Which kernels attention uses.</summary>
    public AttentionKernels Kernels => kernels;

    /// <summary>Plans built so far: a steady state builds none.</summary>
    public int PlansBuilt => _plans.Built;

    /// <summary>Forward pass, decoding included.</summary>
    public void Forward(in AttentionForwardArguments a)
    {
        AttentionChecks.Forward(a);
        if (a.Query.Count == 0)
            return;
        bool isContiguous = a.LogSumExp is { IsContiguous: true };
        using var logSumExp = isContiguous ? a.LogSumExp!.Share()
            : queue.Allocate(new Shape(a.Query.Shape[0], a.Query.Shape[2], a.Query.Shape[1]), ElementType.Float32);
        if (HasPadding(a.Sequences, a.Query.Shape, areQueries: true))
        {
            queue.Fill(a.Output, 0);
            queue.Fill(logSumExp, float.NegativeInfinity);
        }
        var pages = a.Pages is { } table
            ? pageTables.Of(table, TileGeometry.Of(a.Layout.BlockTokens).EntriesPerBlock) : default;
        var call = new ForwardCall(a, logSumExp, pages, _plans);
        if (!_tensorCore.TryForward(call))
            _portable.Forward(call);
        if (a.LogSumExp is { } strided && !isContiguous)
            queue.Copy(logSumExp, strided);
    }

    /// <summary>Gradients.</summary>
    public void Backward(in AttentionBackwardArguments a)
    {
        AttentionChecks.Backward(a);
        if (HasPadding(a.Sequences, a.Query.Shape, areQueries: true))
            queue.Fill(a.QueryGradient, 0);
        if (HasPadding(a.Sequences, a.Key.Shape, areQueries: false))
        {
            queue.Fill(a.KeyGradient, 0);
            queue.Fill(a.ValueGradient, 0);
        }
        if (a.Query.Count + a.Key.Count == 0)
            return;
        using var logSumExp = _staging.ToReadContiguous(a.LogSumExp);
        using var logSumExpGradient = a.LogSumExpGradient is { } gradient ? _staging.ToReadContiguous(gradient) : null;
        var call = new BackwardCall(a, logSumExp, logSumExpGradient,
            _plans.Get(PlanRows.Queries64, [a.Layout], a.Sequences),
            _plans.Get(PlanRows.Keys, [a.Layout], a.Sequences));
        if (!_tensorCore.TryBackward(call))
            _portable.Backward(call);
    }

    /// <summary>Merges outputs [B, N, H, D] and log-sum-exps [B, H, N] of disjoint keys.</summary>
    public void Merge(IReadOnlyList<Tensor> outputs, IReadOnlyList<Tensor> logSumExps, Tensor output, Tensor logSumExp)
    {
        const string operation = nameof(IEngine.MergePartitions);
        if (outputs.Count == 0 || outputs.Count != logSumExps.Count)
            throw new ArgumentException($"{operation}: {outputs.Count} outputs and {logSumExps.Count} log-sum-exps");
        for (int p = 0; p < outputs.Count; p++)
        {
            ShapeException.ThrowUnless(operation, $"output of part {p}", outputs[p], output.Shape);
            ShapeException.ThrowUnless(operation, $"log-sum-exp of part {p}", logSumExps[p], logSumExp.Shape);
        }
        if (output.Count > 0)
            _portable.Merge(outputs, logSumExps, output, logSumExp);
    }

    /// <summary>Frees cached plans.</summary>
    public void Trim() => _plans.Clear();

    private static bool HasPadding(SequenceBatch sequences, Shape shape, bool areQueries)
    {
        long rows = 0;
        foreach (var sequence in sequences.Sequences)
            rows += areQueries ? sequence.QueryCount : sequence.KeyCount;
        return rows != (long)shape[0] * shape[1];
    }
}
