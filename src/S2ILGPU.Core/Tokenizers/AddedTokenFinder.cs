namespace S2ILGPU.Tokenizers;

/// <summary>Finds added tokens in text from left to right: the earliest, and of several at the same place the first
/// in the list.</summary>
/// <remarks>Remembers where each token occurs next, so that the whole text is searched once per token.</remarks>
/// <param name="tokens">Texts and ids, the longest first.</param>
internal struct AddedTokenFinder((byte[] Text, int Id)[] tokens)
{
    private readonly int[] _next = CreateUnknown(tokens.Length);

    public readonly bool TryFindNext(ReadOnlySpan<byte> text, int start, out int position,
        out (byte[] Text, int Id) token)
    {
        position = int.MaxValue;
        token = default;
        for (int i = 0; i < tokens.Length; i++)
        {
            if (_next[i] < start)
                _next[i] = text[start..].IndexOf(tokens[i].Text) is >= 0 and int found ? start + found : int.MaxValue;
            if (_next[i] < position)
                (position, token) = (_next[i], tokens[i]);
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
