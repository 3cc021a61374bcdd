using System.Numerics;

namespace S2ILGPU.Patterns;

/// <summary>The rules that every pattern's parameters obey, each thrown from one place with the offending
/// values.</summary>
internal static class PatternRules
{
    public const int MaxStride = 1 << 20;

    public static void CheckHeads(int queryHeads, int keyValueHeads)
    {
        if (queryHeads < 1 || keyValueHeads < 1)
            throw new ArgumentException(
                $"heads must be at least 1, got {queryHeads} query heads and {keyValueHeads} key/value heads");
        if (queryHeads % keyValueHeads != 0)
            throw new ArgumentException($"{keyValueHeads} key/value heads do not divide {queryHeads} query heads");
    }

    public static void CheckBlockTokens(int blockTokens)
    {
        if (blockTokens is < 16 or > 128 || !BitOperations.IsPow2(blockTokens))
            throw new ArgumentException($"block size must be 16, 32, 64 or 128 tokens, got {blockTokens}");
    }

    public static void CheckAtLeast(string name, int value, int least)
    {
        if (value < least)
            throw new ArgumentException($"{name} must be at least {least}, got {value}");
    }

    // Far beyond any useful stride, and small enough to list residues and to compute without overflow.
    public static void CheckStride(string name, int stride)
    {
        if (stride is < 1 or > MaxStride)
            throw new ArgumentException($"{name} must be 1 to {MaxStride}, got {stride}");
    }
}
