using System.Buffers;
using System.Globalization;
using System.Text;

namespace S2ILGPU.Tokenizers;

/// <summary>
/// Splits text into the pieces inside which tokens are merged, by GPT-2's pattern
/// <c>'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+</c>, on UTF-8 bytes.
/// </summary>
/// <remarks>Bytes that are no valid UTF-8 count as punctuation, so every input splits, and the pieces together are the
/// input.</remarks>
internal static class PieceScanner
{
    public const string Pattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    private const byte Punctuation = 0, Letter = 1, Number = 2, Space = 3, NotAscii = 4;

    private static readonly byte[] Classes = CreateClasses();

    /// <summary>Exclusive end of the piece that begins at <paramref name="start"/>, which must be inside the text and
    /// the start or the end of another piece.</summary>
    public static int NextEnd(ReadOnlySpan<byte> text, int start)
    {
        byte first = text[start];
        if (first == '\'' && ContractionLength(text[(start + 1)..]) is > 0 and int suffix)
            return start + 1 + suffix;
        int kind = ClassAt(text, start, out int length);
        if (first == ' ' && start + 1 < text.Length)
        {
            int next = ClassAt(text, start + 1, out int nextLength);
            if (next != Space)
                return RunEnd(text, start + 1 + nextLength, next);
        }
        return kind == Space ? SpaceEnd(text, start, length) : RunEnd(text, start + length, kind);
    }

    // Bytes of the letters after an apostrophe that make a contraction, 0 if none.
    private static int ContractionLength(ReadOnlySpan<byte> after)
    {
        if (after.Length >= 1 && after[0] is (byte)'s' or (byte)'t' or (byte)'m' or (byte)'d')
            return 1;
        return after.StartsWith("re"u8) || after.StartsWith("ve"u8) || after.StartsWith("ll"u8) ? 2 : 0;
    }

    private static int RunEnd(ReadOnlySpan<byte> text, int position, int kind)
    {
        while (position < text.Length && ClassAt(text, position, out int length) == kind)
            position += length;
        return position;
    }

    // \s+(?!\S)|\s+ : all of a run at the end of the text; else all but its last character, which goes with what
    // follows, unless it is the only one.
    private static int SpaceEnd(ReadOnlySpan<byte> text, int start, int firstLength)
    {
        int last = start, position = start + firstLength;
        while (position < text.Length && ClassAt(text, position, out int length) == Space)
        {
            last = position;
            position += length;
        }
        return position == text.Length || last == start ? position : last;
    }

    private static int ClassAt(ReadOnlySpan<byte> text, int position, out int length)
    {
        length = 1;
        byte kind = Classes[text[position]];
        return kind != NotAscii ? kind : ClassOfRune(text[position..], out length);
    }

    private static int ClassOfRune(ReadOnlySpan<byte> text, out int length)
    {
        if (Rune.DecodeFromUtf8(text, out var rune, out length) != OperationStatus.Done)
            return Punctuation;
        if (Rune.IsWhiteSpace(rune))
            return Space;
        return Rune.GetUnicodeCategory(rune) switch
        {
            <= UnicodeCategory.OtherLetter => Letter,
            UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Number,
            _ => Punctuation,
        };
    }

    private static byte[] CreateClasses()
    {
        var classes = new byte[256];
        for (int b = 0; b < 256; b++)
            classes[b] = (char)b switch
            {
                >= (char)0x80 => NotAscii,
                var c when char.IsAsciiLetter(c) => Letter,
                var c when char.IsAsciiDigit(c) => Number,
                var c when char.IsWhiteSpace(c) => Space,
                _ => Punctuation,
            };
        return classes;
    }
}
