using S2ILGPU.Engines;
using S2ILGPU.Lists;
using S2ILGPU.Queue;
using S2ILGPU.Tensors;

namespace S2ILGPU.Attention;

/// <summary>The attention family of the contract on a device: checks, padding, staging and plans, then tensor-core
/// kernels where they serve the call and portable ones elsewhere.</summary>
internal sealed class DeviceAttention
{
    private readonly DeviceQueue _queue;
    private readonly PageTableCopies _pageTables;
    private readonly PlanCache _plans;
    private readonly ChosenPlans _chosen;
    private readonly StagingTensors _staging;
    private readonly PortableAttention _portable;
    private readonly TensorCoreAttention _tensorCore;

    /// <summary>Attention on a device.</summary>
    /// <param name="queue">The device.</param>
    /// <param name="pageTables">The page tables on it.</param>
    /// <param name="kernels">The kernels to choose from.</param>
    public DeviceAttention(DeviceQueue queue, PageTableCopies pageTables, AttentionKernels kernels)
    {
        (_queue, _pageTables, Kernels) = (queue, pageTables, kernels);
        _plans = new PlanCache(queue);
        _chosen = new ChosenPlans(queue);
        _staging = new StagingTensors(queue);
        _portable = new PortableAttention(queue, kernels);
        _tensorCore = new TensorCoreAttention(queue, kernels, _portable);
    }

    /// <summary>Which kernels attention uses.</summary>
    public AttentionKernels Kernels { get; }

    /// <summary>Plans built so far: a steady state builds none.</summary>
    public int PlansBuilt => _plans.Built + _chosen.Built;

    /// <summary>Forward pass, decoding included.</summary>
    /// <param name="a">The arguments.</param>
    /// <param name="kept">Marks of chosen blocks, see <see cref="IAttentionSampler.ChosenForward"/>; null where layouts
    /// say what is kept.</param>
    public void Forward(in AttentionForwardArguments a, IReadOnlyList<Tensor?>? kept = null)
    {
        if (a.Query.Count == 0)
            return;
        bool isContiguous = a.LogSumExp is { IsContiguous: true };
        using var logSumExp = isContiguous ? a.LogSumExp!.Share()
            : _queue.Allocate(new Shape(a.Query.Shape[0], a.Query.Shape[2], a.Query.Shape[1]), ElementType.Float32);
        if (HasPadding(a.Sequences, a.Query.Shape, areQueries: true))
        {
            _queue.Fill(a.Output, 0);
            _queue.Fill(logSumExp, float.NegativeInfinity);
        }
        var pages = a.Pages is { } table
            ? _pageTables.Of(table, TileGeometry.Of(a.Layout.BlockTokens).EntriesPerBlock) : default;
        var call = new ForwardCall(a, logSumExp, pages, _plans, _chosen, kept);
        if (!_tensorCore.TryForward(call))
            _portable.Forward(call);
        if (a.LogSumExp is { } strided && !isContiguous)
            _queue.Copy(logSumExp, strided);
    }

    /// <summary>Gradients.</summary>
    public void Backward(in AttentionBackwardArguments a)
    {
        if (HasPadding(a.Sequences, a.Query.Shape, areQueries: true))
            _queue.Fill(a.QueryGradient, 0);
        if (HasPadding(a.Sequences, a.Key.Shape, areQueries: false))
        {
            _queue.Fill(a.KeyGradient, 0);
            _queue.Fill(a.ValueGradient, 0);
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

    /// <summary>The gradient of a merge for one part.</summary>
    public void MergeBackward(in MergeBackwardArguments a)
    {
        if (a.Output.Count > 0)
            _portable.MergeBackward(a);
    }

    /// <summary>Frees cached plans.</summary>
    public void Trim()
    {
        _plans.Clear();
        _chosen.Clear();
    }

    private static bool HasPadding(SequenceBatch sequences, Shape shape, bool areQueries)
    {
        long rows = 0;
        foreach (var sequence in sequences.Sequences)
            rows += areQueries ? sequence.QueryCount : sequence.KeyCount;
        return rows != (long)shape[0] * shape[1];
    }
}
