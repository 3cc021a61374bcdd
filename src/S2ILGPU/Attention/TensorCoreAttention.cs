using System.Diagnostics.CodeAnalysis;
using ILGPU;
using S2ILGPU.Engines;
using S2ILGPU.Kernels.Attention.Portable;
using S2ILGPU.Kernels.Attention.TensorCore;
using S2ILGPU.Lists;
using S2ILGPU.Memory;
using S2ILGPU.Queue;
using S2ILGPU.Tensors;
using S2ILGPU.Tiles;
using S2ILGPU.Variants;

namespace S2ILGPU.Attention;

/// <summary>Attention by the tensor-core kernels, on 16-bit tensors. Operands that they cannot read as they lie are
/// packed into dense tiles first.</summary>
internal sealed class TensorCoreAttention(DeviceQueue queue, AttentionKernels kernels, PortableAttention portable)
{
    private readonly StagingTensors _staging = new(queue);
    private readonly DeviceTensors _tensors = queue.Tensors;

    /// <summary>Forward pass, decoding included, if there is a kernel for it.</summary>
    /// <returns>False when a portable kernel has to do it.</returns>
    public bool TryForward(in ForwardCall call)
    {
        if (ChooseForward(call) is not { } variant)
            return false;
        var a = call.Arguments;
        var plan = call.Plan(RowsOf(variant));
        if (plan.Rows == 0)
            return true;
        using var keys = call.IsPaged ? null : Packed(a.Key, plan.Columns);
        using var values = call.IsPaged ? null : Packed(a.Value, plan.Columns);
        using var query = _staging.ToRead(a.Query, alignment: 8);
        using var output = _staging.ToWrite(a.Output, alignment: 2);
        var arguments = new ForwardArguments
        {
            Lists = plan.Lists(call.Pages),
            Query = View<U4>(query),
            QueryRows = DeviceTensors.HeadRows(query),
            Keys = keys is null ? _tensors.PagePool(a.Key).Cast<U4>() : View<U4>(keys),
            Values = values is null ? _tensors.PagePool(a.Value).Cast<U4>() : View<U4>(values),
            Output = View<uint>(output),
            OutputRows = DeviceTensors.HeadRows(output),
            LogSumExp = _tensors.Floats(call.LogSumExp),
            Heads = a.Query.Shape[2],
            LogSumExpRows = a.Query.Shape[1],
            ScaleLog2 = call.ScaleLog2,
            Causal = a.Layout.IsCausal ? 1 : 0,
        };
        if (variant.Operation == KernelOperation.Decode)
            Decode(variant, arguments, plan, headDim: a.Query.Shape[3]);
        else
            ForwardTiles(variant, arguments, call, output, plan);
        _staging.CopyBack(output, a.Output);
        return true;
    }

