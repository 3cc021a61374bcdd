using S2ILGPU.Distributed.Context;
using S2ILGPU.Patterns;

namespace S2ILGPU.Distributed;

/// <summary>What sharing a context by ranks costs per layer in the forward pass, counted block by block; the backward
/// pass sends the same again.</summary>
/// <param name="RingBytes">What a rank receives when keys and values of all go around, or are gathered.</param>
/// <param name="UlyssesBytes">What a rank sends when queries, keys, values and outputs change between tokens and
/// heads.</param>
/// <param name="MeanBytes">What a rank receives with the exchange of kept blocks, in the mean.</param>
/// <param name="MostReceivedBytes">The most that a rank receives.</param>
/// <param name="MostSentBytes">The most that a rank sends.</param>
/// <param name="MostWork">Multiplications and additions of attention on the busiest rank.</param>
/// <param name="MeanWork">Those of a rank in the mean.</param>
public sealed record ContextPlan(double RingBytes, double UlyssesBytes, double MeanBytes, double MostReceivedBytes,
    double MostSentBytes, double MostWork, double MeanWork)
{
    /// <summary>The most that a rank sends or receives.</summary>
    public double BusiestBytes => Math.Max(MostReceivedBytes, MostSentBytes);

    /// <summary>Bytes of keys and values that a rank of a ring holds at once: its own and those under way.</summary>
    public required double RingMemory { get; init; }

    /// <summary>Bytes of the keys and values that a rank holds after an all-gather.</summary>
    public required double GatherMemory { get; init; }

    /// <summary>Bytes of the keys and values of all tokens and a rank's heads.</summary>
    public required double UlyssesMemory { get; init; }

    /// <summary>The most bytes of own and received keys and values of a rank.</summary>
    public required double MostMemory { get; init; }

    /// <summary>The most tokens of a sequence that a rank has.</summary>
    public required int MostTokens { get; init; }

    /// <summary>Counts for a pattern.</summary>
    /// <param name="pattern">A causal pattern.</param>
    /// <param name="contextTokens">N.</param>
    /// <param name="ranks">Ranks that share a sequence.</param>
    /// <param name="headDim">D.</param>
    /// <param name="elementBytes">Bytes of an element of keys and values.</param>
    /// <exception cref="ArgumentException">The pattern is not causal, or the context has too few blocks.</exception>
    public static ContextPlan Of(AttentionPattern pattern, int contextTokens, int ranks, int headDim, int elementBytes)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        ArgumentOutOfRangeException.ThrowIfLessThan(ranks, 1);
        var chunks = new ContextChunks(contextTokens, ranks, pattern.BlockTokens).Validate();
        var exchange = new ContextExchange(pattern, chunks);
        double blockBytes = 2.0 * pattern.BlockTokens * headDim * elementBytes,
            all = 2.0 * contextTokens * pattern.KeyValueHeads * headDim * elementBytes,
            others = (ranks - 1.0) / ranks;
        double[] received = [.. Each(to => Each(from => exchange.Pulled(from, to).Length).Sum() * blockBytes)],
            sent = [.. Each(from => Each(to => exchange.Pulled(from, to).Length).Sum() * blockBytes)],
            work = [.. Each(exchange.Work).Select(pairs =>
                4.0 * pairs * pattern.BlockTokens * pattern.BlockTokens * headDim)];
        double rowBytes = (2.0 * pattern.QueryHeads + 2.0 * pattern.KeyValueHeads) * headDim * elementBytes;
        return new ContextPlan(others * all, others * contextTokens / ranks * rowBytes, received.Average(),
            received.Max(), sent.Max(), work.Max(), work.Average())
        {
            RingMemory = Math.Min(2, ranks) * all / ranks,
            GatherMemory = all,
            UlyssesMemory = all * Math.Ceiling((double)pattern.KeyValueHeads / ranks) / pattern.KeyValueHeads,
            MostMemory = all / ranks + received.Max(),
            MostTokens = Each(rank => chunks.Positions(rank).Length).Max(),
        };

        IEnumerable<T> Each<T>(Func<int, T> of) => Enumerable.Range(0, ranks).Select(of);
    }
}
