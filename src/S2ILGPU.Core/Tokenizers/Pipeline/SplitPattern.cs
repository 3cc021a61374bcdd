namespace S2ILGPU.Tokenizers.Pipeline;

/// <summary>A regular expression over UTF-8, as tokenizers split text with.</summary>
/// <remarks>Knows what such expressions use: characters and sets with repetitions, general categories, alternatives,
/// groups, look-ahead, letters of either case. Immutable, safe to share between threads.</remarks>
internal sealed class SplitPattern
{
    private readonly PatternNode _start;

    private SplitPattern(string text, PatternNode start) => (Text, _start) = (text, start);

    /// <summary>GPT-2's, which is also that of the trainer.</summary>
    public static SplitPattern Gpt2 { get; } =
        Parse(@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+");

    /// <summary>The expression.</summary>
    public string Text { get; }

    /// <summary>Reads an expression.</summary>
    /// <exception cref="FormatException">It is damaged, or uses what is not known here; the message says
    /// what.</exception>
    public static SplitPattern Parse(string text) => new(text, new PatternParser(text).Parse());

    /// <summary>The pattern that matches a text literally.</summary>
    public static SplitPattern Literal(string text) => new(text, PatternParser.Literal(text));

    /// <summary>Finds the first match that is not empty.</summary>
    /// <param name="text">UTF-8, or any bytes.</param>
    /// <param name="from">Where to begin.</param>
    /// <param name="start">Where the match begins; the end of the text if there is none.</param>
    /// <param name="end">Its exclusive end.</param>
    /// <returns>Whether there is one.</returns>
    public bool TryFind(ReadOnlySpan<byte> text, int from, out int start, out int end)
    {
        for (start = from; start < text.Length; start += LengthAt(text, start))
            if ((end = _start.MatchEnd(text, start)) > start)
                return true;
        end = start;
        return false;
    }

    private static int LengthAt(ReadOnlySpan<byte> text, int position)
    {
        CharacterSet.CodePointAt(text, position, out int length);
        return length;
    }
}
