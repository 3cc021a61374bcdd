using S2ILGPU.Kernels;
using S2ILGPU.Launch;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using S2ILGPU.TestSupport.Ptx;

namespace S2ILGPU.Tests.Ptx;

/// <summary>Attention kernels on the interpreter: lists of the host, operands packed, results compared with float64.</summary>
internal static class AttentionRuns
{
    private static readonly Tolerance LineTolerance = new(1e-4);

    /// <summary>Forward with packed keys and values.</summary>
    public static void Forward(InterpretedKernel kernel, int rowsPerTile, AttentionData data, CopyTiming copies, string? text = null)
    {
        var lists = data.Lists().OfQueries(rowsPerTile);
        var output = AttentionData.Untouched<ushort>(data.QueryShape.Count);
        var lines = AttentionData.Untouched<float>(data.LineShape.Count);
        kernel.Launch(Math.Max(1, lists.Rows.Length), copies, a =>
        {
            SetLists(a, lists, []);
            a.View("Query", data.Query).Value("QueryRows", data.QueryRows);
            a.View("Keys", data.Pack(data.Key, data.KeyRows, lists.Columns)).View("Values", data.Pack(data.Value, data.KeyRows, lists.Columns));
            a.View("Output", output, isReadOnly: false).Value("OutputRows", data.QueryRows).View("LogSumExp", lines, isReadOnly: false);
            a.Value("Heads", data.Problem.QueryHeads).Value("LogSumExpRows", data.Problem.QueryRows).Value("ScaleLog2", data.ScaleLog2).Value("Causal", IsCausal(data));
        }, text);
        data.Compare("O", data.QueryShape, data.Output, output, Tolerance.Forward(data.Type));
        data.CompareLines("LSE", lines, LineTolerance);
    }

    /// <summary>The lines [tile, 128] that the backward kernels read: log-sum-exp and delta.</summary>
    public static float[] Delta(InterpretedKernel kernel, AttentionData data, CopyTiming copies, TileLists keyLists, string? text = null)
    {
        var tiles = keyLists.Columns;
        var lines = AttentionData.Untouched<float>(Math.Max(1, tiles.Length) * 128);
        if (tiles.Length == 0)
            return lines;
        kernel.Launch(tiles.Length, copies, a =>
        {
            a.View("Rows", tiles).View("Output", data.Encode(data.Output)).Value("OutputRows", data.QueryRows);
            a.View("OutputGradient", data.OutputGradient).Value("OutputGradientRows", data.QueryRows);
            a.View("LogSumExp", data.LogSumExp.Select(x => (float)x).ToArray()).View("LogSumExpGradient", data.LogSumExpGradient);
            a.View("Lines", lines, isReadOnly: false).Value("Heads", data.Problem.QueryHeads).Value("LogSumExpRows", data.Problem.QueryRows);
        }, text);
        return lines;
    }

    /// <summary>dK and dV (rows are keys) or dQ (rows are queries).</summary>
    public static void Backward(InterpretedKernel kernel, bool rowsAreKeys, bool first, bool second, AttentionData data, float[] deltaLines, CopyTiming copies, string? text = null)
    {
        var builder = data.Lists();
        TileLists keys = builder.OfKeys(), queries = builder.OfQueries(64), lists = rowsAreKeys ? keys : queries;
        var (shape, rows) = rowsAreKeys ? (data.KeyShape, data.KeyRows) : (data.QueryShape, data.QueryRows);
        // the packed rows of one kernel are the packed columns of the other
        ushort[] packedKeys = data.Pack(data.Key, data.KeyRows, queries.Columns), packedValues = data.Pack(data.Value, data.KeyRows, queries.Columns);
        ushort[] packedQueries = data.Pack(data.Query, data.QueryRows, keys.Columns), packedGradients = data.Pack(data.OutputGradient, data.QueryRows, keys.Columns);
        ushort[] gradient1 = AttentionData.Untouched<ushort>(shape.Count), gradient2 = AttentionData.Untouched<ushort>(shape.Count);
        kernel.Launch(Math.Max(1, lists.Rows.Length), copies, a =>
        {
            SetLists(a, lists, []);
            a.View("Rows1", rowsAreKeys ? packedKeys : packedQueries).View("Rows2", rowsAreKeys ? packedValues : packedGradients);
            a.View("Columns1", rowsAreKeys ? packedQueries : packedKeys).View("Columns2", rowsAreKeys ? packedGradients : packedValues).View("Lines", deltaLines);
            a.View("Gradient1", gradient1, isReadOnly: false).Value("Gradient1Rows", rows).View("Gradient2", gradient2, isReadOnly: false).Value("Gradient2Rows", rows);
            a.Value("ScaleLog2", data.ScaleLog2).Value("Scale", data.Scale).Value("Causal", IsCausal(data)).Value("FloatGradients", 0);
        }, text);
        var tolerance = Tolerance.Backward(data.Type);
        if (first)
            data.Compare(rowsAreKeys ? "dK" : "dQ", shape, data.Exact(rowsAreKeys ? "dK" : "dQ"), gradient1, tolerance);
        if (second)
            data.Compare("dV", shape, data.Exact("dV"), gradient2, tolerance);
    }

    private static void SetLists(KernelArguments arguments, TileLists lists, int[] pages) => arguments.View("Lists.Rows", lists.Rows).View("Lists.Entries", OrOne(lists.Entries))
        .View("Lists.Positions", OrOne(lists.Positions)).View("Lists.Masks", OrOne(lists.Masks)).View("Lists.Pages", pages);

    // Device memory is never empty.
    private static T[] OrOne<T>(T[] list) => list.Length > 0 ? list : new T[1];

    private static int IsCausal(AttentionData data) => data.Problem.Layout().IsCausal ? 1 : 0;
}
