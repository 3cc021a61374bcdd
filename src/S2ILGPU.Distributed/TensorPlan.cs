namespace S2ILGPU.Distributed;

/// <summary>What sharing layers by ranks costs per layer: 2 sums over the ranks of activations [B N, C] in the forward
/// pass, and 2 in the backward pass.</summary>
/// <param name="Ranks">T.</param>
/// <param name="SumBytes">The most that a rank sends for one sum.</param>
public sealed record TensorPlan(int Ranks, double SumBytes)
{
    /// <summary>Sums of a layer in one direction: one after attention, one after the feed-forward block.</summary>
    public const int SumsPerLayer = 2;

    /// <summary>The most that a rank sends per layer in the forward pass; the backward pass sends as much, and the
    /// forward pass twice where activations are computed again.</summary>
    public double LayerBytes => SumsPerLayer * SumBytes;

    /// <summary>Counts.</summary>
    /// <param name="tokens">B N, tokens of a pass on one rank.</param>
    /// <param name="dim">C.</param>
    /// <param name="ranks">T, ranks that share every layer.</param>
    /// <param name="elementBytes">Bytes of an activation.</param>
    public static TensorPlan Of(long tokens, int dim, int ranks, int elementBytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(tokens);
        ArgumentOutOfRangeException.ThrowIfLessThan(dim, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(ranks, 1);
        // A rank sends the parts of the others, then the sum of its own part to each of them.
        long elements = tokens * dim, own = (elements + ranks - 1) / ranks, fewest = elements / ranks;
        return new TensorPlan(ranks, (double)elementBytes
            * Math.Max(elements + (ranks - 2) * own, elements + (ranks - 2) * fewest));
    }
}
