using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;
using static S2ILGPU.Native.PatternFunctions;

namespace S2ILGPU.Native;

/// <summary>The functions <c>layout_*</c>.</summary>
internal static unsafe class LayoutFunctions
{
    private const int AllQueries = -1;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static int Create(ulong pattern, int tokens, int queryTokens, ulong* layout) => Boundary.Run(() =>
    {
        NotNull(layout, nameof(layout));
        *layout = Handles.Add(HandleKind.Layout, BlockLayout.Create(Handles.Get<AttentionPattern>(pattern), tokens,
            queryTokens == AllQueries ? null : queryTokens));
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static int Info(ulong layout, NativeLayoutInfo* info) => Boundary.Run(() =>
    {
        NotNull(info, nameof(info));
        var l = Handles.Get<BlockLayout>(layout);
        *info = new NativeLayoutInfo
        {
            Tokens = l.Tokens,
            BlockTokens = l.BlockTokens,
            Heads = l.Heads,
            KeyBlocks = l.KeyBlocks,
            FirstQueryBlock = l.FirstQueryBlock,
            QueryBlocks = l.QueryBlocks,
            KeptBlocks = l.KeptBlocks,
        };
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static int Rows(ulong layout, int* rowStarts, long rowStartCount, int* columns, long columnCount) =>
        Boundary.Run(() =>
        {
            var l = Handles.Get<BlockLayout>(layout);
            var starts = Destination((long)l.Heads * l.QueryBlocks + 1, rowStarts, rowStartCount, "row_starts");
            var entries = Destination(l.KeptBlocks, columns, columnCount, nameof(columns));
            int row = 0, kept = 0;
            starts[0] = 0;
            for (int head = 0; head < l.Heads; head++)
                for (int queryBlock = l.FirstQueryBlock; queryBlock < l.KeyBlocks; queryBlock++)
                {
                    var blocks = l.Row(head, queryBlock);
                    blocks.Full.CopyTo(entries[kept..]);
                    blocks.Partial.CopyTo(entries[(kept + blocks.Full.Length)..]);
                    starts[++row] = kept += blocks.Count;
                }
        });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static int Report(ulong layout, NativeLayoutReport* report) => Boundary.Run(() =>
    {
        NotNull(report, nameof(report));
        var r = PatternReport.Of(Handles.Get<BlockLayout>(layout));
        *report = new NativeLayoutReport
        {
            KeptBlocks = r.KeptBlocks,
            DenseBlocks = r.DenseBlocks,
            EmptyRows = r.EmptyRows,
            IsCacheEfficient = r.IsCacheEfficient ? 1 : 0,
            IsCovered = r.Coverage.IsComplete ? 1 : 0,
        };
    });

    private static Span<int> Destination(long values, int* destination, long count, string name)
    {
        if (count != values)
            throw new ArgumentException($"{name} has {values} elements, got room for {count}");
        if (values > int.MaxValue)
            throw new ArgumentException($"{name} has {values} elements, at most {int.MaxValue} are written");
        if (count > 0)
            NotNull(destination, name);
        return new Span<int>(destination, (int)values);
    }
}