    /// <summary>Gradients, if there are kernels for them.</summary>
    /// <returns>False when portable kernels have to do it.</returns>
    public bool TryBackward(in BackwardCall call)
    {
        var (a, queryPlan, keyPlan) = (call.Arguments, call.QueryPlan, call.KeyPlan);
        var geometry = TileGeometry.Of(a.Layout.BlockTokens);
        var problem = new AttentionProblem(a.Query.ElementType, a.Query.Shape[3], geometry.BlockColumns);
        if (!kernels.TakesOperands(a.Query, a.Key, a.Scale)
            || !TryChooseBackward(problem, out var queryKernel, out var keyKernels))
            return false;
        using var query = Packed(a.Query, keyPlan.Columns);
        using var outputGradient = Packed(a.OutputGradient, keyPlan.Columns);
        using var key = Packed(a.Key, queryPlan.Columns);
        using var value = Packed(a.Value, queryPlan.Columns);
        using var lines = queue.Allocate(new Shape((int)Math.Max(1, keyPlan.Columns.Length), 128),
            ElementType.Float32);
        Delta(call, lines);

        using var queryGradient = _staging.ToWrite(a.QueryGradient, alignment: 2);
        using var keyGradient = _staging.ToWrite(a.KeyGradient, alignment: 2);
        using var valueGradient = _staging.ToWrite(a.ValueGradient, alignment: 2);
        var arguments = new BackwardArguments
        {
            Lists = queryPlan.Lists(default),
            Rows1 = View<U4>(query),
            Rows2 = View<U4>(outputGradient),
            Columns1 = View<U4>(key),
            Columns2 = View<U4>(value),
            Lines = View<U4>(lines),
            Gradient1 = View<uint>(queryGradient),
            Gradient1Rows = DeviceTensors.HeadRows(queryGradient),
            Gradient2 = View<uint>(queryGradient),
            Gradient2Rows = DeviceTensors.HeadRows(queryGradient),
            ScaleLog2 = call.ScaleLog2,
            Scale = a.Scale,
            Causal = a.Layout.IsCausal ? 1 : 0,
        };
        using var queriesNonFinite = queue.Allocate(new Shape(Math.Max(1, queryPlan.Rows), 8), ElementType.Int32);
        using var keysNonFinite = queue.Allocate(new Shape(Math.Max(1, keyPlan.Rows), 8), ElementType.Int32);
        arguments.NonFinite = _tensors.Words(queriesNonFinite);
        Launch(queryKernel, new Index2D(queryPlan.Rows, 1), arguments);
        portable.RepairBackward(call, queryGradient, null, queryPlan, lines, queriesNonFinite);
        arguments.NonFinite = _tensors.Words(keysNonFinite);
        arguments.Lists = keyPlan.Lists(default);
        (arguments.Rows1, arguments.Rows2, arguments.Columns1, arguments.Columns2) =
            (View<U4>(key), View<U4>(value), View<U4>(query), View<U4>(outputGradient));
        (arguments.Gradient1, arguments.Gradient1Rows) = (View<uint>(keyGradient), DeviceTensors.HeadRows(keyGradient));
        (arguments.Gradient2, arguments.Gradient2Rows) =
            (View<uint>(valueGradient), DeviceTensors.HeadRows(valueGradient));
        foreach (var kernel in keyKernels)
            Launch(kernel, new Index2D(keyPlan.Rows, 1), arguments);
        portable.RepairBackward(call, keyGradient, valueGradient, keyPlan, lines, keysNonFinite);
        _staging.CopyBack(queryGradient, a.QueryGradient);
        _staging.CopyBack(keyGradient, a.KeyGradient);
        _staging.CopyBack(valueGradient, a.ValueGradient);
        return true;
    }

    // Row tiles, their lists in parts where they would not fill the device, and what has to be computed again.
    private void ForwardTiles(KernelVariant variant, ForwardArguments arguments, in ForwardCall call, Tensor output,
        DevicePlan plan)
    {
        int splits = plan.ForwardSplitsOn(queue), headDim = call.Arguments.Query.Shape[3];
        using var parts = splits > 1 ? new Parts(queue, plan.Rows * variant.Rows, splits, headDim) : null;
        using var nonFinite = queue.Allocate(new Shape(splits, plan.Rows, 8), ElementType.Int32);
        arguments.NonFinite = _tensors.Words(nonFinite);
        arguments.Splits = splits;
        if (parts is not null)
        {
            arguments.PartialOutput = View<F2>(parts.Outputs);
            arguments.PartialLogSumExp = _tensors.Floats(parts.LogSumExps);
        }
        Launch(variant, new Index2D(plan.Rows, splits), arguments);
        if (parts is not null)
            Merge(variant, arguments, parts, groupHeads: 1, variant.Rows);
        portable.RepairForward(call, output, plan, nonFinite, variant.Rows, splits);
    }

    // The parts of each list, then their merge into O and LSE of the arguments.
    private void Decode(KernelVariant variant, in ForwardArguments a, DevicePlan plan, int headDim)
    {
        int splits = plan.DecodeSplitsOn(queue);
        using var parts = new Parts(queue, plan.Rows * variant.GroupHeads, splits, headDim);
        Launch(variant, new Index2D(plan.Rows, splits), new DecodeArguments
        {
            Lists = a.Lists,
            Query = a.Query.Cast<uint>(),
            QueryRows = a.QueryRows,
            Keys = a.Keys,
            Values = a.Values,
            PartialOutput = View<F4>(parts.Outputs),
            PartialLogSumExp = _tensors.Floats(parts.LogSumExps),
            Splits = splits,
            ScaleLog2 = a.ScaleLog2,
        });
        Merge(variant, a, parts, variant.GroupHeads, tileRows: 1);
    }

