using System.Buffers;
using S2ILGPU.Tokenizers.Pipeline;

namespace S2ILGPU.Tokenizers;

/// <summary>Finds added tokens in text from left to right: the earliest, and of several at the same place the
/// longest.</summary>
/// <remarks>A trie over the bytes of the tokens; the text between is skipped by their first bytes.</remarks>
internal sealed class AddedTokenFinder
{
    // Joiners and non-joiners are in words here, as in Rust's \w; split patterns have Oniguruma's, without them.
    private static readonly CharacterSet s_joiners = CharacterSet.Range(0x200C, 0x200D);

    private readonly Dictionary<(int Node, byte Next), int> _children = [];
    private readonly List<AddedToken?> _tokens = [null]; // by node; node 0 is the root
    private readonly SearchValues<byte> _firstBytes;

    /// <param name="tokens">The tokens and what to look for, which is not empty.</param>
    public AddedTokenFinder(IEnumerable<(AddedToken Token, byte[] Text)> tokens)
    {
        foreach (var (token, text) in tokens)
            Add(token, text);
        _firstBytes = SearchValues.Create([.. _children.Keys.Where(key => key.Node == 0).Select(key => key.Next)]);
    }

    /// <summary>Finds the first token at or after a place.</summary>
    /// <param name="text">The text.</param>
    /// <param name="from">The place; white space before it is never part of a token.</param>
    /// <param name="start">Where the token begins, with the white space that it strips.</param>
    /// <param name="end">Its exclusive end, likewise.</param>
    /// <param name="token">The token; null if there is none.</param>
    public bool TryFind(ReadOnlySpan<byte> text, int from, out int start, out int end, out AddedToken? token)
    {
        (start, end, token) = (from, from, null);
        while (text[end..].IndexOfAny(_firstBytes) is >= 0 and int skipped)
        {
            start = end + skipped;
            token = LongestAt(text, start, out end);
            if (token is null)
                end = start + 1;
            else if (!token.IsSingleWord || !IsInWord(text, start, end))
            {
                while (token.StripsLeft && start > from && SpaceBefore(text, start) is > 0 and int before)
                    start -= before;
                while (token.StripsRight && end < text.Length
                    && CharacterSet.Space.LengthAt(text, end) is > 0 and int after)
                    end += after;
                return true;
            }
        }
        token = null;
        return false;
    }

    private void Add(AddedToken token, byte[] text)
    {
        int node = 0;
        foreach (byte next in text)
        {
            if (!_children.TryGetValue((node, next), out int child))
            {
                _children.Add((node, next), child = _tokens.Count);
                _tokens.Add(null);
            }
            node = child;
        }
        _tokens[node] ??= token;
    }

    private AddedToken? LongestAt(ReadOnlySpan<byte> text, int start, out int end)
    {
        AddedToken? longest = null;
        end = start;
        for (int node = 0, i = start; i < text.Length && _children.TryGetValue((node, text[i]), out node); i++)
            if (_tokens[node] is { } token)
                (longest, end) = (token, i + 1);
        return longest;
    }

    private static bool IsInWord(ReadOnlySpan<byte> text, int start, int end) =>
        (start > 0 && IsWordAt(text, CharacterSet.StartBefore(text, start)))
        || (end < text.Length && IsWordAt(text, end));

    private static bool IsWordAt(ReadOnlySpan<byte> text, int place) =>
        CharacterSet.Word.LengthAt(text, place) > 0 || s_joiners.LengthAt(text, place) > 0;

    private static int SpaceBefore(ReadOnlySpan<byte> text, int start) =>
        CharacterSet.Space.LengthAt(text, CharacterSet.StartBefore(text, start));
}
