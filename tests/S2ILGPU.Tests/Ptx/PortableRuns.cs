using System.Collections.Concurrent;
using System.Reflection;
using S2ILGPU.Kernels;
using S2ILGPU.Kernels.Attention.Portable;
using S2ILGPU.Kernels.Attention.TensorCore;
using S2ILGPU.Lists;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using S2ILGPU.TestSupport.Ptx;
using S2ILGPU.Tiles;
using S2ILGPU.Variants;
using Xunit;

namespace S2ILGPU.Tests.Ptx;

/// <summary>The portable attention kernels on the PTX machine, launched as the host launches them, compared with
/// float64.</summary>
/// <remarks>Queries, outputs and gradients are of single precision, keys and values of the type of the problem. None of
/// the kernels copies asynchronously, so one timing is all there is.</remarks>
internal static class PortableRuns
{
    // Kernels whose threads own elements get so few of them that each has several elements.
    private const int ElementThreads = 96, ElementGroups = 3;

    private static readonly ConcurrentDictionary<MethodInfo, InterpretedKernel> _kernels = [];

    private static readonly Tolerance ForwardTolerance = Tolerance.Forward(ElementType.Float32),
        BackwardTolerance = Tolerance.Backward(ElementType.Float32);

    /// <summary>A kernel that has keys of a type.</summary>
    /// <param name="kernel"><see cref="PortableForward"/> or <see cref="PortableDecode"/>.</param>
    /// <param name="type">Type of the keys.</param>
    public static InterpretedKernel KernelOf(Type kernel, ElementType type) =>
        Portable(kernel.GetMethod("Kernel")!.MakeGenericMethod(type switch
    {
        ElementType.BFloat16 => typeof(StoredBFloat16),
        ElementType.Float16 => typeof(StoredHalf),
        ElementType.Int8 => typeof(StoredInt8),
        _ => typeof(StoredSingle),
    }), PortableTiles.Threads);

    /// <summary>A backward kernel.</summary>
    /// <param name="side"><see cref="KeyRows"/> or <see cref="QueryRows"/>.</param>
    public static InterpretedKernel BackwardKernel(Type side) =>
        Portable(typeof(PortableBackward).GetMethod(nameof(PortableBackward.Kernel))!.MakeGenericMethod(side),
        PortableTiles.Threads);

    /// <summary>Forward, and the kernel that joins the parts.</summary>
    /// <param name="data">The problem.</param>
    /// <param name="placement">Where keys and values lie.</param>
    /// <param name="parts">Parts of each list.</param>
    /// <param name="text">A mutant, or null.</param>
    public static void Forward(AttentionData data, KeyPlacement placement, int parts = 1, string? text = null)
    {
        const int tile = PortableTiles.Tile;
        var keys = PortableKeys.Create(data, placement);
        var lists = AttentionRuns.Shaped(data.Lists().OfQueries(tile, keys.PageBlocks), data);
        int headDim = data.Problem.HeadDim, rows = lists.Rows.Length * tile;
        bool isWhole = parts == 1;
        float[] output = data.QueryPlace.Untouched<float>(), lines = UntouchedLines(data),
            partOutput = AttentionData.Untouched<float>(rows * parts * headDim),
            partLines = AttentionData.Untouched<float>(rows * parts);
        var partRows = new RowStrides { Batch = tile * parts * headDim, Row = parts * headDim, Head = headDim };
        var partLineRows = new RowStrides { Batch = tile * parts, Row = parts, Head = 1 };
        KernelOf(typeof(PortableForward), data.Type)
            .Launch(new PtxDim(lists.Rows.Length, Slices(data), parts), default,
            a => SetForward(a, data, lists, keys, parts)
            .View("Output", isWhole ? output : partOutput, PtxAccess.Output)
            .Value("OutputRows", isWhole ? data.QueryPlace.Rows : partRows)
            .View("LogSumExp", isWhole ? lines : partLines, PtxAccess.Output)
            .Value("LogSumExpRows", isWhole ? LineRows(data) : partLineRows), text);
        if (!isWhole)
            Merge(data, lists, partOutput, partLines, parts, tile, output, lines);
        CompareForward(data, output, lines);
    }

