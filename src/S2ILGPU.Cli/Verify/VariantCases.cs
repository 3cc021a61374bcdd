using S2ILGPU.Lists;
using S2ILGPU.Patterns;
using S2ILGPU.Variants;

namespace S2ILGPU.Cli.Verify;

/// <summary>
/// A few small cases for each kernel of the registry: the one that reaches masked and unmasked tiles for all, the other
/// kinds by turns, so that together the kernels meet every kind. Kernels of one shape share cases, and so their exact
/// results.
/// </summary>
/// <param name="isEmulated">Whether kernels are executed thread by thread: one case each, and smaller ones.</param>
internal sealed class VariantCases(bool isEmulated)
{
    private readonly Dictionary<string, CheckCase> _cases = [];

    /// <summary>Whether a kernel packs rows of its own type that begin anywhere.</summary>
    public static bool PacksMisaligned(KernelVariant kernel) =>
        kernel.Name == PackVariants.NameOf(kernel.ElementType, isAligned: false);

    /// <summary>The cases of a kernel.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="index">How many kernels of the same kind came before.</param>
    public IReadOnlyList<CheckCase> For(KernelVariant kernel, int index)
    {
        int block = kernel.BlockColumns > 0 ? kernel.BlockColumns : isEmulated ? 16 : 64;
        return kernel.Operation switch
        {
            KernelOperation.Pack when PacksMisaligned(kernel) => [Misaligned(block)],
            KernelOperation.Pack => Turn([.. Plain(block).Where(check => !check.IsMisaligned)], 2, index),
            KernelOperation.Decode =>
                Turn([.. Decode(block, Math.Max(1, kernel.GroupHeads), kernel.IsPaged)], 1, index),
            KernelOperation.Merge => Turn([.. Decode(block, 2, isPaged: true)], 1, index),
            KernelOperation.Forward when kernel.IsPaged => Turn([.. Paged(block)], 1, index),
            _ => Turn([.. Plain(block)], 2, index),
        };
    }

    // The first, and some of the others.
    private CheckCase[] Turn(CheckCase[] kinds, int others, int index) =>
        isEmulated ? [kinds[0]]
        : [kinds[0], .. Enumerable.Range(index * others, others).Select(n => kinds[1 + n % (kinds.Length - 1)])];

    private IEnumerable<CheckCase> Plain(int block)
    {
        yield return isEmulated
            ? Add(new($"L2 s3, GQA, blocks of {block}", CheckCases.Stride(2, 3), 2, 1, block,
            Math.Min(83, 3 * block + 5)) { HasLogSumExpGradient = true })
            : Add(new($"dense, blocks of {block}", CheckCases.Dense, 2, 1, block, 193));
        yield return Add(new($"L2 s3, GQA, blocks of {block}", CheckCases.Stride(2, 3), 4, 2, block,
            4 * block + 73) { HasLogSumExpGradient = true });
        yield return Add(new($"empty rows, non-causal, padded, blocks of {block}", CheckCases.NonCausalHoles, 2, 1,
            block, 3 * block + 71) { PaddingRows = 5 });
        yield return Add(new($"fewer queries than keys, packed, blocks of {block}", CheckCases.Stride(1, 2), 2, 1,
            block, 190, 20, 129)
        {
            QueryCounts = [33, 20, 65], IsPacked = true, PaddingRows = 3, HasLogSumExpGradient = true,
        });
        yield return Add(new($"empty rows, padded batch, blocks of {block}", CheckCases.Holes, 4, 2, block, 33, 0,
            150) { PaddingRows = 7, HasLogSumExpGradient = true });
        yield return Add(new($"one fused tensor, blocks of {block}", CheckCases.Stride(2, 4), 4, 2, block,
            177) { IsFused = true });
        yield return Misaligned(block);
        yield return Add(new($"NaN and infinity, blocks of {block}", CheckCases.Stride(2, 3), 2, 1, block,
            2 * block + 37) { Damages = 4, HasLogSumExpGradient = true });
        if (block == TileGeometry.TileTokens)
            yield return Add(new("L1 s2, blocks of 128", CheckCases.Stride(1, 2), 2, 1, 128,
                300) { HasLogSumExpGradient = true });
    }

    private IEnumerable<CheckCase> Paged(int block)
    {
        yield return isEmulated
            ? Add(new($"pages of {block}, several queries", CheckCases.Stride(2, 3), 2, 1, block, 17,
            2 * block + 3) { QueryCounts = [3, 9], IsPaged = true })
            : Add(new($"pages of {block}, several queries", CheckCases.Stride(2, 3), 4, 2, block, 40, 90, 33,
                200) { QueryCounts = [5, 16, 1, 100], IsPaged = true });
        yield return Add(new($"pages of {block}, empty rows", CheckCases.Holes, 4, 2, block, 33, 95,
            290) { QueryCounts = [7, 95, 80], IsPaged = true });
        yield return Add(new($"pages of {block}, dense, whole prompts", CheckCases.Dense, 2, 1, block, 150,
            64) { IsPaged = true });
        if (block == TileGeometry.TileTokens)
            yield return Add(new("pages of 128, L1 s2", CheckCases.Stride(1, 2), 2, 1, 128, 300,
                129) { QueryCounts = [90, 2], IsPaged = true });
    }

    private IEnumerable<CheckCase> Decode(int block, int group, bool isPaged)
    {
        string place = isPaged ? "pages" : "blocks";
        yield return isEmulated
            ? Single($"{group} heads on 1, {place} of {block}, L2 s3", CheckCases.Stride(2, 3), group, 1, block,
            isPaged, 17, 2 * block + 3)
            : Single($"{group} heads on 1, {place} of {block}, L2 s3", CheckCases.Stride(2, 3), 2 * group, 2, block,
                isPaged, 1, block, block + 1, 9 * block + 3);
        yield return Single($"{2 * group} heads on 1, {place} of {block}, dense", CheckCases.Dense, 2 * group, 1, block,
            isPaged, 63, 64, 65, 200);
        yield return Single($"{group} heads on 1, {place} of {block}, empty rows", CheckCases.Holes, 2 * group, 2,
            block, isPaged, 33, 95, 290);
        yield return Add(new($"NaN and infinity, {group} heads on 1, {place} of {block}", CheckCases.Stride(2, 3),
            2 * group, 2, block, 40, 7 * block + 3) { QueryCounts = [1, 1], IsPaged = isPaged, Damages = 4 });
        if (group == 1)
            yield return Single($"by query head, {place} of {block}",
                CheckCases.Stride(1, 4, new StripeOptions { SlideByQueryHead = true }), 4, 1, block, isPaged, 300, 77);
        if (block == TileGeometry.TileTokens)
            yield return Single($"{group} heads on 1, {place} of 128, L1 s2", CheckCases.Stride(1, 2), 2 * group, 2,
                128, isPaged, 129, 500);
    }

    private CheckCase Misaligned(int block) =>
        Add(new($"rows at odd elements, blocks of {block}", CheckCases.Dense, 2, 1, block, isEmulated ? 37
        : 117) { IsMisaligned = true, HasLogSumExpGradient = true });

    private CheckCase Single(string name, Func<int, int, int, AttentionPattern> pattern, int heads, int keyValueHeads,
        int block, bool isPaged, params int[] keyCounts) =>
        Add(new(name, pattern, heads, keyValueHeads, block, keyCounts) { QueryCounts = [.. keyCounts.Select(_ => 1)],
            IsPaged = isPaged });

    // One object per name: exact results belong to the object.
    private CheckCase Add(CheckCase check) =>
        _cases.TryGetValue(check.Name, out var known) ? known : _cases[check.Name] = check;
}
