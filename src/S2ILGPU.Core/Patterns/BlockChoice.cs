namespace S2ILGPU.Patterns;

/// <summary>Which columns and slashes sums choose, as marks: 1 for what is kept, else 0.</summary>
internal static class BlockChoice
{
    /// <summary>Marks the fewest sums that reach a share of their total; all of them for a share of 1 or a total that
    /// is not finite.</summary>
    /// <param name="sums">Sums, none of them negative.</param>
    /// <param name="share">The share, above 0 up to 1.</param>
    /// <param name="marks">As many marks. Written.</param>
    public static void Fewest(ReadOnlySpan<float> sums, double share, Span<int> marks)
    {
        double total = 0;
        foreach (float sum in sums)
            total += sum;
        marks.Fill(1);
        if (share >= 1 || !double.IsFinite(total))
            return;
        int[] order = [.. Enumerable.Range(0, sums.Length)];
        float[] descending = new float[sums.Length];
        for (int n = 0; n < descending.Length; n++)
            descending[n] = -sums[n];
        Array.Sort(descending, order);
        double reached = 0;
        for (int n = 0; n < order.Length; n++)
        {
            marks[order[n]] = reached < share * total ? 1 : 0;
            reached -= descending[n];
        }
    }

    /// <summary>Blocks that the marks of a head keep in the rows from a query block on, with the diagonal.</summary>
    public static int Count(ReadOnlySpan<int> columns, ReadOnlySpan<int> slashes, int firstQueryBlock)
    {
        int count = 0;
        for (int i = firstQueryBlock; i < columns.Length; i++)
        {
            count++;
            for (int j = 0; j < i; j++)
                count += columns[j] | slashes[i - j];
        }
        return count;
    }

    /// <summary>The pattern of marks.</summary>
    /// <param name="marks">[2, H, blocks]: columns, then slashes.</param>
    /// <param name="dense">The pattern of all blocks, for heads and block size.</param>
    public static ColumnSlashPattern Pattern(int[] marks, AttentionPattern dense)
    {
        int heads = dense.QueryHeads, blocks = marks.Length / (2 * heads);
        int[][] lists = [.. Enumerable.Range(0, 2 * heads).Select(line =>
            Enumerable.Range(0, blocks).Where(n => marks[line * blocks + n] != 0).ToArray())];
        return new ColumnSlashPattern(lists[..heads], lists[heads..], heads, dense.KeyValueHeads, dense.BlockTokens);
    }
}
