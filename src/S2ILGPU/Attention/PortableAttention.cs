using ILGPU;
using S2ILGPU.Engines;
using S2ILGPU.Kernels;
using S2ILGPU.Kernels.Attention.Portable;
using S2ILGPU.Kernels.Attention.TensorCore;
using S2ILGPU.Lists;
using S2ILGPU.Memory;
using S2ILGPU.Queue;
using S2ILGPU.Tensors;
using S2ILGPU.Tiles;
using S2ILGPU.Variants;

namespace S2ILGPU.Attention;

/// <summary>
/// Attention by the portable kernels, in single precision on any accelerator. 16-bit queries and gradients go through
/// single-precision copies; keys and values of 16 bits, and pages of Int8, are read as they are.
/// </summary>
internal sealed class PortableAttention(DeviceQueue queue, AttentionKernels kernels)
{
    private readonly StagingTensors _staging = new(queue);
    private readonly DeviceTensors _tensors = queue.Tensors;

    /// <summary>Forward pass, decoding included.</summary>
    public void Forward(in ForwardCall call)
    {
        var (a, isDecoding) = (call.Arguments, call.IsDecoding);
        var plan = call.Plan(isDecoding ? PlanRows.LastQuery : PlanRows.Queries64);
        using var query = _staging.ToRead(a.Query, ElementType.Float32);
        using var output = _staging.ToWrite(a.Output, ElementType.Float32);
        var arguments = ForwardArguments(call, plan, query, output);
        if (isDecoding)
            Decode(arguments, plan, a.Key.ElementType);
        else
            ForwardTiles(arguments, plan, a.Key.ElementType);
        _staging.CopyBack(output, a.Output);
    }

    /// <summary>Computes again what a tensor-core kernel marked; nothing to do in a launch without NaN and
    /// infinity.</summary>
    /// <param name="call">The call.</param>
    /// <param name="output">Where the kernel wrote O.</param>
    /// <param name="plan">The lists of the kernel.</param>
    /// <param name="nonFinite">What the kernel marked, [splits, row tiles, 8].</param>
    /// <param name="rowsPerTile">Rows of a row tile, 64 or 128.</param>
    /// <param name="splits">Parts of the lists of the kernel.</param>
    public void RepairForward(in ForwardCall call, Tensor output, DevicePlan plan, Tensor nonFinite, int rowsPerTile,
        int splits)
    {
        var query = call.Arguments.Query;
        var arguments = ForwardArguments(call, plan, query, output);
        arguments.NonFinite = _tensors.Words(nonFinite);
        arguments.Parts = splits;
        Action<PortableForwardArguments> kernel = query.ElementType == ElementType.BFloat16
            ? PortableForward.Repair<StoredBFloat16> : PortableForward.Repair<StoredHalf>;
        queue.Launch(kernel, new Index3D(Chunks(plan.Rows), Slices(arguments.HeadDim),
            rowsPerTile / PortableTiles.Tile), PortableTiles.Threads, arguments);
    }

