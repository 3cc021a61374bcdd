namespace S2ILGPU.Patterns;

/// <summary>Some of the query heads of a pattern, with the key/value heads that they need.</summary>
internal sealed class HeadRangePattern : AttentionPattern
{
    private readonly AttentionPattern _pattern;
    private readonly int _firstPatternHead;

    public HeadRangePattern(AttentionPattern pattern, Range queryHeads)
        : this(pattern, Checked(pattern, queryHeads))
    {
    }

    private HeadRangePattern(AttentionPattern pattern, (int Start, int Count, int KeyValueHeads) slice)
        : base(slice.Count, slice.KeyValueHeads, pattern.BlockTokens, pattern.IsCausal,
        pattern.PatternHeads == pattern.QueryHeads)
    {
        _pattern = pattern;
        _firstPatternHead = pattern.PatternHeadOf(slice.Start);
    }

    public override int WindowTokens => _pattern.WindowTokens;

    public override int MaxBlocks => _pattern.MaxBlocks;

    public override bool IsCacheEfficient => _pattern.IsCacheEfficient;

    public override bool Keeps(int head, int queryBlock, int keyBlock) =>
        _pattern.Keeps(_firstPatternHead + head, queryBlock, keyBlock);

    public override void AppendRow(int head, int queryBlock, int keyBlockEnd, BlockRowBuilder row) =>
        _pattern.AppendRow(_firstPatternHead + head, queryBlock, keyBlockEnd, row);

    public override string ToString() =>
        $"{QueryHeads} query heads from pattern head {_firstPatternHead} of ({_pattern})";

    internal override int FarDistance => _pattern.FarDistance;

    internal override int StripePeriod => _pattern.StripePeriod;

    internal override bool KeepsResidue(int head, int residue) =>
        _pattern.KeepsResidue(_firstPatternHead + head, residue);

    private static (int Start, int Count, int KeyValueHeads) Checked(AttentionPattern pattern, Range queryHeads)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        int group = pattern.QueryHeads / pattern.KeyValueHeads;
        int start = queryHeads.Start.GetOffset(pattern.QueryHeads), end = queryHeads.End.GetOffset(pattern.QueryHeads);
        if (start < 0 || end > pattern.QueryHeads || start >= end)
            throw new ArgumentException(
                $"heads {start}..{end} are not a range of the {pattern.QueryHeads} query heads");
        bool wholeGroups = start % group == 0 && end % group == 0, insideOne = start / group == (end - 1) / group;
        if (!wholeGroups && !insideOne)
            throw new ArgumentException(
                $"heads {start}..{end} must be whole groups of {group} query heads, or a part of one group");
        return (start, end - start, wholeGroups ? (end - start) / group : 1);
    }
}
