using System.Diagnostics.CodeAnalysis;
using ILGPU;
using ILGPU.Runtime;
using S2ILGPU.Engines;
using S2ILGPU.Kernels;
using S2ILGPU.Kernels.Attention.Portable;
using S2ILGPU.Kernels.Attention.TensorCore;
using S2ILGPU.Layouts;
using S2ILGPU.Lists;
using S2ILGPU.Memory;
using S2ILGPU.Tensors;
using S2ILGPU.Tiles;
using S2ILGPU.Variants;

namespace S2ILGPU.Attention;

/// <summary>Attention by the tensor-core kernels, on 16-bit tensors. Operands that they cannot read as they lie are
/// packed into dense tiles first.</summary>
internal sealed class TensorCoreAttention(IlgpuEngine engine, DeviceTensors tensors, PlanCache plans,
    AttentionKernels kernels, PortableAttention portable)
{
    // ILGPU chooses vector loads as if the views of an argument began at multiples of so many bytes
    // (PTXBackend.DefaultGlobalMemoryAlignment).
    private const int ViewAlignmentBytes = 256;

    private readonly DenseTwins _twins = new(engine);

    /// <summary>Forward pass, decoding included, if there is a kernel for it.</summary>
    /// <param name="a">Checked arguments.</param>
    /// <param name="logSumExp">LSE [B, H, Nq], contiguous, written.</param>
    /// <param name="pages">The device's copy of the page table, or default.</param>
    /// <returns>False when a portable kernel has to do it.</returns>
    public bool TryForward(in AttentionForwardArguments a, Tensor logSumExp, ArrayView<int> pages)
    {
        if (!IsSixteenBit(a.Query) || a.Key.ElementType != a.Query.ElementType || a.Scale <= 0
            || (a.Pages is not null && !(IsPagePool(a.Key) && IsPagePool(a.Value))))
            return false;
        var geometry = TileGeometry.Of(a.Layout.BlockTokens);
        bool isDecoding = PortableAttention.IsDecoding(a.Sequences);
        int group = a.Layout.Heads == a.Layout.Pattern.KeyValueHeads
            ? a.Layout.Pattern.QueryHeads / a.Layout.Pattern.KeyValueHeads : 1;
        int rows = isDecoding ? 1 : AttentionLaunchTable.ForwardRows(a.Layout, TallTiles(a),
            engine.Multiprocessors).Rows;
        var problem = new AttentionProblem(a.Query.ElementType, a.Query.Shape[3], geometry.BlockColumns,
            a.Pages is not null, rows, group);
        var operation = isDecoding ? KernelOperation.Decode : KernelOperation.Forward;
        if ((kernels.Choose(operation, problem) ?? kernels.Choose(operation, problem with { Rows = 0 }))
            is not { } variant)
            return false;

        int? pageBlocks = a.Pages is { } table ? table.MaxBlocks * geometry.EntriesPerBlock : null;
        var plan = plans.Get(RowsOf(variant), a.Layouts ?? [a.Layout], a.Sequences, pageBlocks);
        if (a.Pages is not null)
            plan.CheckPages(a.Pages, geometry);
        if (plan.Rows == 0)
            return true;
        using var keys = a.Pages is null ? Packed(a.Key, plan.Columns) : null;
        using var values = a.Pages is null ? Packed(a.Value, plan.Columns) : null;
        using var query = _twins.ToRead(a.Query, alignment: 8);
        using var output = _twins.ToWrite(a.Output, alignment: 2);
        var lists = plan.Lists(pages);
        var (keyView, valueView) = (keys is null ? BlocksOf(a.Key) : View<U4>(keys), values is null ? BlocksOf(a.Value)
            : View<U4>(values));
        if (isDecoding)
            Decode(variant, a, plan, lists, keyView, valueView, query, output, logSumExp);
        else
        {
            using var nonFinite = engine.Allocate(new Shape(plan.Rows, 8), ElementType.Int32);
            Launch(variant, new Index3D(plan.Rows, 1, 1), new ForwardArguments
            {
                Lists = lists,
                Query = View<U4>(query),
                QueryRows = DeviceTensors.HeadRows(query),
                Keys = keyView,
                Values = valueView,
                Output = View<uint>(output),
                OutputRows = DeviceTensors.HeadRows(output),
                LogSumExp = tensors.Floats(logSumExp),
                Heads = a.Query.Shape[2],
                LogSumExpRows = a.Query.Shape[1],
                ScaleLog2 = a.Scale * MathF.Log2(MathF.E),
                Causal = a.Layout.IsCausal ? 1 : 0,
                NonFinite = tensors.Words(nonFinite),
            });
            portable.RepairForward(a, output, logSumExp, plan, pages, nonFinite, variant.Rows);
        }
        _twins.CopyBack(output, a.Output);
        return true;
    }

    /// <summary>Gradients, if there are kernels for them.</summary>
    /// <param name="a">Checked arguments.</param>
    /// <param name="logSumExp">LSE, contiguous.</param>
    /// <param name="logSumExpGradient">dLSE, contiguous, or null.</param>
    /// <returns>False when portable kernels have to do it.</returns>
    public bool TryBackward(in AttentionBackwardArguments a, Tensor logSumExp, Tensor? logSumExpGradient)
    {
        var geometry = TileGeometry.Of(a.Layout.BlockTokens);
        var problem = new AttentionProblem(a.Query.ElementType, a.Query.Shape[3], geometry.BlockColumns);
        if (!IsSixteenBit(a.Query) || a.Scale <= 0
            || !TryChooseBackward(problem, out var queryKernel, out var keyKernels))
            return false;

        var queryPlan = plans.Get(PlanRows.Queries64, [a.Layout], a.Sequences);
        var keyPlan = plans.Get(PlanRows.Keys, [a.Layout], a.Sequences);
        using var query = Packed(a.Query, keyPlan.Columns);
        using var outputGradient = Packed(a.OutputGradient, keyPlan.Columns);
        using var key = Packed(a.Key, queryPlan.Columns);
        using var value = Packed(a.Value, queryPlan.Columns);
        using var lines = engine.Allocate(new Shape((int)Math.Max(1, keyPlan.Columns.Length), 128),
            ElementType.Float32);
        Delta(a, logSumExp, logSumExpGradient, keyPlan.Columns, lines);

        using var queryGradient = _twins.ToWrite(a.QueryGradient, alignment: 2);
        using var keyGradient = _twins.ToWrite(a.KeyGradient, alignment: 2);
        using var valueGradient = _twins.ToWrite(a.ValueGradient, alignment: 2);
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
            ScaleLog2 = a.Scale * MathF.Log2(MathF.E), Scale = a.Scale, Causal = a.Layout.IsCausal ? 1 : 0,
        };
        using var queriesNonFinite = engine.Allocate(new Shape(Math.Max(1, queryPlan.Rows), 8), ElementType.Int32);
        using var keysNonFinite = engine.Allocate(new Shape(Math.Max(1, keyPlan.Rows), 8), ElementType.Int32);
        arguments.NonFinite = tensors.Words(queriesNonFinite);
        Launch(queryKernel, new Index3D(queryPlan.Rows, 1, 1), arguments);
        portable.RepairBackward(a, queryGradient, null, queryPlan, lines, queriesNonFinite);
        arguments.NonFinite = tensors.Words(keysNonFinite);
        arguments.Lists = keyPlan.Lists(default);
        (arguments.Rows1, arguments.Rows2, arguments.Columns1, arguments.Columns2) =
            (View<U4>(key), View<U4>(value), View<U4>(query), View<U4>(outputGradient));
        (arguments.Gradient1, arguments.Gradient1Rows) = (View<uint>(keyGradient), DeviceTensors.HeadRows(keyGradient));
        (arguments.Gradient2, arguments.Gradient2Rows) =
            (View<uint>(valueGradient), DeviceTensors.HeadRows(valueGradient));
        foreach (var kernel in keyKernels)
            Launch(kernel, new Index3D(keyPlan.Rows, 1, 1), arguments);
        portable.RepairBackward(a, keyGradient, valueGradient, keyPlan, lines, keysNonFinite);
        _twins.CopyBack(queryGradient, a.QueryGradient);
        _twins.CopyBack(keyGradient, a.KeyGradient);
        _twins.CopyBack(valueGradient, a.ValueGradient);
        return true;
    }

    private void Decode(KernelVariant variant, in AttentionForwardArguments a, DevicePlan plan, in ColumnLists lists,
        ArrayView<U4> keys, ArrayView<U4> values, Tensor query,
        Tensor output, Tensor logSumExp)
    {
        var elementType = a.Query.ElementType;
        int headDim = a.Query.Shape[3], longest = plan.Host.Rows[0].End - plan.Host.Rows[0].Start,
            splits = engine.SplitsOf(plan.Rows, longest), lines = plan.Rows * variant.GroupHeads;
        using var partOutputs = engine.Allocate(new Shape(lines, splits, headDim), ElementType.Float32);
        using var partStatistics = engine.Allocate(new Shape(lines, splits), ElementType.Float32);
        Launch(variant, new Index3D(plan.Rows, splits, 1), new DecodeArguments
        {
            Lists = lists,
            Query = View<uint>(query),
            QueryRows = DeviceTensors.HeadRows(query),
            Keys = keys,
            Values = values,
            PartialOutput = View<F4>(partOutputs),
            PartialLogSumExp = tensors.Floats(partStatistics),
            Splits = splits,
            ScaleLog2 = a.Scale * MathF.Log2(MathF.E),
        });
        var merge = new MergeArguments
        {
            Rows = lists.Rows,
            PartialOutput = View<F4>(partOutputs),
            PartialLogSumExp = tensors.Floats(partStatistics),
            Output = View<uint>(output),
            OutputRows = DeviceTensors.HeadRows(output),
            LogSumExp = tensors.Floats(logSumExp),
            Heads = a.Query.Shape[2],
            LogSumExpRows = a.Query.Shape[1],
            Splits = splits,
            GroupHeads = variant.GroupHeads,
            HeadQuads = headDim / 4,
            Count = checked(lines * headDim / 4),
        };
        var kernel = KernelVariants.All.First(v => v.Operation == KernelOperation.Merge
            && v.ElementType == elementType);
        Launch(kernel, new Index3D((merge.Count + kernel.Threads - 1) / kernel.Threads, 1, 1), merge);
    }

    private void Delta(in AttentionBackwardArguments a, Tensor logSumExp, Tensor? logSumExpGradient,
        ArrayView<RowTile> tiles, Tensor lines)
    {
        if (tiles.Length == 0)
            return;
        using var output = _twins.ToRead(a.Output, alignment: 8);
        using var outputGradient = _twins.ToRead(a.OutputGradient, alignment: 8);
        var problem = new AttentionProblem(a.Query.ElementType, a.Query.Shape[3], 0);
        var kernel = KernelVariants.All.First(v => AttentionLaunchTable.Fits(v, KernelOperation.Delta, problem));
        Launch(kernel, new Index3D(tiles.IntLength, 1, 1), new DeltaArguments
        {
            Rows = tiles,
            Output = View<U4>(output),
            OutputRows = DeviceTensors.HeadRows(output),
            OutputGradient = View<U4>(outputGradient),
            OutputGradientRows = DeviceTensors.HeadRows(outputGradient),
            LogSumExp = tensors.Floats(logSumExp), LogSumExpGradient = logSumExpGradient is null
                ? tensors.Floats(logSumExp).SubView(0, 0) : tensors.Floats(logSumExpGradient),
            Lines = tensors.Floats(lines), Heads = a.Query.Shape[2], LogSumExpRows = a.Query.Shape[1],
        });
    }

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
        return queryKernel is not null && keyKernels.Length > 0;
    }

    private void Launch<TArguments>(KernelVariant variant, Index3D groups, in TArguments arguments)
        where TArguments : struct
    {
        if (groups.X == 0)
            return;
        kernels.Used(variant);
        var threads = new Index3D(variant.Threads, 1, 1);
        var config = variant.SharedBytes == 0 ? new KernelConfig(groups, threads)
            : new KernelConfig(groups, threads, SharedMemoryConfig.RequestDynamic<U4>(variant.SharedBytes / 16));
        engine.Kernels.Variant<TArguments>(variant)(engine.Stream, config, arguments);
    }

    // Dense tiles [n, 64, D] of the rows of a tensor [B, N, H, D], zeros where a tile has no row; at least one, which
    // empty lists may name.
    private Tensor Packed(Tensor tensor, ArrayView<RowTile> tiles)
    {
        var packed = engine.Allocate(new Shape(Math.Max(1, tiles.IntLength), PortableTiles.Tile, tensor.Shape[3]),
            tensor.ElementType);
        if (tiles.Length == 0)
        {
            engine.Fill(packed, 0);
            return packed;
        }
        bool isAligned = DenseTwins.IsAligned(tensor, 8);
        string name = PackVariants.NameOf(tensor.ElementType, isAligned ? null : tensor.ElementType);
        var kernel = KernelVariants.All.First(v => v.Name == name);
        Launch(kernel, new Index3D(tiles.IntLength, 1, 1), new PackArguments
        {
            Tiles = tiles,
            Source = tensors.Words(tensor),
            SourceRows = DeviceTensors.HeadRows(tensor),
            Packed = View<U4>(packed),
            HeadChunks = tensor.Shape[3] / 8,
        });
        return packed;
    }

    // Pages that lie dense and begin where a kernel view may begin.
    private static bool IsPagePool(Tensor pages) => pages.IsContiguous
        && pages.OffsetElements * pages.ElementType.SizeBytes() % ViewAlignmentBytes == 0 && pages.Count > 0;

    // Row tiles of 128 rows that the batch would have.
    private static long TallTiles(in AttentionForwardArguments a)
    {
        long tiles = 0;
        foreach (var sequence in a.Sequences.Sequences)
            tiles += (sequence.QueryCount + 127) / 128;
        return tiles * a.Query.Shape[2];
    }

    private static bool IsSixteenBit(Tensor tensor) =>
        tensor.ElementType is ElementType.BFloat16 or ElementType.Float16;

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
    private ArrayView<T> View<T>(Tensor tensor) where T : unmanaged => tensors.Words(tensor).Cast<T>();

    // Pages as blocks.
    private ArrayView<U4> BlocksOf(Tensor pages)
    {
        long words = pages.OffsetElements / 2;
        var all = tensors.Words(pages);
        return all.SubView(words, all.Length - words).Cast<U4>();
    }
}