    /// <summary>Decoding, and the kernel that joins the parts.</summary>
    /// <param name="data">The problem: no sequence has more than one query.</param>
    /// <param name="placement">Where keys and values lie.</param>
    /// <param name="parts">Parts of each list.</param>
    /// <param name="text">A mutant of the first kernel, or null.</param>
    public static void Decode(AttentionData data, KeyPlacement placement, int parts, string? text = null)
    {
        var keys = PortableKeys.Create(data, placement);
        var lists = AttentionRuns.Shaped(data.Lists().OfLastQueries(1, keys.PageBlocks), data);
        int headDim = data.Problem.HeadDim, rows = lists.Rows.Length;
        float[] partOutput = AttentionData.Untouched<float>(rows * parts * headDim),
            partLines = AttentionData.Untouched<float>(rows * parts);
        KernelOf(typeof(PortableDecode), data.Type)
            .Launch(new PtxDim(rows, parts), default, a => SetForward(a, data, lists, keys, parts)
            .View("Output", partOutput, PtxAccess.Output).Value("OutputRows", default(RowStrides))
                .View("LogSumExp", partLines, PtxAccess.Output).Value("LogSumExpRows", default(RowStrides)), text);
        float[] output = data.QueryPlace.Untouched<float>(), lines = UntouchedLines(data);
        Merge(data, lists, partOutput, partLines, parts, 1, output, lines);
        CompareForward(data, output, lines);
    }

    private static void Merge(AttentionData data, TileLists lists, float[] partOutput, float[] partLines, int parts,
        int tileRows, float[] output, float[] lines) =>
        Portable(typeof(PortableMerge).GetMethod(nameof(PortableMerge.Splits))!, ElementThreads)
            .Launch(ElementGroups, default, a => a
            .View("Rows", lists.Rows).View("PartOutput", partOutput).View("PartLogSumExp", partLines)
            .View("Output", output, PtxAccess.Output).Value("OutputRows", data.QueryPlace.Rows)
                .View("LogSumExp", lines, PtxAccess.Output).Value("LogSumExpRows", LineRows(data))
            .Value("OutputStep", (long)data.Problem.HeadDim).Value("LogSumExpStep", 1L)
            .Value("Count", lists.Rows.Length * tileRows).Value("Parts", parts).Value("TileRows", tileRows)
                .Value("HeadDim", data.Problem.HeadDim).Value("Tokens", 0).Value("Heads", 0));

    /// <summary>Delta, as memory holds it.</summary>
    public static float[] Delta(AttentionData data)
    {
        var shape = data.QueryShape;
        bool hasGradient = data.LogSumExpGradient.Length > 0;
        float[] delta = UntouchedLines(data);
        Portable(typeof(PortableDelta).GetMethod(nameof(PortableDelta.Kernel))!, ElementThreads)
            .Launch(ElementGroups, default, a => a
            .View("Output", data.QueryPlace.Scatter(Singles(data.Output))).Value("OutputRows", data.QueryPlace.Rows)
            .View("OutputGradient", data.QueryPlace.Scatter(data.OutputGradient.Singles))
                .Value("OutputGradientRows", data.QueryPlace.Rows)
            .View("LogSumExpGradient", hasGradient ? ScatterLines(data, data.LogSumExpGradient) : [])
                .Value("LogSumExpGradientRows", LineRows(data))
            .View("Delta", delta, PtxAccess.Output).Value("DeltaRows", LineRows(data))
                .Value("Rows", shape[0] * shape[1] * shape[2]).Value("Tokens", shape[1]).Value("Heads", shape[2])
            .Value("HeadDim", shape[3]).Value("HasLogSumExpGradient", hasGradient ? 1 : 0));
        var (expected, actual) = (new double[data.LineShape.Count],
            GatherLines(data, delta).Select(x => (double)x).ToArray());
        double[] products = [.. data.Output.Zip(data.OutputGradient.Values, (o, g) => o * g)];
        for (int b = 0, at = 0; b < shape[0]; b++)
            for (int h = 0; h < shape[2]; h++)
                for (int row = 0; row < shape[1]; row++, at++)
                {
                    int first = ((b * shape[1] + row) * shape[2] + h) * shape[3];
                    if (data.InSequence(b, row, areQueries: true))
                        expected[at] = products[first..(first + shape[3])].Sum()
                            - data.LogSumExpGradient.ElementAtOrDefault(at);
                    else
                        actual[at] = 0; // of rows of no sequence, whatever they hold
                }
        MaximumError.AssertWithin(ForwardTolerance, $"delta, {data.Problem}", data.LineShape, expected, actual);
        return delta;
    }

