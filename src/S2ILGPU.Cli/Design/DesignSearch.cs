using S2ILGPU.Patterns;

namespace S2ILGPU.Cli.Design;

/// <summary>All local-stride patterns of some heads and context whose window and stride are powers of two.</summary>
/// <remarks>Complete coverage and the smallest cache need as many key/value heads as the stride. With fewer, stripes
/// that slide by query head cover more, and the key/value head that the group shares keeps more: the search shows both
/// ends.</remarks>
internal sealed class DesignSearch
{
    private const int MostLocalBlocks = 64, MostStride = 64;

    private DesignSearch(IReadOnlyList<Candidate> all, double budget)
    {
        Within = [.. all.Where(c => c.CacheFraction <= budget)
            .OrderByDescending(c => c.CoveredFraction)
            .ThenByDescending(c => c.WindowTokens)
            .ThenByDescending(c => c.Ceiling)];
        var bySize = all.OrderBy(c => c.CacheFraction).ThenByDescending(c => c.Ceiling).ToArray();
        SmallestComplete = Array.Find(bySize, c => c.IsComplete);
        Smallest = bySize[0];
    }

    /// <summary>Patterns within the budget: the most complete first, then those with the longest window.</summary>
    public IReadOnlyList<Candidate> Within { get; }

    /// <summary>The smallest cache of a pattern whose heads read everything; null where none does.</summary>
    public Candidate? SmallestComplete { get; }

    /// <summary>The smallest cache of all.</summary>
    public Candidate Smallest { get; }

    /// <summary>Examines all patterns.</summary>
    /// <param name="heads">Query heads and key/value heads.</param>
    /// <param name="blockTokens">Tokens of a block.</param>
    /// <param name="tokens">Tokens of the context.</param>
    /// <param name="budget">Fraction of the dense cache that decoding may keep.</param>
    /// <param name="cancellation">Ends the search.</param>
    public static DesignSearch Run((int Query, int KeyValue) heads, int blockTokens, int tokens, double budget,
        CancellationToken cancellation)
    {
        int blocks = (tokens + blockTokens - 1) / blockTokens;
        // With a key/value head for each query head both ways to slide are one.
        bool[] slides = heads.Query == heads.KeyValue ? [false] : [false, true];
        var all = new List<Candidate>();
        for (int local = 1; local <= Math.Min(MostLocalBlocks, blocks); local *= 2)
            for (int stride = 2; stride <= Math.Min(MostStride, Math.Max(2, blocks)); stride *= 2)
                foreach (bool byQuery in slides)
                {
                    cancellation.ThrowIfCancellationRequested();
                    all.Add(Candidate.Of(new LocalStridePattern(heads.Query, heads.KeyValue, blockTokens, local,
                        stride, new StripeOptions { SlideByQueryHead = byQuery }), tokens));
                }
        return new DesignSearch(all, budget);
    }
}
