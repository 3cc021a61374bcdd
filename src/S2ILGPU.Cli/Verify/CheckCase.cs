using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;

namespace S2ILGPU.Cli.Verify;

/// <summary>One attention problem that a kernel is checked on: pattern, heads, lengths, batching. Element types and
/// head dimension come from the kernel.</summary>
/// <param name="Name">What is special about it, in a few words.</param>
/// <param name="Pattern">Creates the pattern for query heads, KV heads and tokens per block.</param>
/// <param name="QueryHeads">H.</param>
/// <param name="KeyValueHeads">Hkv.</param>
/// <param name="BlockTokens">Tokens per block.</param>
/// <param name="KeyCounts">Nk of each sequence.</param>
internal sealed record CheckCase(string Name, Func<int, int, int, AttentionPattern> Pattern, int QueryHeads,
    int KeyValueHeads, int BlockTokens, params int[] KeyCounts)
{
    /// <summary>Nq of each sequence; as many as keys unless set.</summary>
    public int[] QueryCounts { get; init; } = KeyCounts;

    /// <summary>Sequences one after the other in a batch of 1, instead of each in its own row of the batch.</summary>
    public bool IsPacked { get; init; }

    /// <summary>Rows after each sequence that belong to none; they hold NaN.</summary>
    public int PaddingRows { get; init; }

    /// <summary>Queries, keys and values are head ranges of one tensor [B, N, H + 2 Hkv, D].</summary>
    public bool IsFused { get; init; }

    /// <summary>Rows begin at odd elements, where nothing can be read in vectors.</summary>
    public bool IsMisaligned { get; init; }

    /// <summary>Keys and values lie in pages, and only kept blocks have one.</summary>
    public bool IsPaged { get; init; }

    /// <summary>Elements of queries, keys, values and output gradients, together, that are NaN or infinite.</summary>
    public int Damages { get; init; }

    /// <summary>Whether the log-sum-exp has a gradient.</summary>
    public bool HasLogSumExpGradient { get; init; }

    /// <summary>Extent of the batch dimension.</summary>
    public int Batch => IsPacked ? 1 : KeyCounts.Length;

    /// <summary>Rows of the query tensor.</summary>
    public int QueryRows => Rows(QueryCounts);

    /// <summary>Rows of the key tensor.</summary>
    public int KeyRows => Rows(KeyCounts);

    /// <summary>Where each sequence lies.</summary>
    public SequenceBatch Sequences()
    {
        var sequences = new Sequence[KeyCounts.Length];
        for (int s = 0, query = 0, key = 0; s < sequences.Length;
            query += QueryCounts[s] + PaddingRows, key += KeyCounts[s] + PaddingRows, s++)
            sequences[s] = IsPacked ? new Sequence(0, query, QueryCounts[s], key, KeyCounts[s])
                : new Sequence(s, 0, QueryCounts[s], 0, KeyCounts[s]);
        return new SequenceBatch(sequences);
    }

    /// <summary>The pattern.</summary>
    public AttentionPattern CreatePattern() => Pattern(QueryHeads, KeyValueHeads, BlockTokens);

    /// <summary>The layouts of the last rows of each sequence, as a decoder has them.</summary>
    public BlockLayout[] TailLayouts()
    {
        var pattern = CreatePattern();
        return [.. KeyCounts.Zip(QueryCounts, (keys, queries) => BlockLayout.Create(pattern, keys, queries))];
    }

    private int Rows(int[] counts) =>
        IsPacked ? counts.Sum() + counts.Length * PaddingRows : counts.Max() + PaddingRows;
}