    /// <summary>dK and dV, or dQ.</summary>
    /// <param name="side"><see cref="KeyRows"/> or <see cref="QueryRows"/>.</param>
    /// <param name="data">A problem of single precision.</param>
    /// <param name="delta">What <see cref="Delta"/> made.</param>
    /// <param name="text">A mutant, or null.</param>
    public static void Backward(Type side, AttentionData data, float[] delta, string? text = null)
    {
        bool rowsAreKeys = side == typeof(KeyRows);
        var lists = AttentionRuns.Shaped(rowsAreKeys ? data.Lists().OfKeys()
            : data.Lists().OfQueries(PortableTiles.Tile), data);
        var (rows, columns) = rowsAreKeys ? (data.KeyPlace, data.QueryPlace) : (data.QueryPlace, data.KeyPlace);
        var (rows1, rows2, columns1, columns2) = rowsAreKeys ? (data.Key, data.Value, data.Query, data.OutputGradient)
            : (data.Query, data.OutputGradient, data.Key, data.Value);
        float[] gradient1 = rows.Untouched<float>(), gradient2 = rows.Untouched<float>();
        BackwardKernel(side).Launch(new PtxDim(lists.Rows.Length, Slices(data)), default, a =>
        {
            AttentionRuns.SetLists(a, lists, []);
            a.View("Columns", lists.Columns);
            a.View("Rows1", rows.Scatter(rows1.Singles)).Value("Rows1Rows", rows.Rows)
                .View("Rows2", rows.Scatter(rows2.Singles)).Value("Rows2Rows", rows.Rows);
            a.View("Columns1", columns.Scatter(columns1.Singles)).Value("Columns1Rows", columns.Rows)
                .View("Columns2", columns.Scatter(columns2.Singles)).Value("Columns2Rows", columns.Rows);
            a.View("LogSumExp", ScatterLines(data, Singles(data.LogSumExp))).Value("LogSumExpRows", LineRows(data))
                .View("Delta", delta).Value("DeltaRows", LineRows(data));
            a.View("Gradient1", gradient1, PtxAccess.Output).Value("Gradient1Rows", rows.Rows)
                .View("Gradient2", gradient2, PtxAccess.Output).Value("Gradient2Rows", rows.Rows);
            a.Value("Scale", data.Scale).View("Lines", Array.Empty<float>()).View("NonFinite", Array.Empty<int>());
            SetSizes(a, data);
        }, text);
        string name = rowsAreKeys ? "dK" : "dQ";
        data.Compare(name, rows.Shape, data.Exact(name), rows.Gather(gradient1), BackwardTolerance);
        if (rowsAreKeys)
            data.Compare("dV", rows.Shape, data.Exact("dV"), rows.Gather(gradient2), BackwardTolerance);
    }

