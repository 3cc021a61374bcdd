using S2ILGPU.Engines;
using S2ILGPU.Layouts;

namespace S2ILGPU.TestSupport;

/// <summary>How the sequences of a batch share the tensors.</summary>
public enum Batching
{
    /// <summary>Each sequence at the start of its own row of the batch.</summary>
    Padded,

    /// <summary>One after the other in a batch of 1.</summary>
    Packed,
}

/// <summary>How the operands of attention lie in memory.</summary>
public enum MemoryOrder
{
    /// <summary>[B, N, H, D], dense.</summary>
    TokenMajor,

    /// <summary>[B, H, N, D], dense, seen as [B, N, H, D].</summary>
    HeadMajor,

    /// <summary>Queries, keys and values are head ranges of one [B, N, H + 2 Hkv, D]; needs as many query rows as key
    /// rows.</summary>
    PackedQueryKeyValue,

    /// <summary>Keys and values are head ranges of one [B, N, 2 Hkv, D].</summary>
    PackedKeyValue,
}

/// <summary>One attention problem: pattern, sizes, sequences, memory. The default is small and ordinary; a test changes
/// what it is about.</summary>
public sealed record AttentionCase
{
    /// <summary>Name in <see cref="PatternCatalog"/>.</summary>
    public string Pattern { get; init; } = "L2 s3";

    public int QueryHeads { get; init; } = 2;

    public int KeyValueHeads { get; init; } = 1;

    public int HeadDim { get; init; } = 32;

    public int BlockTokens { get; init; } = 16;

    /// <summary>Nq of each sequence.</summary>
    public int[] QueryCounts { get; init; } = [65];

    /// <summary>Nk of each sequence.</summary>
    public int[] KeyCounts { get; init; } = [65];

    public Batching Batching { get; init; } = Batching.Padded;

    /// <summary>Padding rows behind each sequence; they hold NaN.</summary>
    public int PaddingRows { get; init; }

    public MemoryOrder Order { get; init; } = MemoryOrder.TokenMajor;

    /// <summary>Tokens that the layout covers beyond the longest sequence.</summary>
    public int ExtraLayoutTokens { get; init; }

    /// <summary>One layout per sequence, with the rows of its queries only, instead of one layout for all.</summary>
    public bool LayoutPerSequence { get; init; }

    /// <summary>Standard deviation of queries and keys.</summary>
    public double Magnitude { get; init; } = 1;

    /// <summary>Factor of the scores relative to 1 / sqrt(D).</summary>
    public double RelativeScale { get; init; } = 1;

    /// <summary>Whether the log-sum-exp is wanted (forward), or has a gradient (backward).</summary>
    public bool WithLogSumExp { get; init; } = true;

    /// <summary>Random elements of queries, keys, values and output gradients, together, that become NaN or
    /// infinite.</summary>
    public int Damages { get; init; }

    public float Scale => (float)(RelativeScale / Math.Sqrt(HeadDim));

    /// <summary>The size of the scores where it is above the usual N(0, 1): rounding errors of a score grow with
    /// it.</summary>
    public double Conditioning => Math.Max(1, Magnitude * Magnitude * RelativeScale);

    public long MultiplyAdds => QueryCounts.Zip(KeyCounts, (q, k) => 2L * q * k * QueryHeads * HeadDim).Sum();

    /// <summary>One sequence of one length, queries and keys alike.</summary>
    public AttentionCase OfLength(int tokens) => this with { QueryCounts = [tokens], KeyCounts = [tokens] };

    public SequenceBatch Sequences()
    {
        var sequences = new Sequence[QueryCounts.Length];
        for (int s = 0, query = 0, key = 0; s < sequences.Length; s++)
        {
            sequences[s] = Batching == Batching.Packed
                ? new Sequence(0, query, QueryCounts[s], key, KeyCounts[s])
                : new Sequence(s, 0, QueryCounts[s], 0, KeyCounts[s]);
            (query, key) = (query + QueryCounts[s] + PaddingRows, key + KeyCounts[s] + PaddingRows);
        }
        return new SequenceBatch(sequences);
    }

    public int BatchExtent => Batching == Batching.Packed ? 1 : QueryCounts.Length;

    public int QueryRows => Rows(Order == MemoryOrder.PackedQueryKeyValue ? KeyCounts : QueryCounts);

    public int KeyRows => Rows(KeyCounts);

    public BlockLayout Layout() => BlockLayout.Create(CreatePattern(), KeyCounts.Max() + ExtraLayoutTokens);

    public BlockLayout[]? Layouts() =>
        LayoutPerSequence
        ? [.. KeyCounts.Zip(QueryCounts, (keys, queries) => BlockLayout.Create(CreatePattern(), keys, queries))] : null;

    public override string ToString() =>
        $"attention '{Pattern}' H{QueryHeads}/{KeyValueHeads} D{HeadDim} block {BlockTokens}, "
        + $"queries [{string.Join(' ', QueryCounts)}] keys [{string.Join(' ', KeyCounts)}] "
        + $"{Batching} +{PaddingRows} {Order}, layout "
            + $"+{ExtraLayoutTokens}{(LayoutPerSequence ? " per sequence" : "")}, "
        + $"magnitude {Magnitude:g3}, scale x{RelativeScale:g3}, {(WithLogSumExp ? "with" : "without")} LSE"
        + (Damages == 0 ? "" : $", {Damages} NaN or infinite");

    /// <summary>A random problem of at most the given work.</summary>
    public static AttentionCase CreateRandom(Random random, long workLimit)
    {
        var (heads, keyValueHeads) = random.Pick((1, 1), (2, 2), (2, 1), (4, 2), (4, 1), (6, 2));
        var order = random.Pick(MemoryOrder.TokenMajor, MemoryOrder.HeadMajor, MemoryOrder.PackedQueryKeyValue,
            MemoryOrder.PackedKeyValue);
        int[] keys = [.. Enumerable.Range(0, random.Next(1, 4))
            .Select(_ => random.Pick(random.Next(0, 40), random.Next(0, 170), 16 * random.Next(0, 9)))];
        int[] queries = order == MemoryOrder.PackedQueryKeyValue || random.Next(2) == 0 ? keys
            : [.. keys.Select(count => random.Next(0, count + 1))];
        var result = new AttentionCase
        {
            Pattern = PatternCatalog.Names[random.Next(PatternCatalog.Names.Count)],
            QueryHeads = heads,
            KeyValueHeads = keyValueHeads,
            HeadDim = random.Pick(8, 16, 24, 32, 40, 64, 72, 80, 128, 8 * random.Next(13, 33)),
            BlockTokens = random.Pick(16, 16, 32, 64, 128),
            QueryCounts = queries,
            KeyCounts = keys,
            Batching = random.Pick(Batching.Padded, Batching.Packed),
            PaddingRows = random.Pick(0, 0, 1, 7, 20),
            Order = order,
            ExtraLayoutTokens = random.Pick(0, 0, 1, 100),
            WithLogSumExp = random.Next(4) > 0,
        };
        return result.MultiplyAdds <= workLimit ? result : CreateRandom(random, workLimit);
    }

    private int Rows(int[] counts) =>
        Batching == Batching.Packed ? counts.Sum() + counts.Length * PaddingRows : counts.Max() + PaddingRows;

    private Patterns.AttentionPattern CreatePattern() =>
        PatternCatalog.Create(Pattern, QueryHeads, KeyValueHeads, BlockTokens);
}
