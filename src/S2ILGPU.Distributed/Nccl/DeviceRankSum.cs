using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Distributed.Nccl;

/// <summary><c>((x_0 + x_1) + x_2) + ...</c> over the vectors of the ranks on a device, by its elementwise operations:
/// the bits of <see cref="Hosts.RankOrderSum"/>, but for those of a NaN, which depend on the processor.</summary>
internal static class DeviceRankSum
{
    /// <summary>Sums vectors that lie one after the other.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="parts">[ranks * n], Float32, or BFloat16, which is summed in Float32 and rounded once.</param>
    /// <param name="ranks">Number of vectors.</param>
    /// <param name="sum">[n], written; not in <paramref name="parts"/>.</param>
    public static void Run(IEngine engine, Tensor parts, int ranks, Tensor sum)
    {
        if (sum.Count == 0)
            return;
        if (sum.ElementType == ElementType.Float32)
        {
            Run(parts, ranks, sum, part => part.Share(), engine);
            return;
        }
        using Tensor total = engine.Allocate(sum.Shape, ElementType.Float32),
            wide = engine.Allocate(sum.Shape, ElementType.Float32);
        Run(parts, ranks, total, part =>
        {
            engine.Copy(part, wide);
            return wide.Share();
        }, engine);
        engine.Copy(total, sum);
    }

    private static void Run(Tensor parts, int ranks, Tensor sum, Func<Tensor, Tensor> float32, IEngine engine)
    {
        int count = (int)sum.Count;
        for (int rank = 0; rank < ranks; rank++)
        {
            using Tensor part = parts.Slice(0, rank * count, count), values = float32(part);
            if (rank == 0)
                engine.Copy(values, sum);
            else
                engine.Add(sum, values, sum);
        }
    }
}
