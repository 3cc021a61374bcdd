namespace S2ILGPU.Patterns;

/// <summary>A pattern whose heads from one on keep only the key blocks from one on: the rest of these heads' attention
/// is computed elsewhere, to be merged.</summary>
/// <param name="pattern">The pattern.</param>
/// <param name="firstKeyValueHead">The first KV head whose query heads keep less.</param>
/// <param name="startBlock">The first block that these keep.</param>
internal sealed class NearPattern(AttentionPattern pattern, int firstKeyValueHead, int startBlock)
    : AttentionPattern(pattern.QueryHeads, pattern.KeyValueHeads, pattern.BlockTokens, pattern.IsCausal,
    pattern.PatternHeads == pattern.QueryHeads)
{
    private readonly int _firstHead = firstKeyValueHead * (pattern.PatternHeads / pattern.KeyValueHeads);

    public override int WindowTokens => pattern.WindowTokens;

    public override int MaxBlocks => pattern.MaxBlocks;

    public override bool Keeps(int head, int queryBlock, int keyBlock) =>
        (head < _firstHead || keyBlock >= startBlock) && pattern.Keeps(head, queryBlock, keyBlock);

    public override void AppendRow(int head, int queryBlock, int keyBlockEnd, BlockRowBuilder row)
    {
        if (head < _firstHead)
        {
            pattern.AppendRow(head, queryBlock, keyBlockEnd, row);
            return;
        }
        for (int keyBlock = startBlock; keyBlock < RowEnd(queryBlock, keyBlockEnd); keyBlock++)
            if (pattern.Keeps(head, queryBlock, keyBlock))
                row.Add(keyBlock);
    }

    public override string ToString() =>
        $"from key/value head {firstKeyValueHead} on key blocks {startBlock} and later of ({pattern})";
}
