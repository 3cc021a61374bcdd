namespace S2ILGPU.Tokenizers;

/// <summary>Finds special tokens in text from left to right: the earliest, and of several at the same place the first
/// in the list.</summary>
/// <remarks>Remembers where each token occurs next, so that the whole text is searched once per token.</remarks>
internal sealed class SpecialTokenFinder((byte[] Text, int Id)[] specials)
{
    private readonly int[] _next = CreateUnknown(specials.Length);

    public bool TryFindNext(ReadOnlySpan<byte> text, int start, out int position, out (byte[] Text, int Id) special)
    {
        position = int.MaxValue;
        special = default;
        for (int i = 0; i < specials.Length; i++)
        {
            if (_next[i] < start)
                _next[i] = text[start..].IndexOf(specials[i].Text) is >= 0 and int found ? start + found : int.MaxValue;
            if (_next[i] < position)
                (position, special) = (_next[i], specials[i]);
        }
        return position != int.MaxValue;
    }

    private static int[] CreateUnknown(int count)
    {
        var next = new int[count];
        Array.Fill(next, -1);
        return next;
    }
}
