using S2ILGPU.Layouts;

namespace S2ILGPU.Benchmarks;

/// <summary>What one operation of a benchmark has to do at least: the floor beside which its time is read.</summary>
/// <param name="Flops">Multiplications and additions, of kept blocks only; 0 where the time is not for
/// arithmetic.</param>
/// <param name="Bytes">Bytes that have to be read from memory; 0 where the time is not for memory.</param>
public readonly record struct Work(double Flops = 0, double Bytes = 0)
{
    /// <summary>Products over all kept blocks of a layout, each <c>2 B^2 D</c>. Attention has 2 forward (S, O) and 5
    /// backward (S, dP, dV, dK, dQ).</summary>
    public static Work OfAttention(BlockLayout layout, int headDim, int products)
    {
        int sharing = layout.Pattern.QueryHeads / layout.Heads; // query heads that a pattern head serves
        return new Work(Flops: 2.0 * products * headDim * sharing * layout.KeptBlocks * layout.BlockTokens
            * layout.BlockTokens);
    }
}

/// <summary>A benchmark class that knows the work of its methods from its parameters alone.</summary>
public interface ICountsWork
{
    /// <summary>The work of one operation.</summary>
    /// <param name="benchmark">Name of the method.</param>
    Work Of(string benchmark);
}