    /// <summary>Outputs [part, B, N, H, D] of disjoint keys and their log-sum-exps [part, B, H, N] become
    /// one.</summary>
    /// <returns>O [B, N, H, D] and LSE [B, H, N].</returns>
    public static (float[] Output, float[] LogSumExp) MergeParts(Shape shape, int parts, float[] outputs, float[] lines)
    {
        var place = TensorPlace.Of(shape, 3);
        int rows = shape[0] * shape[1] * shape[2];
        float[] output = place.Untouched<float>(), line = AttentionData.Untouched<float>(rows);
        Portable(typeof(PortableMerge).GetMethod(nameof(PortableMerge.Parts))!, ElementThreads)
            .Launch(ElementGroups, default, a => a
            .View("Rows", Array.Empty<RowTile>()).View("PartOutput", outputs).View("PartLogSumExp", lines)
                .View("Output", output, PtxAccess.Output).Value("OutputRows", place.Rows)
            .View("LogSumExp", line, PtxAccess.Output)
                .Value("LogSumExpRows", new RowStrides { Batch = (long)shape[2] * shape[1], Head = shape[1], Row = 1 })
            .Value("OutputStep", shape.Count).Value("LogSumExpStep", (long)rows).Value("Count", rows)
                .Value("TileRows", 0).Value("Parts", parts)
            .Value("HeadDim", shape[3]).Value("Tokens", shape[1]).Value("Heads", shape[2]));
        return (place.Gather(output), line);
    }

    private static InterpretedKernel Portable(MethodInfo method, int threads) =>
        _kernels.GetOrAdd(method, _ => new InterpretedKernel(method, threads) { IsPortable = true });

    private static KernelArguments SetForward(KernelArguments a, AttentionData data, TileLists lists,
        PortableKeys keys, int parts)
    {
        AttentionRuns.SetLists(a, lists, keys.Pages);
        a.View("Columns", keys.PageEntries == 0 ? lists.Columns : [])
            .View("Query", data.QueryPlace.Scatter(data.Query.Singles)).Value("QueryRows", data.QueryPlace.Rows);
        a.View("Key", keys.Keys).Value("KeyRows", keys.Rows).View("Value", keys.Values).Value("ValueRows", keys.Rows)
            .Value("PageEntries", keys.PageEntries).View("NonFinite", Array.Empty<int>())
            .Value("Parts", parts);
        return SetSizes(a, data);
    }

    private static KernelArguments SetSizes(KernelArguments a, AttentionData data) =>
        a.Value("BlockColumns", TileGeometry.Of(data.Problem.BlockTokens).BlockColumns)
        .Value("HeadDim", data.Problem.HeadDim).Value("Causal", AttentionRuns.IsCausal(data))
            .Value("ScaleLog2", data.ScaleLog2);

    private static void CompareForward(AttentionData data, float[] output, float[] lines)
    {
        data.Compare("O", data.QueryShape, data.Output, data.QueryPlace.Gather(output), ForwardTolerance);
        data.CompareLines("LSE", GatherLines(data, lines), ForwardTolerance);
    }

    private static int Slices(AttentionData data) =>
        (data.Problem.HeadDim + PortableTiles.Tile - 1) / PortableTiles.Tile;

    private static float[] Singles(double[] values) => [.. values.Select(x => (float)x)];

    // [B, H, Nq] behind a gap.
    private static RowStrides LineRows(AttentionData data) =>
        new() { Offset = data.Gap, Batch = (long)data.LineShape[1] * data.LineShape[2],
        Head = data.LineShape[2], Row = 1 };

    private static float[] UntouchedLines(AttentionData data) =>
        AttentionData.Untouched<float>(data.Gap + data.LineShape.Count);

    private static float[] ScatterLines(AttentionData data, float[] lines) =>
        [.. Enumerable.Repeat(float.NaN, data.Gap), .. lines];

    private static float[] GatherLines(AttentionData data, float[] memory)
    {
        Assert.All(memory[..data.Gap], x => Assert.Equal(uint.MaxValue, BitConverter.SingleToUInt32Bits(x)));
        return memory[data.Gap..];
    }
}
