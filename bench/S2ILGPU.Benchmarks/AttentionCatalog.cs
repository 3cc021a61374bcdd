using S2ILGPU.Models;

namespace S2ILGPU.Benchmarks;

/// <summary>The kinds of attention that benchmarks enumerate, by name. Register one here, and all of them run over
/// it.</summary>
public static class AttentionCatalog
{
    private static readonly Dictionary<string, AttentionConfig> s_kinds = new()
    {
        ["dense"] = new DenseAttention(),
        ["L16 s8"] = new LocalStrideAttention { LocalBlocks = 16, VerticalStride = 8 },
        ["L8 s16"] = new LocalStrideAttention { LocalBlocks = 8, VerticalStride = 16 },
        ["window 16 sink 1"] = new SlidingWindowAttention { WindowBlocks = 16, SinkBlocks = 1 },
        ["two ranges 8 16"] = new TwoRangeAttention(),
    };

    /// <summary>The names.</summary>
    public static IEnumerable<string> Names => s_kinds.Keys;

    /// <summary>The attention of a name.</summary>
    public static AttentionConfig Find(string name) => s_kinds[name];
}
