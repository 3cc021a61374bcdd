using S2ILGPU.Patterns;
using Xunit;

namespace S2ILGPU.TestSupport;

/// <summary>Every kind of pattern by name, for any heads and block size. Tests enumerate the names, so that a pattern is registered once.</summary>
public static class PatternCatalog
{
    private delegate AttentionPattern Factory(int queryHeads, int keyValueHeads, int blockTokens);

    private static readonly Dictionary<string, Factory> s_factories = new()
    {
        ["dense"] = (h, kv, b) => new LocalStridePattern(h, kv, b, localBlocks: 1, verticalStride: 1),
        ["dense non-causal"] = (h, kv, b) => new LocalStridePattern(h, kv, b, localBlocks: 1, verticalStride: 1, isCausal: false),
        ["L1 s2"] = (h, kv, b) => new LocalStridePattern(h, kv, b, localBlocks: 1, verticalStride: 2),
        ["L2 s3"] = (h, kv, b) => new LocalStridePattern(h, kv, b, localBlocks: 2, verticalStride: 3),
        ["L2 s4 offset 1"] = (h, kv, b) => new LocalStridePattern(h, kv, b, localBlocks: 2, verticalStride: 4, stripes: new() { HeadOffset = 1 }),
        ["L3 s8 homogeneous"] = (h, kv, b) => new LocalStridePattern(h, kv, b, localBlocks: 3, verticalStride: 8, stripes: new() { HomogeneousHeads = true }),
        ["L1 s4 dense head"] = (h, kv, b) => new LocalStridePattern(h, kv, b, localBlocks: 1, verticalStride: 4, stripes: new() { DenseHeads = 1 }),
        ["L1 s3 by query head"] = (h, kv, b) => new LocalStridePattern(h, kv, b, localBlocks: 1, verticalStride: 3, stripes: new() { SlideByQueryHead = true }),
        ["window only"] = (h, kv, b) => new LocalStridePattern(h, kv, b, localBlocks: 2, verticalStride: 1 << 20, stripes: new() { HeadOffset = 1 << 19 }),
        ["L2 s3 non-causal"] = (h, kv, b) => new LocalStridePattern(h, kv, b, localBlocks: 2, verticalStride: 3, isCausal: false),
        ["random"] = (h, kv, b) => new RandomPattern(h, kv, b, Seeds.Current),
        ["random by query head"] = (h, kv, b) => new RandomPattern(h, kv, b, Seeds.Current, perQueryHead: true),
        ["random non-causal"] = (h, kv, b) => new RandomPattern(h, kv, b, Seeds.Current, isCausal: false),
        ["random mostly empty"] = (h, kv, b) => new RandomPattern(h, kv, b, Seeds.Current, density: 0.2, emptyRows: 0.7),
        ["nothing"] = (h, kv, b) => new RandomPattern(h, kv, b, Seeds.Current, density: 0),
    };

    /// <summary>The names.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. s_factories.Keys];

    /// <summary>The names as theory data.</summary>
    public static TheoryData<string> Data => [.. Names];

    /// <summary>The pattern of a name. The random ones depend on the seed of the run.</summary>
    public static AttentionPattern Create(string name, int queryHeads, int keyValueHeads, int blockTokens) => s_factories[name](queryHeads, keyValueHeads, blockTokens);
}
