using S2ILGPU.Collectives;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Distributed;

/// <summary>A grid of ranks: neighbours share layers, groups of those share sequences, and groups of those share the
/// micro-batches of a step: rank = (data * context ranks + context) * tensor ranks + tensor.</summary>
/// <remarks>Layers are exchanged most, so put the ranks that share them on one machine.</remarks>
public sealed class RankGroups : IDisposable
{
    /// <summary>Makes the groups of this rank; every rank calls it, and waits.</summary>
    /// <param name="ranks">All ranks; not disposed.</param>
    /// <param name="engine">The engine of this rank.</param>
    /// <param name="tensorRanks">Ranks that share every layer, for <see cref="Models.TransformerModel"/>.</param>
    /// <param name="contextRanks">Ranks that share a sequence, for <see cref="ContextParallel"/>; each of them is
    /// <paramref name="tensorRanks"/> ranks.</param>
    /// <exception cref="ArgumentException">They do not divide the ranks.</exception>
    /// <exception cref="RanksDifferException">The ranks were given other numbers.</exception>
    public RankGroups(ICollective ranks, IEngine engine, int tensorRanks = 1, int contextRanks = 1)
    {
        ArgumentNullException.ThrowIfNull(ranks);
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentOutOfRangeException.ThrowIfLessThan(tensorRanks, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(contextRanks, 1);
        CheckAgreement(ranks, engine, tensorRanks, contextRanks);
        int together = checked(tensorRanks * contextRanks), rank = ranks.Rank;
        if (ranks.Size % together != 0)
            throw new ArgumentException($"{tensorRanks} ranks that share layers times {contextRanks} that share "
                + $"sequences do not divide {ranks.Size} ranks");
        TensorGroup = tensorRanks > 1 ? ranks.Split(rank / tensorRanks, rank) : null;
        ContextGroup = contextRanks > 1 ? ranks.Split(rank / together * tensorRanks + rank % tensorRanks, rank) : null;
    }

    /// <summary>The ranks that share every layer with this one; null where layers are whole.</summary>
    public ICollective? TensorGroup { get; }

    /// <summary>The ranks that share sequences with this one, and have the same part of the layers; null where
    /// sequences are whole.</summary>
    public ICollective? ContextGroup { get; }

    /// <summary>Frees the groups.</summary>
    public void Dispose()
    {
        ContextGroup?.Dispose();
        TensorGroup?.Dispose();
    }

    // Ranks with other groups would wait for each other without an end.
    private static void CheckAgreement(ICollective ranks, IEngine engine, int tensorRanks, int contextRanks)
    {
        using Tensor own = engine.FromArray([tensorRanks, contextRanks]),
            all = engine.Allocate(new Shape(2 * ranks.Size), ElementType.Int32);
        ranks.AllGather(own, all).Wait();
        int[] values = engine.ToIntArray(all);
        for (int r = 1; r < ranks.Size; r++)
            if ((values[2 * r], values[2 * r + 1]) != (values[0], values[1]))
                throw new RanksDifferException($"rank {r} has a grid of {values[2 * r]} tensor x {values[2 * r + 1]} "
                    + $"context parallel where rank 0 has {values[0]} x {values[1]}: all ranks of a run need the same");
    }
}