    /// <summary>Computes again what tensor-core kernels marked of one side; nothing to do in a launch without NaN and
    /// infinity.</summary>
    /// <param name="call">The call.</param>
    /// <param name="gradient1">Where the kernels wrote dQ, or dK.</param>
    /// <param name="gradient2">Where they wrote dV; null for dQ.</param>
    /// <param name="plan">The lists of the kernels.</param>
    /// <param name="lines">Log-sum-exp and delta of packed queries.</param>
    /// <param name="nonFinite">What the kernels marked, [row tiles, 4, 2].</param>
    public void RepairBackward(in BackwardCall call, Tensor gradient1, Tensor? gradient2, DevicePlan plan,
        Tensor lines, Tensor nonFinite)
    {
        var a = call.Arguments;
        var arguments = new PortableBackwardArguments
        {
            Lines = _tensors.Floats(lines),
            NonFinite = _tensors.Words(nonFinite),
            BlockColumns = TileGeometry.Of(a.Layout.BlockTokens).BlockColumns,
            HeadDim = a.Query.Shape[3],
            Causal = a.Layout.IsCausal ? 1 : 0,
            ScaleLog2 = call.ScaleLog2,
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
        queue.Launch(kernel, new Index3D(Chunks(plan.Rows), Slices(arguments.HeadDim), 1), PortableTiles.Threads,
            arguments);
    }

    /// <summary>Gradients.</summary>
    public void Backward(in BackwardCall call)
    {
        var a = call.Arguments;
        var geometry = TileGeometry.Of(a.Layout.BlockTokens);
        int headDim = a.Query.Shape[3];
        using var query = _staging.ToRead(a.Query, ElementType.Float32);
        using var key = _staging.ToRead(a.Key, ElementType.Float32);
        using var value = _staging.ToRead(a.Value, ElementType.Float32);
        using var output = _staging.ToRead(a.Output, ElementType.Float32);
        using var outputGradient = _staging.ToRead(a.OutputGradient, ElementType.Float32);
        using var queryGradient = _staging.ToWrite(a.QueryGradient, ElementType.Float32);
        using var keyGradient = _staging.ToWrite(a.KeyGradient, ElementType.Float32);
        using var valueGradient = _staging.ToWrite(a.ValueGradient, ElementType.Float32);
        using var delta = queue.Allocate(a.LogSumExp.Shape, ElementType.Float32);
        Delta(output, outputGradient, call.LogSumExpGradient, delta);

        var arguments = new PortableBackwardArguments
        {
            LogSumExp = _tensors.Words(call.LogSumExp).Cast<float>(),
            Delta = _tensors.Words(delta).Cast<float>(),
            LogSumExpRows = StatisticRows(call.LogSumExp),
            DeltaRows = StatisticRows(delta),
            BlockColumns = geometry.BlockColumns,
            HeadDim = headDim,
            Causal = a.Layout.IsCausal ? 1 : 0,
            ScaleLog2 = call.ScaleLog2,
            Scale = a.Scale,
        };
        SetOperands(ref arguments, call.QueryPlan, (query, outputGradient), (key, value), queryGradient, queryGradient);
        Launch(KernelOperation.QueryGradient, PortableBackward.Kernel<QueryRows>,
            new Index3D(call.QueryPlan.Rows, Slices(headDim), 1), arguments);

        SetOperands(ref arguments, call.KeyPlan, (key, value), (query, outputGradient), keyGradient, valueGradient);
        Launch(KernelOperation.KeyValueGradient, PortableBackward.Kernel<KeyRows>,
            new Index3D(call.KeyPlan.Rows, Slices(headDim), 1), arguments);
        _staging.CopyBack(queryGradient, a.QueryGradient);
        _staging.CopyBack(keyGradient, a.KeyGradient);
        _staging.CopyBack(valueGradient, a.ValueGradient);
    }

    /// <summary>Merges outputs [B, N, H, D] and log-sum-exps [B, H, N] of disjoint keys.</summary>
    public void Merge(IReadOnlyList<Tensor> outputs, IReadOnlyList<Tensor> logSumExps, Tensor output, Tensor logSumExp)
    {
        int parts = outputs.Count;
        var (shape, statistics) = (output.Shape, logSumExp.Shape);
        using var partOutputs = queue.Allocate(new Shape(checked((int)(parts * shape.Count))), ElementType.Float32);
        using var partStatistics = queue.Allocate(new Shape(checked((int)(parts * statistics.Count))),
            ElementType.Float32);
        for (int p = 0; p < parts; p++)
        {
            CopyPart(outputs[p], partOutputs, p);
            CopyPart(logSumExps[p], partStatistics, p);
        }
        using var single = _staging.ToWrite(output, ElementType.Float32);
        var arguments = new PortableMergeArguments
        {
            PartOutput = _tensors.Floats(partOutputs),
            PartLogSumExp = _tensors.Floats(partStatistics),
            Output = _tensors.Words(single).Cast<float>(),
            LogSumExp = _tensors.Words(logSumExp).Cast<float>(),
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
        queue.LaunchOver(shape.Count, PortableMerge.Parts, arguments);
        _staging.CopyBack(single, output);
    }

    /// <summary>The gradient of a merge for one part.</summary>
    public void MergeBackward(in MergeBackwardArguments a)
    {
        using var partOutput = _staging.ToRead(a.PartOutput, ElementType.Float32);
        using var output = _staging.ToRead(a.Output, ElementType.Float32);
        using var outputGradient = _staging.ToRead(a.OutputGradient, ElementType.Float32);
        using var partOutputGradient = _staging.ToWrite(a.PartOutputGradient, ElementType.Float32);
        var shape = a.Output.Shape;
        var gradient = a.LogSumExpGradient ?? a.LogSumExp; // never read when there is none
        int rows = shape[0] * shape[1] * shape[2];
        queue.LaunchOver(rows, PortableMergeBackward.Kernel, new PortableMergeBackwardArguments
        {
            PartOutput = _tensors.Words(partOutput).Cast<float>(),
            Output = _tensors.Words(output).Cast<float>(),
            OutputGradient = _tensors.Words(outputGradient).Cast<float>(),
            PartLogSumExp = _tensors.Words(a.PartLogSumExp).Cast<float>(),
            LogSumExp = _tensors.Words(a.LogSumExp).Cast<float>(),
            LogSumExpGradient = _tensors.Words(gradient).Cast<float>(),
            PartOutputGradient = _tensors.Words(partOutputGradient).Cast<float>(),
            PartLogSumExpGradient = _tensors.Words(a.PartLogSumExpGradient).Cast<float>(),
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
        _staging.CopyBack(partOutputGradient, a.PartOutputGradient);
    }

    // Where the statistics [B, H, N] of rows lie.
    private static RowStrides StatisticRows(Tensor tensor) =>
        new() { Offset = tensor.OffsetElements, Batch = tensor.Stride(0), Head = tensor.Stride(1),
        Row = tensor.Stride(2) };

    // Groups of a repair: each looks after 64 row tiles.
    private static int Chunks(int rowTiles) => (rowTiles + PortableTiles.Tile - 1) / PortableTiles.Tile;

    private PortableForwardArguments ForwardArguments(in ForwardCall call, DevicePlan plan, Tensor query, Tensor output)
    {
        var a = call.Arguments;
        return new PortableForwardArguments
        {
            Lists = plan.Lists(call.Pages),
            Columns = plan.Columns,
            Query = _tensors.Words(query),
            Key = _tensors.Words(a.Key),
            Value = _tensors.Words(a.Value),
            Output = _tensors.Words(output),
            LogSumExp = _tensors.Words(call.LogSumExp).Cast<float>(),
            QueryRows = DeviceTensors.HeadRows(query),
            KeyRows = KeyRowsOf(a.Key, a.Query.Shape[3]),
            ValueRows = KeyRowsOf(a.Value, a.Query.Shape[3]),
            OutputRows = DeviceTensors.HeadRows(output),
            LogSumExpRows = StatisticRows(call.LogSumExp),
            BlockColumns = call.Geometry.BlockColumns,
            PageEntries = call.IsPaged ? call.Geometry.EntriesPerBlock : 0,
            HeadDim = a.Query.Shape[3],
            Causal = a.Layout.IsCausal ? 1 : 0,
            ScaleLog2 = call.ScaleLog2,
        };
    }

    // Row tiles, their lists in parts where they would not fill the device.
    private void ForwardTiles(PortableForwardArguments arguments, DevicePlan plan, ElementType keyType)
    {
        const int rows = PortableTiles.Tile;
        int headDim = arguments.HeadDim, splits = arguments.Parts = plan.ForwardSplitsOn(queue);
        var whole = arguments;
        using var parts = splits > 1 ? new Parts(queue, plan.Rows * rows, splits, headDim) : null;
        if (parts is not null)
        {
            (arguments.Output, arguments.LogSumExp) =
                (_tensors.Words(parts.Outputs), _tensors.Floats(parts.LogSumExps));
            arguments.OutputRows = new RowStrides { Batch = (long)rows * splits * headDim, Row = splits * headDim,
                Head = headDim };
            arguments.LogSumExpRows = new RowStrides { Batch = rows * splits, Row = splits, Head = 1 };
        }
        Launch(KernelOperation.Forward, ForwardKernel(keyType), new Index3D(plan.Rows, Slices(headDim), splits),
            arguments);
        if (parts is not null)
            Merge(whole, plan, parts, rows);
    }

    private void Decode(PortableForwardArguments arguments, DevicePlan plan, ElementType keyType)
    {
        int splits = plan.DecodeSplitsOn(queue);
        using var parts = new Parts(queue, Math.Max(1, plan.Rows), splits, arguments.HeadDim);
        var whole = arguments;
        (arguments.Output, arguments.LogSumExp) = (_tensors.Words(parts.Outputs), _tensors.Floats(parts.LogSumExps));
        Launch(KernelOperation.Decode, DecodeKernel(keyType), new Index3D(plan.Rows, splits, 1), arguments);
        Merge(whole, plan, parts, tileRows: 1);
    }

    // Joins parts into O and LSE of the arguments.
    private void Merge(in PortableForwardArguments whole, DevicePlan plan, Parts parts, int tileRows) =>
        queue.LaunchOver((long)plan.Rows * tileRows * whole.HeadDim, PortableMerge.Splits, new PortableMergeArguments
        {
            Rows = whole.Lists.Rows,
            PartOutput = _tensors.Floats(parts.Outputs),
            PartLogSumExp = _tensors.Floats(parts.LogSumExps),
            Output = whole.Output.Cast<float>(),
            LogSumExp = whole.LogSumExp,
            OutputRows = whole.OutputRows,
            LogSumExpRows = whole.LogSumExpRows,
            OutputStep = whole.HeadDim,
            LogSumExpStep = 1,
            Count = plan.Rows * tileRows,
            Parts = parts.Outputs.Shape[1],
            HeadDim = whole.HeadDim,
            TileRows = tileRows,
        });

    private void Delta(Tensor output, Tensor outputGradient, Tensor? logSumExpGradient, Tensor delta)
    {
        var shape = output.Shape;
        var gradient = logSumExpGradient ?? delta; // never read when there is none
        int rows = shape[0] * shape[1] * shape[2];
        queue.LaunchOver(rows, PortableDelta.Kernel, new PortableDeltaArguments
        {
            Output = _tensors.Words(output).Cast<float>(),
            OutputGradient = _tensors.Words(outputGradient).Cast<float>(),
            LogSumExpGradient = _tensors.Words(gradient).Cast<float>(),
            Delta = _tensors.Words(delta).Cast<float>(),
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
        (a.Rows1, a.Rows2, a.Columns1, a.Columns2) = (_tensors.Words(rows.First), _tensors.Words(rows.Second),
            _tensors.Words(columns.First), _tensors.Words(columns.Second));
        (a.Rows1Rows, a.Rows2Rows) = (DeviceTensors.HeadRows(rows.First), DeviceTensors.HeadRows(rows.Second));
        (a.Columns1Rows, a.Columns2Rows) = (DeviceTensors.HeadRows(columns.First),
            DeviceTensors.HeadRows(columns.Second));
        (a.Gradient1, a.Gradient2) = (_tensors.Words(gradient1), _tensors.Words(gradient2));
        (a.Gradient1Rows, a.Gradient2Rows) = (DeviceTensors.HeadRows(gradient1), DeviceTensors.HeadRows(gradient2));
    }

    private void Launch<TArguments>(KernelOperation operation, Action<TArguments> kernel, Index3D groups,
        in TArguments arguments)
        where TArguments : struct
    {
        if (groups.X > 0)
            kernels.UsedPortable(operation, kernel.Method);
        queue.Launch(kernel, groups, PortableTiles.Threads, arguments);
    }

    private void CopyPart(Tensor part, Tensor all, int p)
    {
        using var slice = all.Slice(0, checked((int)(p * part.Count)), (int)part.Count);
        using var shaped = slice.Reshape(part.Shape);
        queue.Copy(part, shaped);
    }

    // Rows of a plain tensor [B, N, Hkv, D], or of pages [P, blockTokens, D].
    private static RowStrides KeyRowsOf(Tensor tensor, int headDim) => tensor.Shape.Rank == 4
        ? DeviceTensors.HeadRows(tensor) : PageRows.Of(tensor, headDim);

    private static int Slices(int headDim) => (headDim + PortableTiles.Tile - 1) / PortableTiles.Tile;

    private static Action<PortableForwardArguments> ForwardKernel(ElementType keyType) => keyType switch
    {
        ElementType.BFloat16 => PortableForward.Kernel<StoredBFloat16>,
        ElementType.Float16 => PortableForward.Kernel<StoredHalf>,
        ElementType.Int8 => PortableForward.Kernel<StoredInt8>,
        _ => PortableForward.Kernel<StoredSingle>,
    };

    private static Action<PortableForwardArguments> DecodeKernel(ElementType keyType) => keyType switch
    {
        ElementType.BFloat16 => PortableDecode.Kernel<StoredBFloat16>,
        ElementType.Float16 => PortableDecode.Kernel<StoredHalf>,
        ElementType.Int8 => PortableDecode.Kernel<StoredInt8>,
        _ => PortableDecode.Kernel<StoredSingle>,
    };
}
