using S2ILGPU.Autograd;
using S2ILGPU.Collectives;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Training;

/// <summary>The norm of a gradient, summed in parts that do not depend on the number of ranks.</summary>
/// <remarks>Every bucket is cut into <see cref="Parts"/> parts. The squares of part i of all buckets are one sum, which
/// one rank forms, and the sums are added in the order of the parts: the same bits for one process and for any number
/// of ranks up to <see cref="Parts"/>.</remarks>
internal static class GradientNorm
{
    /// <summary>Parts of a bucket: many numbers of ranks divide it, and for the others little is padded.</summary>
    public const int Parts = 192;

    /// <summary>Parts that a rank has: neighbouring ones, the last ranks fewer.</summary>
    public static int PartsOf(int ranks) => (Parts + ranks - 1) / ranks;

    /// <summary>Elements of a part of a bucket; the last parts may have fewer, or none.</summary>
    public static int PartElements(int bucketElements, int ranks) =>
        (bucketElements + Math.Max(Parts, ranks) - 1) / Math.Max(Parts, ranks);

    /// <summary>The sum of squares of gradients that are whole on this rank.</summary>
    public static double Sum(IEngine engine, IReadOnlyList<Variable> parameters, IReadOnlyList<BucketPiece[]> buckets)
    {
        int[] elements = [.. buckets.Select(bucket => PartElements(bucket[^1].Offset + bucket[^1].Count, 1))];
        using var sums = Run(engine, Parts, part => buckets.SelectMany((bucket, b) =>
            BucketPiece.Within(bucket, part * elements[b], (part + 1) * elements[b])).Select(piece =>
                parameters[piece.Parameter].Gradient is { } gradient ? RankBucket.Flat(gradient, piece) : null)
            .OfType<Tensor>());
        return Total(engine, sums);
    }

    /// <summary>The sum of squares of a gradient that ranks have in parts.</summary>
    /// <param name="engine">The engine of this rank.</param>
    /// <param name="ranks">The ranks whose sums are added.</param>
    /// <param name="sharers">Ranks that share each bucket.</param>
    /// <param name="buckets">The buckets of this rank.</param>
    /// <param name="counts">Whether this rank counts a parameter, by its index.</param>
    public static double Sum(IEngine engine, ICollective ranks, int sharers, IReadOnlyList<RankBucket> buckets,
        Func<int, bool> counts)
    {
        int parts = PartsOf(sharers);
        using var own = Run(engine, parts, part => buckets.SelectMany(bucket => bucket.Gradients(part, parts, counts)));
        using var all = engine.Zeros(parts * ranks.Size);
        ranks.AllGather(own, all).Wait();
        return Total(engine, all);
    }

    private static Tensor Run(IEngine engine, int parts, Func<int, IEnumerable<Tensor>> gradients)
    {
        var sums = engine.Allocate(new Shape(parts), engine.FloatType);
        Tensor[][] pieces = [.. Enumerable.Range(0, parts).Select(part => gradients(part).ToArray())];
        engine.SumOfSquares(pieces, sums);
        foreach (var piece in pieces.SelectMany(part => part))
            piece.Dispose();
        return sums;
    }

    private static double Total(IEngine engine, Tensor sums)
    {
        double total = 0;
        foreach (float sum in engine.ToArray(sums))
            total += sum;
        return total;
    }
}
