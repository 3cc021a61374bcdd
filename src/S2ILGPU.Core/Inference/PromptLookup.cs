namespace S2ILGPU.Inference;

/// <summary>Proposes how a text goes on: as it did when its last tokens came before.</summary>
internal static class PromptLookup
{
    private const int LongestMatch = 3, ShortestMatch = 2;

    /// <summary>Proposes tokens.</summary>
    /// <param name="tokens">Prompt and text so far.</param>
    /// <param name="proposed">Receives the proposal.</param>
    /// <returns>Whether the last tokens came before; the proposal is whole or absent.</returns>
    public static bool TryPropose(ReadOnlySpan<int> tokens, Span<int> proposed)
    {
        int next = -1;
        for (int length = LongestMatch; next < 0 && length >= ShortestMatch && !proposed.IsEmpty; length--)
            if (length < tokens.Length && tokens[..^1].LastIndexOf(tokens[^length..]) is >= 0 and var at)
                next = at + length;
        // What follows the end of the text is the beginning of the proposal: a text that repeats itself goes on so.
        for (int i = 0; next >= 0 && i < proposed.Length; i++, next++)
            proposed[i] = next < tokens.Length ? tokens[next] : proposed[next - tokens.Length];
        return next >= 0;
    }
}
