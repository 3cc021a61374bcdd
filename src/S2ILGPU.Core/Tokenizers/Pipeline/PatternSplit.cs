namespace S2ILGPU.Tokenizers.Pipeline;

/// <summary>What becomes of the parts of a text that a pattern matches; those between them are pieces always.</summary>
internal enum SplitBehavior
{
    /// <summary>Each is a piece.</summary>
    Isolated,

    /// <summary>They are dropped.</summary>
    Removed,

    /// <summary>Neighbouring ones are one piece.</summary>
    Contiguous,

    /// <summary>Each ends the piece before it.</summary>
    MergedWithPrevious,

    /// <summary>Each begins the piece after it.</summary>
    MergedWithNext,
}

/// <summary>Splits by a pattern.</summary>
/// <param name="pattern">The pattern.</param>
/// <param name="behavior">What becomes of its matches.</param>
/// <param name="isInverted">Whether matches and the parts between them change their roles.</param>
internal sealed class PatternSplit(SplitPattern pattern, SplitBehavior behavior, bool isInverted = false)
    : PreTokenizer
{
    public override void Split(ReadOnlySpan<byte> text, bool isFirst, IPieceReader next)
    {
        var pending = new Pending();
        for (int position = 0; position < text.Length;)
        {
            bool found = pattern.TryFind(text, position, out int start, out int end);
            if (start > position)
                Take(text, isFirst, next, ref pending, position, start, isInverted);
            if (found)
                Take(text, isFirst, next, ref pending, start, end, !isInverted);
            position = end;
        }
        Flush(text, isFirst, next, pending);
    }

    // The piece that the next part may still join, and whether its last part was a match.
    private struct Pending
    {
        public int Start, End;
        public bool IsMatch;
    }

    private void Take(ReadOnlySpan<byte> text, bool isFirst, IPieceReader next, ref Pending pending, int start, int end,
        bool isMatch)
    {
        if (behavior == SplitBehavior.Isolated)
        {
            next.Read(text[start..end], isFirst && start == 0);
            return;
        }
        bool joins = pending.End > 0 && behavior switch
        {
            SplitBehavior.Contiguous => isMatch == pending.IsMatch,
            SplitBehavior.MergedWithPrevious => isMatch && !pending.IsMatch,
            SplitBehavior.MergedWithNext => !isMatch && pending.IsMatch,
            _ => false,
        };
        if (joins)
            start = pending.Start;
        else
            Flush(text, isFirst, next, pending);
        pending = new Pending { Start = start, End = end, IsMatch = isMatch };
    }

    private void Flush(ReadOnlySpan<byte> text, bool isFirst, IPieceReader next, Pending pending)
    {
        if (pending.End > 0 && !(pending.IsMatch && behavior == SplitBehavior.Removed))
            next.Read(text[pending.Start..pending.End], isFirst && pending.Start == 0);
    }
}
