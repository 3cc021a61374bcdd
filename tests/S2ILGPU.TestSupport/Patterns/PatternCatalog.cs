using System.Globalization;
using S2ILGPU.Patterns;
using Xunit;

namespace S2ILGPU.TestSupport;

/// <summary>Every kind of pattern by name, for any heads and block size. Tests enumerate the names, so that a pattern
/// is registered once.</summary>
public static class PatternCatalog
{
    private delegate AttentionPattern Factory(int queryHeads, int keyValueHeads, int blockTokens);

    private static readonly Dictionary<string, Factory> s_factories = new()
    {
        ["dense"] = (h, kv, b) => new DensePattern(h, kv, b),
        ["dense non-causal"] = (h, kv, b) => new DensePattern(h, kv, b, isCausal: false),
        ["L1 s2"] = (h, kv, b) => new LocalStridePattern(h, kv, b, localBlocks: 1, verticalStride: 2),
        ["L2 s3"] = (h, kv, b) => new LocalStridePattern(h, kv, b, localBlocks: 2, verticalStride: 3),
        ["L2 s4 offset 1"] = (h, kv, b) =>
            new LocalStridePattern(h, kv, b, localBlocks: 2, verticalStride: 4, new StripeOptions { HeadOffset = 1 }),
        ["L3 s8 homogeneous"] = (h, kv, b) => new LocalStridePattern(h, kv, b, localBlocks: 3, verticalStride: 8,
            new StripeOptions { HomogeneousHeads = true }),
        ["L1 s4 dense head"] = (h, kv, b) =>
            new LocalStridePattern(h, kv, b, localBlocks: 1, verticalStride: 4, new StripeOptions { DenseHeads = 1 }),
        ["L1 s3 by query head"] = (h, kv, b) => new LocalStridePattern(h, kv, b, localBlocks: 1, verticalStride: 3,
            new StripeOptions { SlideByQueryHead = true }),
        ["L2 s3 non-causal"] = (h, kv, b) =>
            new LocalStridePattern(h, kv, b, localBlocks: 2, verticalStride: 3, isCausal: false),
        ["two ranges"] = (h, kv, b) =>
            new TwoRangePattern(h, kv, localBlocks: 1, nearBlocks: 4, nearStride: 2, farStride: 4, b),
        ["window with sink"] = (h, kv, b) => new SlidingWindowPattern(h, kv, windowBlocks: 2, sinkBlocks: 1, b),
        ["window non-causal"] = (h, kv, b) =>
            new SlidingWindowPattern(h, kv, windowBlocks: 2, sinkBlocks: 0, b, isCausal: false),
        ["some heads of more"] = (h, kv, b) =>
            new LocalStridePattern(2 * h, 2 * kv, b, localBlocks: 1, verticalStride: 3).SliceHeads(h..),
        ["columns and slashes"] = (h, kv, b) => new ColumnSlashPattern(
            [.. Enumerable.Range(0, h).Select(head => new[] { head % 3, 4 + head })],
            [.. Enumerable.Range(0, h).Select(head => new[] { 1 + head, 7 + head })], h, kv, b),
        ["random and window"] = (h, kv, b) =>
            new RandomPattern(h, kv, b, Seeds.Current) | new SlidingWindowPattern(h, kv, windowBlocks: 1,
            blockTokens: b),
        ["random"] = (h, kv, b) => new RandomPattern(h, kv, b, Seeds.Current),
        ["random by query head"] = (h, kv, b) => new RandomPattern(h, kv, b, Seeds.Current, perQueryHead: true),
        ["random non-causal"] = (h, kv, b) => new RandomPattern(h, kv, b, Seeds.Current, isCausal: false),
        ["random mostly empty"] = (h, kv, b) =>
            new RandomPattern(h, kv, b, Seeds.Current, density: 0.2, emptyRows: 0.7),
        ["nothing"] = (h, kv, b) => new RandomPattern(h, kv, b, Seeds.Current, density: 0),
    };

    /// <summary>The name of a window of tokens, before their number. Not among the names: some engines have
    /// none.</summary>
    public const string TokenWindow = "window of tokens ";

    /// <summary>The names.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. s_factories.Keys];

    /// <summary>The names as theory data.</summary>
    public static TheoryData<string> Data => [.. Names];

    /// <summary>The pattern of a name. The random ones depend on the seed of the run.</summary>
    public static AttentionPattern Create(string name, int queryHeads, int keyValueHeads, int blockTokens) =>
        name.StartsWith(TokenWindow, StringComparison.Ordinal)
            ? new TokenWindowPattern(queryHeads, keyValueHeads,
                int.Parse(name[TokenWindow.Length..], CultureInfo.InvariantCulture), blockTokens)
            : s_factories[name](queryHeads, keyValueHeads, blockTokens);
}