    // Joins parts into O and LSE of the arguments.
    private void Merge(KernelVariant variant, in ForwardArguments a, Parts parts, int groupHeads, int tileRows)
    {
        int headQuads = parts.Outputs.Shape[2] / 4;
        var merge = new MergeArguments
        {
            Rows = a.Lists.Rows,
            PartialOutput = View<F4>(parts.Outputs),
            PartialLogSumExp = _tensors.Floats(parts.LogSumExps),
            Output = a.Output,
            OutputRows = a.OutputRows,
            LogSumExp = a.LogSumExp,
            Heads = a.Heads,
            LogSumExpRows = a.LogSumExpRows,
            Splits = parts.Outputs.Shape[1],
            GroupHeads = groupHeads,
            TileRows = tileRows,
            HeadQuads = headQuads,
            Count = checked(parts.Outputs.Shape[0] * headQuads),
        };
        var kernel = KernelVariants.All.First(v => v.Operation == KernelOperation.Merge
            && v.ElementType == variant.ElementType);
        Launch(kernel, new Index2D((merge.Count + kernel.Threads - 1) / kernel.Threads, 1), merge);
    }

    private void Delta(in BackwardCall call, Tensor lines)
    {
        var (a, tiles) = (call.Arguments, call.KeyPlan.Columns);
        if (tiles.Length == 0)
            return;
        using var output = _staging.ToRead(a.Output, alignment: 8);
        using var outputGradient = _staging.ToRead(a.OutputGradient, alignment: 8);
        var problem = new AttentionProblem(a.Query.ElementType, a.Query.Shape[3], 0);
        var kernel = KernelVariants.All.First(v => AttentionLaunchTable.Fits(v, KernelOperation.Delta, problem));
        var logSumExp = _tensors.Floats(call.LogSumExp);
        Launch(kernel, new Index2D(tiles.IntLength, 1), new DeltaArguments
        {
            Rows = tiles,
            Output = View<U4>(output),
            OutputRows = DeviceTensors.HeadRows(output),
            OutputGradient = View<U4>(outputGradient),
            OutputGradientRows = DeviceTensors.HeadRows(outputGradient),
            LogSumExp = logSumExp,
            LogSumExpGradient = call.LogSumExpGradient is { } gradient ? _tensors.Floats(gradient)
                : logSumExp.SubView(0, 0),
            Lines = _tensors.Floats(lines),
            Heads = a.Query.Shape[2],
            LogSumExpRows = a.Query.Shape[1],
        });
    }

    private KernelVariant? ChooseForward(in ForwardCall call)
    {
        var a = call.Arguments;
        if (!kernels.TakesOperands(a.Query, a.Key, a.Scale))
            return null;
        if (call.IsPaged && !(DeviceTensors.IsPagePool(a.Key) && DeviceTensors.IsPagePool(a.Value)))
        {
            Note(PortableReason.Kinds.Pages, a.Query.ElementType);
            return null;
        }
        var (layout, pattern, isDecoding) = (a.Layout, a.Layout.Pattern, call.IsDecoding);
        int group = layout.Heads == pattern.KeyValueHeads ? pattern.QueryHeads / pattern.KeyValueHeads : 1;
        int rows = isDecoding ? 1 : AttentionLaunchTable.ForwardRows(layout, TallTiles(a), queue.Multiprocessors,
            isChosen: call.Kept is not null).Rows;
        var problem = new AttentionProblem(a.Query.ElementType, a.Query.Shape[3], call.Geometry.BlockColumns,
            call.IsPaged, rows, group);
        var operation = isDecoding ? KernelOperation.Decode : KernelOperation.Forward;
        if ((kernels.Choose(operation, problem) ?? kernels.Choose(operation, problem with { Rows = 0 })) is { } variant)
            return variant;
        Note(PortableReason.Kinds.SharedMemory, problem.ElementType, problem.HeadDim, operation);
        return null;
    }

