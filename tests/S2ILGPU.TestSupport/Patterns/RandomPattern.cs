using S2ILGPU.Patterns;

namespace S2ILGPU.TestSupport;

/// <summary>Keeps each block by a coin, and no block at all in some rows: what no kernel may take for
/// granted.</summary>
/// <param name="seed">Same seed, same pattern.</param>
/// <param name="density">Probability of a block in a row that is not empty.</param>
/// <param name="emptyRows">Probability that a row keeps nothing.</param>
public sealed class RandomPattern(int queryHeads, int keyValueHeads, int blockTokens, int seed, double density = 0.4,
    double emptyRows = 0.25,
    bool isCausal = true, bool perQueryHead = false)
        : AttentionPattern(queryHeads, keyValueHeads, blockTokens, isCausal, perQueryHead)
{
    public override bool Keeps(int head, int queryBlock, int keyBlock) =>
        (!IsCausal || keyBlock <= queryBlock) && Coin(head, queryBlock, -1) >= emptyRows
        && Coin(head, queryBlock, keyBlock) < density;

    // A hash of the place, uniform in [0, 1): the finalizer of splitmix64.
    private double Coin(int head, int queryBlock, int keyBlock)
    {
        ulong x = (ulong)(uint)seed * 0x9E3779B97F4A7C15
            + (((ulong)(uint)head << 42) ^ ((ulong)(uint)queryBlock << 21) ^ (ulong)(keyBlock + 1));
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        return ((x ^ (x >> 31)) >> 11) * (1.0 / (1UL << 53));
    }
}
