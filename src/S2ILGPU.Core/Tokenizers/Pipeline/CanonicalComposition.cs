using System.Buffers;
using System.Text;

namespace S2ILGPU.Tokenizers.Pipeline;

/// <summary>Unicode's normalization form C: characters decomposed, marks put in order, composed again.</summary>
/// <remarks>Bytes that are not valid UTF-8 stay as they are and separate what is beside them.</remarks>
/// <seealso href="https://unicode.org/reports/tr15/"/>
internal sealed class CanonicalComposition : Normalizer
{
    // Hangul syllables are composed by arithmetic: consonant L, vowel V, optional consonant T.
    private const int SyllableBase = 0xAC00, LBase = 0x1100, VBase = 0x1161, TBase = 0x11A7, LCount = 19, VCount = 21,
        TCount = 28, SyllableCount = LCount * VCount * TCount;

    private static CanonicalData Data => CanonicalData.Instance;

    public override ReadOnlySpan<byte> Normalize(ReadOnlySpan<byte> text)
    {
        // Below U+0300, whose first byte is 0xCC, every text is in form C.
        if (text.IndexOfAnyInRange((byte)0xCC, (byte)0xFF) < 0)
            return text;
        ArrayBufferWriter<byte>? result = null;
        int written = 0, boundary = 0; // copied up to there; begin of the last character that text can be cut before
        for (int position = 0; position < text.Length;)
        {
            int codePoint = CodePointAt(text, position, out int length);
            if (!IsUnstable(codePoint))
            {
                boundary = position;
                position += length;
                continue;
            }
            int end = SegmentEnd(text, position);
            result ??= new ArrayBufferWriter<byte>(text.Length + 16);
            result.Write(text[written..boundary]);
            Compose(text[boundary..end], result);
            written = boundary = position = end;
        }
        if (result is null)
            return text;
        result.Write(text[written..]);
        return result.WrittenSpan;
    }

    private static int SegmentEnd(ReadOnlySpan<byte> text, int position)
    {
        while (position < text.Length && IsUnstable(CodePointAt(text, position, out int length)))
            position += length;
        return position;
    }

    // Invalid bytes are -1: no character.
    private static int CodePointAt(ReadOnlySpan<byte> text, int position, out int length)
    {
        if (Rune.DecodeFromUtf8(text[position..], out var rune, out length) == OperationStatus.Done)
            return rune.Value;
        length = 1;
        return -1;
    }

    private static bool IsUnstable(int codePoint) => codePoint >= 0x300
        && (codePoint is > VBase - 1 and < VBase + VCount or > TBase and < TBase + TCount
            || Data.Unstable.Contains(codePoint));

    private static void Compose(ReadOnlySpan<byte> segment, ArrayBufferWriter<byte> result)
    {
        var characters = new List<(int CodePoint, int Class)>();
        int start = 0;
        if (CodePointAt(segment, 0, out int length) < 0) // an invalid byte before marks
        {
            result.Write(segment[..1]);
            start = 1;
        }
        for (int position = start; position < segment.Length; position += length)
            Decompose(CodePointAt(segment, position, out length), characters);
        Span<byte> utf8 = stackalloc byte[4];
        foreach (int codePoint in Recompose(Sorted(characters)))
            result.Write(utf8[..new Rune(codePoint).EncodeToUtf8(utf8)]);
    }

    private static void Decompose(int codePoint, List<(int CodePoint, int Class)> destination)
    {
        int syllable = codePoint - SyllableBase;
        if (syllable is >= 0 and < SyllableCount)
        {
            destination.Add((LBase + syllable / (VCount * TCount), 0));
            destination.Add((VBase + syllable / TCount % VCount, 0));
            if (syllable % TCount > 0)
                destination.Add((TBase + syllable % TCount, 0));
        }
        else if (Data.Decompositions.TryGetValue(codePoint, out int[]? parts))
            foreach (int part in parts)
                Decompose(part, destination);
        else
            destination.Add((codePoint, Data.Classes.GetValueOrDefault(codePoint)));
    }

    // Marks between two characters of class 0 in the order of their classes.
    private static (int CodePoint, int Class)[] Sorted(List<(int CodePoint, int Class)> characters)
    {
        int run = 0;
        return [.. characters.Select(c => (c.CodePoint, c.Class, Run: c.Class == 0 ? ++run : run))
            .OrderBy(c => c.Run).ThenBy(c => c.Class).Select(c => (c.CodePoint, c.Class))];
    }

    private static List<int> Recompose((int CodePoint, int Class)[] characters)
    {
        var composed = new List<int>();
        int starter = -1, lastClass = -1; // index of the last of class 0; class of what follows it, -1: nothing
        foreach (var (codePoint, kind) in characters)
        {
            bool isBlocked = starter < 0 || (lastClass >= 0 && lastClass >= kind);
            if (!isBlocked && TryCompose(composed[starter], codePoint, out int both))
            {
                composed[starter] = both;
                continue;
            }
            composed.Add(codePoint);
            (starter, lastClass) = kind == 0 ? (composed.Count - 1, -1) : (starter, kind);
        }
        return composed;
    }

    private static bool TryCompose(int first, int second, out int both)
    {
        int l = first - LBase, v = second - VBase, syllable = first - SyllableBase, t = second - TBase;
        bool isPair = l is >= 0 and < LCount && v is >= 0 and < VCount;
        if (isPair || (syllable is >= 0 and < SyllableCount && syllable % TCount == 0 && t is > 0 and < TCount))
        {
            both = isPair ? SyllableBase + (l * VCount + v) * TCount : first + t;
            return true;
        }
        return Data.Compositions.TryGetValue((first, second), out both);
    }
}
