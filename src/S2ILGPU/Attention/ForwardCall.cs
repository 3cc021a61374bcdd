using ILGPU;
using S2ILGPU.Engines;
using S2ILGPU.Lists;
using S2ILGPU.Tensors;

namespace S2ILGPU.Attention;

/// <summary>A forward pass with checked arguments, ready for either kind of kernels.</summary>
/// <param name="Arguments">The arguments.</param>
/// <param name="LogSumExp">LSE [B, H, Nq], contiguous, written.</param>
/// <param name="Pages">The device's copy of the page table, or default.</param>
/// <param name="Plans">Plans used before.</param>
/// <param name="Chosen">Plans of chosen blocks.</param>
/// <param name="Kept">Marks of chosen blocks for each sequence; null where layouts say what is kept.</param>
internal readonly record struct ForwardCall(AttentionForwardArguments Arguments, Tensor LogSumExp, ArrayView<int> Pages,
    PlanCache Plans, ChosenPlans Chosen, IReadOnlyList<Tensor?>? Kept)
{
    /// <summary>How the pattern's blocks fill tiles.</summary>
    public TileGeometry Geometry => TileGeometry.Of(Arguments.Layout.BlockTokens);

    /// <summary>Whether keys and values lie in pages.</summary>
    public bool IsPaged => Arguments.Pages is not null;

    /// <summary>scale log2(e).</summary>
    public float ScaleLog2 => Arguments.Scale * MathF.Log2(MathF.E);

    /// <summary>Whether no sequence has more than one query, and layouts say what is kept.</summary>
    public bool IsDecoding
    {
        get
        {
            foreach (var sequence in Arguments.Sequences.Sequences)
                if (sequence.QueryCount > 1)
                    return false;
            return Kept is null;
        }
    }

    /// <summary>The plan of the batch for rows of a kind.</summary>
    /// <exception cref="ArgumentException">A layout does not cover its sequence, the page table has fewer sequences, or
    /// a kept block has no page.</exception>
    public DevicePlan Plan(PlanRows rows)
    {
        if (Arguments.Sequences.Sequences.Length > (Arguments.Pages?.Sequences ?? int.MaxValue))
            throw new ArgumentException(
                $"{Arguments.Sequences.Sequences.Length} sequences, but the page table is for "
                + $"{Arguments.Pages!.Sequences}");
        int? pageBlocks = Arguments.Pages?.MaxBlocks * Geometry.EntriesPerBlock;
        var plan = Kept is { } kept ? Chosen.Write(rows, Arguments, kept, pageBlocks)
            : Plans.Get(rows, Arguments.Layouts ?? [Arguments.Layout], Arguments.Sequences, pageBlocks);
        if (Arguments.Pages is { } table)
            plan.CheckPages(table, Geometry);
        return plan;
    }
}

/// <summary>A backward pass with checked arguments, ready for either kind of kernels.</summary>
/// <param name="Arguments">The arguments.</param>
/// <param name="LogSumExp">LSE [B, H, Nq], contiguous, read.</param>
/// <param name="LogSumExpGradient">dLSE, contiguous, or null. Read.</param>
/// <param name="QueryPlan">The lists of keys of each tile of 64 queries.</param>
/// <param name="KeyPlan">The lists of queries of each tile of 64 keys.</param>
internal readonly record struct BackwardCall(AttentionBackwardArguments Arguments, Tensor LogSumExp,
    Tensor? LogSumExpGradient, DevicePlan QueryPlan, DevicePlan KeyPlan)
{
    /// <summary>scale log2(e).</summary>
    public float ScaleLog2 => Arguments.Scale * MathF.Log2(MathF.E);
}
