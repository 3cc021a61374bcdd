using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using S2ILGPU.Patterns;

namespace S2ILGPU.Native;

/// <summary>The functions <c>pattern_*</c>.</summary>
internal static unsafe class PatternFunctions
{
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static int Dense(NativeHeads* heads, ulong* pattern) => Create(heads, pattern, h =>
        new DensePattern(h.QueryHeads, h.KeyValueHeads, h.BlockTokens, Flag(h.IsCausal)));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static int LocalStride(NativeHeads* heads, int localBlocks, int verticalStride, NativeStripes* stripes,
        ulong* pattern) => Create(heads, pattern, h => new LocalStridePattern(h.QueryHeads, h.KeyValueHeads,
        h.BlockTokens, localBlocks, verticalStride, Stripes(stripes), Flag(h.IsCausal)));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static int SlidingWindow(NativeHeads* heads, int windowBlocks, int sinkBlocks, ulong* pattern) =>
        Create(heads, pattern, h => new SlidingWindowPattern(h.QueryHeads, h.KeyValueHeads, windowBlocks, sinkBlocks,
        h.BlockTokens, Flag(h.IsCausal)));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static int TwoRange(NativeHeads* heads, NativeTwoRange* ranges, NativeStripes* stripes, ulong* pattern) =>
        Create(heads, pattern, h =>
        {
            NotNull(ranges, nameof(ranges));
            if (!Flag(h.IsCausal))
                throw new ArgumentException("a pattern of two ranges is causal");
            return new TwoRangePattern(h.QueryHeads, h.KeyValueHeads, ranges->LocalBlocks, ranges->NearBlocks,
                ranges->NearStride, ranges->FarStride, h.BlockTokens, Stripes(stripes));
        });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static int Table(NativeHeads* heads, byte* table, int tableHeads, int blocks, ulong* pattern) =>
        Create(heads, pattern, h =>
        {
            NotNull(table, nameof(table));
            if (tableHeads < 1 || blocks < 1 || (Int128)tableHeads * blocks * blocks > Array.MaxLength)
                throw new ArgumentException($"a table of {tableHeads} heads and {blocks} blocks has 1 to "
                    + $"{Array.MaxLength} entries");
            var kept = new bool[tableHeads, blocks, blocks];
            int n = 0;
            foreach (ref bool keeps in MemoryMarshal.CreateSpan(ref kept[0, 0, 0], kept.Length))
                keeps = Flag(table[n++]);
            return new CustomPattern(kept, h.QueryHeads, h.KeyValueHeads, h.BlockTokens, Flag(h.IsCausal));
        });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static int Combine(ulong left, ulong right, int isUnion, ulong* pattern) => Add(pattern, () =>
    {
        AttentionPattern l = Handles.Get<AttentionPattern>(left), r = Handles.Get<AttentionPattern>(right);
        return Flag(isUnion) ? l | r : l & r;
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static int SliceHeads(ulong pattern, int first, int end, ulong* slice) => Add(slice, () =>
    {
        if (first < 0 || end < first)
            throw new ArgumentException($"heads {first} to {end} (exclusive) are not a range");
        return Handles.Get<AttentionPattern>(pattern).SliceHeads(first..end);
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static int Info(ulong pattern, NativePatternInfo* info) => Boundary.Run(() =>
    {
        NotNull(info, nameof(info));
        var p = Handles.Get<AttentionPattern>(pattern);
        *info = new NativePatternInfo
        {
            QueryHeads = p.QueryHeads,
            KeyValueHeads = p.KeyValueHeads,
            PatternHeads = p.PatternHeads,
            BlockTokens = p.BlockTokens,
            IsCausal = p.IsCausal ? 1 : 0,
            IsCacheEfficient = p.IsCacheEfficient ? 1 : 0,
            MaxBlocks = p.MaxBlocks,
        };
    });

    /// <summary>Throws when a pointer is null.</summary>
    public static void NotNull(void* pointer, string name)
    {
        if (pointer == null)
            throw new ArgumentException($"{name} is NULL");
    }

    private static int Create(NativeHeads* heads, ulong* pattern, Func<NativeHeads, AttentionPattern> create) =>
        Add(pattern, () =>
        {
            NotNull(heads, nameof(heads));
            return create(*heads);
        });

    private static int Add(ulong* handle, Func<AttentionPattern> create) => Boundary.Run(() =>
    {
        NotNull(handle, nameof(handle));
        *handle = Handles.Add(HandleKind.Pattern, create());
    });

    private static StripeOptions? Stripes(NativeStripes* stripes) => stripes == null ? null : new StripeOptions
    {
        HeadOffset = stripes->HeadOffset,
        HomogeneousHeads = Flag(stripes->HomogeneousHeads),
        DenseHeads = stripes->DenseHeads,
        SlideByQueryHead = Flag(stripes->SlideByQueryHead),
    };

    private static bool Flag(int value) => value is 0 or 1 ? value == 1
        : throw new ArgumentException($"a flag is 0 or 1, got {value}");
}