    private void Note(PortableReason.Kinds kind, ElementType type, int headDim = 0,
        KernelOperation operation = KernelOperation.Forward) =>
        kernels.NotePortable(new PortableReason(kind, type, type, headDim, operation));

    private bool TryChooseBackward(in AttentionProblem problem, [NotNullWhen(true)] out KernelVariant? queryKernel,
        out KernelVariant[] keyKernels)
    {
        queryKernel = kernels.Choose(KernelOperation.QueryGradient, problem);
        if (kernels.Choose(KernelOperation.KeyValueGradient, problem) is { } both)
            keyKernels = [both];
        else if (kernels.Choose(KernelOperation.KeyGradient, problem) is { } key
            && kernels.Choose(KernelOperation.ValueGradient, problem) is { } value)
            keyKernels = [key, value];
        else
            keyKernels = [];
        if (queryKernel is null)
            Note(PortableReason.Kinds.SharedMemory, problem.ElementType, problem.HeadDim,
                KernelOperation.QueryGradient);
        if (keyKernels.Length == 0)
            Note(PortableReason.Kinds.SharedMemory, problem.ElementType, problem.HeadDim,
                KernelOperation.KeyValueGradient);
        return queryKernel is not null && keyKernels.Length > 0;
    }

    private void Launch<TArguments>(KernelVariant variant, Index2D groups, in TArguments arguments)
        where TArguments : struct
    {
        if (groups.X > 0)
            kernels.Used(variant);
        queue.Launch(variant.Method, new Index3D(groups.X, groups.Y, 1), variant.Threads, variant.SharedBytes,
            arguments);
    }

    // Dense tiles [n, 64, D] of the rows of a tensor [B, N, H, D], zeros where a tile has no row; at least one, which
    // empty lists may name.
    private Tensor Packed(Tensor tensor, ArrayView<RowTile> tiles)
    {
        var packed = queue.Allocate(new Shape(Math.Max(1, tiles.IntLength), PortableTiles.Tile, tensor.Shape[3]),
            tensor.ElementType);
        if (tiles.Length == 0)
        {
            queue.Fill(packed, 0);
            return packed;
        }
        string name = PackVariants.NameOf(tensor.ElementType, StagingTensors.IsAligned(tensor, 8));
        var kernel = KernelVariants.All.First(v => v.Name == name);
        Launch(kernel, new Index2D(tiles.IntLength, 1), new PackArguments
        {
            Tiles = tiles,
            Source = _tensors.Words(tensor),
            SourceRows = DeviceTensors.HeadRows(tensor),
            Packed = View<U4>(packed),
            HeadChunks = tensor.Shape[3] / 8,
        });
        return packed;
    }

    // Row tiles of 128 rows that the batch would have.
    private static long TallTiles(in AttentionForwardArguments a)
    {
        long tiles = 0;
        foreach (var sequence in a.Sequences.Sequences)
            tiles += (sequence.QueryCount + 127) / 128;
        return tiles * a.Query.Shape[2];
    }

    private static PlanRows RowsOf(KernelVariant variant) =>
        (variant.Operation, variant.Rows, variant.GroupHeads) switch
    {
        (KernelOperation.Forward, 128, _) => PlanRows.Queries128,
        (KernelOperation.Forward, _, _) => PlanRows.Queries64,
        (_, _, 8) => PlanRows.LastQueryOfEightHeads,
        (_, _, 4) => PlanRows.LastQueryOfFourHeads,
        (_, _, 2) => PlanRows.LastQueryOfTwoHeads,
        _ => PlanRows.LastQuery,
    };

    // All of the memory under a tensor: kernels add the offset of its rows.
    private ArrayView<T> View<T>(Tensor tensor) where T : unmanaged => _tensors.Words(tensor).Cast<T>();
}
