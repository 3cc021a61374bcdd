using System.Text;

namespace S2ILGPU.Cli.Invocation;

/// <summary>Text from a model or a file, made safe for a terminal: control characters could move the cursor, change
/// colours, or type for the user.</summary>
internal static class TerminalText
{
    /// <summary>The text with control characters except line feed and tab written as <c>\x1b</c>; text without them is
    /// returned as it is.</summary>
    public static string Escape(string text)
    {
        if (!text.Any(IsUnsafe))
            return text;
        var escaped = new StringBuilder(text.Length + 8);
        foreach (char c in text)
            if (IsUnsafe(c))
                escaped.Append($"\\x{(int)c:x2}");
            else
                escaped.Append(c);
        return escaped.ToString();
    }

    /// <summary>The text as it is for a file or a pipe, escaped for a terminal.</summary>
    public static string For(TextWriter output, string text) =>
        StandardStreams.IsTerminal(output) ? Escape(text) : text;

    private static bool IsUnsafe(char c) => char.IsControl(c) && c is not ('\n' or '\t');
}
