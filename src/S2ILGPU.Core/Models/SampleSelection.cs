namespace S2ILGPU.Models;

/// <summary>Which passes and which of their rows SampleAttention samples. Combinatorics: no tensors, no
/// devices.</summary>
internal static class SampleSelection
{
    /// <summary>Fewer blocks of queries or of keys gain nothing.</summary>
    public const int LeastQueryBlocks = 4, LeastKeyBlocks = 16;

    // Of a chunk, so that sampling costs at most a sixteenth of dense attention: one block of 8, and scores alone.
    private const int LeastBlocksOfChunk = 8;

    /// <summary>Whether a pass is sampled.</summary>
    public static bool Takes(int queries, int keys, int blockTokens) =>
        queries >= LeastQueryBlocks * blockTokens && keys >= LeastKeyBlocks * blockTokens;

    /// <summary>The positions of the sampled rows, ascending.</summary>
    /// <param name="options">Which selection.</param>
    /// <param name="first">Position of the first query of the pass.</param>
    /// <param name="count">Queries of the pass.</param>
    /// <param name="blockTokens">Tokens of a block.</param>
    public static int[] Rows(SampleAttentionOptions options, int first, int count, int blockTokens)
    {
        if (options.WindowPercent is not null)
        {
            int stride = Math.Max(1, (int)Math.Round(Math.Min(count, 100 / options.RowPercent)));
            int rows = (count - 1) / stride + 1, last = first + count - 1;
            return [.. Enumerable.Range(0, rows).Select(row => last - (rows - 1 - row) * stride)];
        }
        int chunks = Math.Clamp(count / (LeastBlocksOfChunk * blockTokens), 1, options.Chunks);
        return [.. Enumerable.Range(1, chunks).Select(chunk => first + (int)((long)count * chunk / chunks))
            .SelectMany(end => Enumerable.Range(end - blockTokens, blockTokens))];
    }

    /// <summary>Blocks of the window of version 1; null for version 3.</summary>
    /// <param name="options">Which selection.</param>
    /// <param name="blocks">Key blocks of the sequence.</param>
    public static int? WindowBlocks(SampleAttentionOptions options, int blocks) =>
        options.WindowPercent is { } percent ? (int)Math.Ceiling(blocks * percent / 100) : null;
}
