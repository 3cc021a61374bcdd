namespace S2ILGPU.Patterns;

/// <summary>The key blocks of a pattern from one on and up to another: a part of attention, to be merged with the
/// rest.</summary>
internal sealed class BlockRangePattern(AttentionPattern pattern, int startBlock, int endBlock)
    : AttentionPattern(pattern.QueryHeads, pattern.KeyValueHeads, pattern.BlockTokens, pattern.IsCausal,
    pattern.PatternHeads == pattern.QueryHeads)
{
    public override int WindowTokens => pattern.WindowTokens;

    public override int MaxBlocks => pattern.MaxBlocks;

    public override bool Keeps(int head, int queryBlock, int keyBlock) =>
        keyBlock >= startBlock && keyBlock < endBlock && pattern.Keeps(head, queryBlock, keyBlock);

    public override void AppendRow(int head, int queryBlock, int keyBlockEnd, BlockRowBuilder row)
    {
        int end = Math.Min(keyBlockEnd, endBlock);
        if (startBlock == 0)
        {
            pattern.AppendRow(head, queryBlock, end, row);
            return;
        }
        for (int keyBlock = startBlock; keyBlock < RowEnd(queryBlock, end); keyBlock++)
            if (pattern.Keeps(head, queryBlock, keyBlock))
                row.Add(keyBlock);
    }

    public override string ToString() => $"key blocks {startBlock} to {endBlock} of ({pattern})";
}
