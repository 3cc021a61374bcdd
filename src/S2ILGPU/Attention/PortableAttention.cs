using ILGPU;
using S2ILGPU.Engines;
using S2ILGPU.Kernels;
using S2ILGPU.Kernels.Attention.Portable;
using S2ILGPU.Kernels.Attention.TensorCore;
using S2ILGPU.Lists;
using S2ILGPU.Memory;
using S2ILGPU.Tensors;
using S2ILGPU.Tiles;
using S2ILGPU.Variants;

namespace S2ILGPU.Attention;

/// <summary>
/// Attention by the portable kernels, in single precision on any accelerator. 16-bit queries and gradients go through
/// single-precision copies; keys and values of 16 bits are read as they are.
/// </summary>
internal sealed class PortableAttention(IlgpuEngine engine, DeviceTensors tensors, PlanCache plans,
    AttentionKernels kernels)
{
    private readonly DenseTwins _twins = new(engine);

    /// <summary>Forward pass, decoding included.</summary>
    /// <param name="a">Checked arguments.</param>
    /// <param name="logSumExp">LSE [B, H, Nq], written.</param>
    /// <param name="pages">The device's copy of the page table, or default.</param>
    public void Forward(in AttentionForwardArguments a, Tensor logSumExp, ArrayView<int> pages)
    {
        var geometry = TileGeometry.Of(a.Layout.BlockTokens);
        int? pageBlocks = a.Pages is { } table ? table.MaxBlocks * geometry.EntriesPerBlock : null;
        bool isDecoding = IsDecoding(a.Sequences);
        var plan = plans.Get(isDecoding ? PlanRows.LastQuery : PlanRows.Queries64, a.Layouts ?? [a.Layout], a.Sequences,
            pageBlocks);
        if (a.Pages is not null)
            plan.CheckPages(a.Pages, geometry);
        using var query = _twins.ToRead(a.Query, ElementType.Float32);
        using var output = _twins.ToWrite(a.Output, ElementType.Float32);
        var arguments = ForwardArguments(a, query, output, logSumExp, plan, pages);
        if (isDecoding)
            Decode(arguments, plan, a.Key.ElementType);
        else
            Launch(KernelOperation.Forward, ForwardKernel(a.Key.ElementType),
                new Index3D(plan.Rows, Slices(arguments.HeadDim), 1), arguments);
        _twins.CopyBack(output, a.Output);
    }

    /// <summary>Computes again what a tensor-core kernel marked; nothing to do in a launch without NaN and
    /// infinity.</summary>
    /// <param name="a">The call.</param>
    /// <param name="output">Where the kernel wrote O.</param>
    /// <param name="logSumExp">LSE, contiguous.</param>
    /// <param name="plan">The lists of the kernel.</param>
    /// <param name="pages">The device's copy of the page table, or default.</param>
    /// <param name="nonFinite">What the kernel marked, [row tiles, 8].</param>
    /// <param name="rowsPerTile">Rows of a row tile, 64 or 128.</param>
    public void RepairForward(in AttentionForwardArguments a, Tensor output, Tensor logSumExp, DevicePlan plan,
        ArrayView<int> pages, Tensor nonFinite, int rowsPerTile)
    {
        var arguments = ForwardArguments(a, a.Query, output, logSumExp, plan, pages);
        arguments.NonFinite = tensors.Words(nonFinite);
        Action<PortableForwardArguments> kernel = a.Query.ElementType == ElementType.BFloat16
            ? PortableForward.Repair<StoredBFloat16> : PortableForward.Repair<StoredHalf>;
        engine.Launch(kernel, new Index3D(Chunks(plan.Rows), Slices(arguments.HeadDim), rowsPerTile
            / PortableTiles.Tile), PortableTiles.Threads, arguments);
    }

    /// <summary>Computes again what tensor-core kernels marked of one side; nothing to do in a launch without NaN and
    /// infinity.</summary>
    /// <param name="a">The call.</param>
    /// <param name="gradient1">Where the kernels wrote dQ, or dK.</param>
    /// <param name="gradient2">Where they wrote dV; null for dQ.</param>
    /// <param name="plan">The lists of the kernels.</param>
    /// <param name="lines">Log-sum-exp and delta of packed queries.</param>
    /// <param name="nonFinite">What the kernels marked, [row tiles, 4, 2].</param>
    public void RepairBackward(in AttentionBackwardArguments a, Tensor gradient1, Tensor? gradient2, DevicePlan plan,
        Tensor lines, Tensor nonFinite)
    {
        var arguments = new PortableBackwardArguments
        {
            Lines = tensors.Floats(lines),
            NonFinite = tensors.Words(nonFinite),
            BlockColumns = TileGeometry.Of(a.Layout.BlockTokens).BlockColumns,
            HeadDim = a.Query.Shape[3],
            Causal = a.Layout.IsCausal ? 1 : 0,
            ScaleLog2 = a.Scale * MathF.Log2(MathF.E),
            Scale = a.Scale,
        };
        (Tensor, Tensor) queries = (a.Query, a.OutputGradient), keys = (a.Key, a.Value);
        SetOperands(ref arguments, plan, gradient2 is null ? queries : keys, gradient2 is null ? keys : queries,
            gradient1, gradient2 ?? gradient1);
        Action<PortableBackwardArguments> kernel = (a.Query.ElementType, gradient2) switch
        {
            (ElementType.BFloat16, null) => PortableBackward.Repair<QueryRows, StoredBFloat16>,
            (ElementType.BFloat16, _) => PortableBackward.Repair<KeyRows, StoredBFloat16>,
            (_, null) => PortableBackward.Repair<QueryRows, StoredHalf>,
            _ => PortableBackward.Repair<KeyRows, StoredHalf>,
        };
        engine.Launch(kernel, new Index3D(Chunks(plan.Rows), Slices(arguments.HeadDim), 1), PortableTiles.Threads,
            arguments);
    }

    /// <summary>Gradients.</summary>
    /// <param name="a">Checked arguments.</param>
    public void Backward(in AttentionBackwardArguments a)
    {
        var geometry = TileGeometry.Of(a.Layout.BlockTokens);
        int headDim = a.Query.Shape[3];
        using var query = _twins.ToRead(a.Query, ElementType.Float32);
        using var key = _twins.ToRead(a.Key, ElementType.Float32);
        using var value = _twins.ToRead(a.Value, ElementType.Float32);
        using var output = _twins.ToRead(a.Output, ElementType.Float32);
        using var outputGradient = _twins.ToRead(a.OutputGradient, ElementType.Float32);
        using var queryGradient = _twins.ToWrite(a.QueryGradient, ElementType.Float32);
        using var keyGradient = _twins.ToWrite(a.KeyGradient, ElementType.Float32);
        using var valueGradient = _twins.ToWrite(a.ValueGradient, ElementType.Float32);
        using var delta = engine.Allocate(a.LogSumExp.Shape, ElementType.Float32);
        Delta(output, outputGradient, a.LogSumExpGradient, delta);

        var arguments = new PortableBackwardArguments
        {
            LogSumExp = tensors.Words(a.LogSumExp).Cast<float>(),
            Delta = tensors.Words(delta).Cast<float>(),
            LogSumExpRows = StatisticRows(a.LogSumExp),
            DeltaRows = StatisticRows(delta),
            BlockColumns = geometry.BlockColumns,
            HeadDim = headDim,
            Causal = a.Layout.IsCausal ? 1 : 0,
            ScaleLog2 = a.Scale * MathF.Log2(MathF.E),
            Scale = a.Scale,
        };
        var plan = plans.Get(PlanRows.Queries64, [a.Layout], a.Sequences);
        SetOperands(ref arguments, plan, (query, outputGradient), (key, value), queryGradient, queryGradient);
        Launch(KernelOperation.QueryGradient, PortableBackward.Kernel<QueryRows>,
            new Index3D(plan.Rows, Slices(headDim), 1), arguments);

        plan = plans.Get(PlanRows.Keys, [a.Layout], a.Sequences);
        SetOperands(ref arguments, plan, (key, value), (query, outputGradient), keyGradient, valueGradient);
        Launch(KernelOperation.KeyValueGradient, PortableBackward.Kernel<KeyRows>,
            new Index3D(plan.Rows, Slices(headDim), 1), arguments);
        _twins.CopyBack(queryGradient, a.QueryGradient);
        _twins.CopyBack(keyGradient, a.KeyGradient);
        _twins.CopyBack(valueGradient, a.ValueGradient);
    }

    /// <summary>Merges outputs [B, N, H, D] and log-sum-exps [B, H, N] of disjoint keys.</summary>
    public void Merge(IReadOnlyList<Tensor> outputs, IReadOnlyList<Tensor> logSumExps, Tensor output, Tensor logSumExp)
    {
        int parts = outputs.Count;
        var (shape, statistics) = (output.Shape, logSumExp.Shape);
        using var partOutputs = engine.Allocate(new Shape(checked((int)(parts * shape.Count))), ElementType.Float32);
        using var partStatistics = engine.Allocate(new Shape(checked((int)(parts * statistics.Count))),
            ElementType.Float32);
        for (int p = 0; p < parts; p++)
        {
            CopyPart(outputs[p], partOutputs, p);
            CopyPart(logSumExps[p], partStatistics, p);
        }
        using var single = _twins.ToWrite(output, ElementType.Float32);
        var arguments = new PortableMergeArguments
        {
            PartOutput = tensors.Floats(partOutputs),
            PartLogSumExp = tensors.Floats(partStatistics),
            Output = tensors.Words(single).Cast<float>(),
            LogSumExp = tensors.Words(logSumExp).Cast<float>(),
            OutputRows = DeviceTensors.HeadRows(single),
            LogSumExpRows = StatisticRows(logSumExp),
            OutputStep = shape.Count,
            LogSumExpStep = statistics.Count,
            Count = shape[0] * shape[1] * shape[2],
            Parts = parts,
            HeadDim = shape[3],
            Tokens = shape[1],
            Heads = shape[2],
        };
        engine.LaunchOver(shape.Count, PortableMerge.Parts, arguments);
        _twins.CopyBack(single, output);
    }

    /// <summary>The gradient of a merge for one part.</summary>
    public void MergeBackward(in MergeBackwardArguments a)
    {
        using var partOutput = _twins.ToRead(a.PartOutput, ElementType.Float32);
        using var output = _twins.ToRead(a.Output, ElementType.Float32);
        using var outputGradient = _twins.ToRead(a.OutputGradient, ElementType.Float32);
        using var partOutputGradient = _twins.ToWrite(a.PartOutputGradient, ElementType.Float32);
        var shape = a.Output.Shape;
        var gradient = a.LogSumExpGradient ?? a.LogSumExp; // never read when there is none
        int rows = shape[0] * shape[1] * shape[2];
        engine.LaunchOver(rows, PortableMergeBackward.Kernel, new PortableMergeBackwardArguments
        {
            PartOutput = tensors.Words(partOutput).Cast<float>(),
            Output = tensors.Words(output).Cast<float>(),
            OutputGradient = tensors.Words(outputGradient).Cast<float>(),
            PartLogSumExp = tensors.Words(a.PartLogSumExp).Cast<float>(),
            LogSumExp = tensors.Words(a.LogSumExp).Cast<float>(),
            LogSumExpGradient = tensors.Words(gradient).Cast<float>(),
            PartOutputGradient = tensors.Words(partOutputGradient).Cast<float>(),
            PartLogSumExpGradient = tensors.Words(a.PartLogSumExpGradient).Cast<float>(),
            PartOutputRows = DeviceTensors.HeadRows(partOutput),
            OutputRows = DeviceTensors.HeadRows(output),
            OutputGradientRows = DeviceTensors.HeadRows(outputGradient),
            PartLogSumExpRows = StatisticRows(a.PartLogSumExp),
            LogSumExpRows = StatisticRows(a.LogSumExp),
            LogSumExpGradientRows = StatisticRows(gradient),
            PartOutputGradientRows = DeviceTensors.HeadRows(partOutputGradient),
            PartLogSumExpGradientRows = StatisticRows(a.PartLogSumExpGradient),
            Rows = rows,
            Tokens = shape[1],
            Heads = shape[2],
            HeadDim = shape[3],
            HasLogSumExpGradient = a.LogSumExpGradient is null ? 0 : 1,
        });
        _twins.CopyBack(partOutputGradient, a.PartOutputGradient);
    }

    /// <summary>Whether no sequence has more than one query.</summary>
    public static bool IsDecoding(SequenceBatch sequences)
    {
        foreach (var sequence in sequences.Sequences)
            if (sequence.QueryCount > 1)
                return false;
        return true;
    }

    /// <summary>Where the statistics [B, H, N] of rows lie.</summary>
    public static RowStrides StatisticRows(Tensor tensor) =>
        new() { Offset = tensor.OffsetElements, Batch = tensor.Stride(0), Head = tensor.Stride(1),
        Row = tensor.Stride(2) };

    // Groups of a repair: each looks after 64 row tiles.
    private static int Chunks(int rowTiles) => (rowTiles + PortableTiles.Tile - 1) / PortableTiles.Tile;

    private PortableForwardArguments ForwardArguments(in AttentionForwardArguments a, Tensor query, Tensor output,
        Tensor logSumExp, DevicePlan plan, ArrayView<int> pages)
    {
        var geometry = TileGeometry.Of(a.Layout.BlockTokens);
        return new PortableForwardArguments
        {
            Lists = plan.Lists(pages),
            Columns = plan.Columns,
            Query = tensors.Words(query),
            Key = tensors.Words(a.Key),
            Value = tensors.Words(a.Value),
            Output = tensors.Words(output),
            LogSumExp = tensors.Words(logSumExp).Cast<float>(),
            QueryRows = DeviceTensors.HeadRows(query),
            KeyRows = KeyRowsOf(a.Key),
            ValueRows = KeyRowsOf(a.Value),
            OutputRows = DeviceTensors.HeadRows(output),
            LogSumExpRows = StatisticRows(logSumExp),
            BlockColumns = geometry.BlockColumns,
            PageEntries = a.Pages is null ? 0 : geometry.EntriesPerBlock,
            HeadDim = a.Query.Shape[3],
            Causal = a.Layout.IsCausal ? 1 : 0,
            ScaleLog2 = a.Scale * MathF.Log2(MathF.E),
        };
    }

    private void Decode(PortableForwardArguments arguments, DevicePlan plan, ElementType keyType)
    {
        int longest = plan.Rows == 0 ? 0 : plan.Host.Rows[0].End - plan.Host.Rows[0].Start, headDim = arguments.HeadDim;
        int splits = engine.SplitsOf(plan.Rows, longest);
        using var partOutputs = engine.Allocate(new Shape(Math.Max(1, plan.Rows), splits, headDim),
            ElementType.Float32);
        using var partStatistics = engine.Allocate(new Shape(Math.Max(1, plan.Rows), splits), ElementType.Float32);
        var (output, logSumExp) = (arguments.Output, arguments.LogSumExp);
        arguments.Output = tensors.Words(partOutputs);
        arguments.LogSumExp = tensors.Floats(partStatistics);
        Launch(KernelOperation.Decode, DecodeKernel(keyType), new Index3D(plan.Rows, splits, 1), arguments);
        engine.LaunchOver((long)plan.Rows * headDim, PortableMerge.Splits, new PortableMergeArguments
        {
            Rows = arguments.Lists.Rows,
            PartOutput = tensors.Floats(partOutputs),
            PartLogSumExp = arguments.LogSumExp,
            Output = output.Cast<float>(),
            LogSumExp = logSumExp,
            OutputRows = arguments.OutputRows,
            LogSumExpRows = arguments.LogSumExpRows,
            OutputStep = headDim,
            LogSumExpStep = 1,
            Count = plan.Rows,
            Parts = splits,
            HeadDim = headDim,
        });
    }

    private void Delta(Tensor output, Tensor outputGradient, Tensor? logSumExpGradient, Tensor delta)
    {
        var shape = output.Shape;
        var gradient = logSumExpGradient ?? delta; // never read when there is none
        int rows = shape[0] * shape[1] * shape[2];
        engine.LaunchOver(rows, PortableDelta.Kernel, new PortableDeltaArguments
        {
            Output = tensors.Words(output).Cast<float>(),
            OutputGradient = tensors.Words(outputGradient).Cast<float>(),
            LogSumExpGradient = tensors.Words(gradient).Cast<float>(),
            Delta = tensors.Words(delta).Cast<float>(),
            OutputRows = DeviceTensors.HeadRows(output),
            OutputGradientRows = DeviceTensors.HeadRows(outputGradient),
            LogSumExpGradientRows = StatisticRows(gradient),
            DeltaRows = StatisticRows(delta),
            Rows = rows,
            Tokens = shape[1],
            Heads = shape[2],
            HeadDim = shape[3],
            HasLogSumExpGradient = logSumExpGradient is null ? 0 : 1,
        });
    }

    private void SetOperands(ref PortableBackwardArguments a, DevicePlan plan, (Tensor First, Tensor Second) rows,
        (Tensor First, Tensor Second) columns, Tensor gradient1, Tensor gradient2)
    {
        (a.Lists, a.Columns) = (plan.Lists(default), plan.Columns);
        (a.Rows1, a.Rows2, a.Columns1, a.Columns2) = (tensors.Words(rows.First), tensors.Words(rows.Second),
            tensors.Words(columns.First), tensors.Words(columns.Second));
        (a.Rows1Rows, a.Rows2Rows) = (DeviceTensors.HeadRows(rows.First), DeviceTensors.HeadRows(rows.Second));
        (a.Columns1Rows, a.Columns2Rows) = (DeviceTensors.HeadRows(columns.First),
            DeviceTensors.HeadRows(columns.Second));
        (a.Gradient1, a.Gradient2) = (tensors.Words(gradient1), tensors.Words(gradient2));
        (a.Gradient1Rows, a.Gradient2Rows) = (DeviceTensors.HeadRows(gradient1), DeviceTensors.HeadRows(gradient2));
    }

    private void Launch<TArguments>(KernelOperation operation, Action<TArguments> kernel, Index3D groups,
        in TArguments arguments)
        where TArguments : struct
    {
        if (groups.X > 0)
            kernels.UsedPortable(operation, kernel.Method);
        engine.Launch(kernel, groups, PortableTiles.Threads, arguments);
    }

    private void CopyPart(Tensor part, Tensor all, int p)
    {
        using var slice = all.Slice(0, checked((int)(p * part.Count)), (int)part.Count);
        using var shaped = slice.Reshape(part.Shape);
        engine.Copy(part, shaped);
    }

    // Rows of a plain tensor [B, N, Hkv, D], or of pages [P, blockTokens, D].
    private static RowStrides KeyRowsOf(Tensor tensor) => tensor.Shape.Rank == 4
        ? DeviceTensors.HeadRows(tensor)
        : new RowStrides { Offset = tensor.OffsetElements, Batch = tensor.Stride(0), Row = tensor.Stride(1) };

    private static int Slices(int headDim) => (headDim + PortableTiles.Tile - 1) / PortableTiles.Tile;

    private static Action<PortableForwardArguments> ForwardKernel(ElementType keyType) => keyType switch
    {
        ElementType.BFloat16 => PortableForward.Kernel<StoredBFloat16>,
        ElementType.Float16 => PortableForward.Kernel<StoredHalf>,
        _ => PortableForward.Kernel<StoredSingle>,
    };

    private static Action<PortableForwardArguments> DecodeKernel(ElementType keyType) => keyType switch
    {
        ElementType.BFloat16 => PortableDecode.Kernel<StoredBFloat16>,
        ElementType.Float16 => PortableDecode.Kernel<StoredHalf>,
        _ => PortableDecode.Kernel<StoredSingle>,
    };
}
