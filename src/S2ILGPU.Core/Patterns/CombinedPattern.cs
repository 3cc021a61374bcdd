namespace S2ILGPU.Patterns;

/// <summary>The union or the intersection of two patterns. Has a pattern head per query head when one of the two
/// has.</summary>
internal sealed class CombinedPattern : AttentionPattern
{
    private readonly AttentionPattern _left, _right;
    private readonly bool _isUnion;

    public CombinedPattern(AttentionPattern left, AttentionPattern right, bool isUnion)
        : base(Checked(left, right).QueryHeads, left.KeyValueHeads, left.BlockTokens, left.IsCausal,
        Math.Max(left.PatternHeads, right.PatternHeads) > left.KeyValueHeads)
    {
        (_left, _right, _isUnion) = (left, right, isUnion);
    }

    public override int WindowTokens => _left.WindowTokens;

    public override int MaxBlocks => Math.Min(_left.MaxBlocks, _right.MaxBlocks);

    public override bool IsCacheEfficient => _left.IsCacheEfficient && _right.IsCacheEfficient;

    public override bool Keeps(int head, int queryBlock, int keyBlock)
    {
        bool left = _left.Keeps(HeadIn(_left, head), queryBlock, keyBlock),
            right = _right.Keeps(HeadIn(_right, head), queryBlock, keyBlock);
        return _isUnion ? left || right : left && right;
    }

    public override void AppendRow(int head, int queryBlock, int keyBlockEnd, BlockRowBuilder row)
    {
        int leftStart = row.Count;
        _left.AppendRow(HeadIn(_left, head), queryBlock, keyBlockEnd, row);
        int rightStart = row.Count;
        _right.AppendRow(HeadIn(_right, head), queryBlock, keyBlockEnd, row);
        row.Combine(leftStart, rightStart, _isUnion);
    }

    public override string ToString() => $"({_left}) {(_isUnion ? '|' : '&')} ({_right})";

    // A pattern with one head per KV head serves all query heads of a group with it.
    private int HeadIn(AttentionPattern part, int head) => head / (PatternHeads / part.PatternHeads);

    private static AttentionPattern Checked(AttentionPattern left, AttentionPattern right)
    {
        ArgumentNullException.ThrowIfNull(left);
        ArgumentNullException.ThrowIfNull(right);
        if ((left.QueryHeads, left.KeyValueHeads, left.BlockTokens, left.IsCausal)
            != (right.QueryHeads, right.KeyValueHeads, right.BlockTokens, right.IsCausal))
            throw new ArgumentException(
                $"combined patterns must agree in heads, block size and causality: {left.HeadsAndBlocks()}; "
                + $"{right.HeadsAndBlocks()}");
        if (left.WindowTokens != right.WindowTokens)
            throw new ArgumentException($"combined patterns must agree in their windows of tokens: {left}; {right}");
        return left;
    }
}
