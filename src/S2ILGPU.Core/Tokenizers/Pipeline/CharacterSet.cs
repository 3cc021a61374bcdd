using System.Globalization;
using System.Text;

namespace S2ILGPU.Tokenizers.Pipeline;

/// <summary>A set of characters, as a pattern spells it: general categories of Unicode and ranges of code points, or
/// all others.</summary>
/// <remarks>A byte that is not part of valid UTF-8 counts as the character U+FFFD of that one byte.</remarks>
internal sealed class CharacterSet
{
    private const int AllCategories = (1 << 30) - 1;

    private readonly int _categories; // bit n is the UnicodeCategory n
    private readonly (int First, int Last)[] _ranges;
    private readonly bool _isNegated;
    private readonly bool[] _ascii = new bool[0x80];

    private CharacterSet(int categories, (int First, int Last)[] ranges, bool isNegated)
    {
        (_categories, _ranges, _isNegated) = (categories, ranges, isNegated);
        for (int c = 0; c < _ascii.Length; c++)
            _ascii[c] = Contains(c);
    }

    /// <summary>White space, <c>\s</c>.</summary>
    public static CharacterSet Space { get; } = new(CategoriesOf("Z"), [('\t', '\r'), (0x85, 0x85)], false);

    /// <summary>What <see cref="Space"/> has not: <c>\S</c>, spelled without negation so that it can be part of a
    /// union.</summary>
    public static CharacterSet NotSpace { get; } = new(AllCategories & ~CategoriesOf("Z") & ~CategoriesOf("Cc"),
        [(0, 8), (0xE, 0x1F), (0x7F, 0x84), (0x86, 0x9F)], false);

    /// <summary>What words consist of, <c>\w</c>: Unicode's alphabetic characters, some symbols among them, marks,
    /// digits and connectors.</summary>
    public static CharacterSet Word { get; } = new(
        CategoriesOf("L") | CategoriesOf("M") | CategoriesOf("Nd") | CategoriesOf("Nl") | CategoriesOf("Pc"),
        [(0x24B6, 0x24E9), (0x1F130, 0x1F149), (0x1F150, 0x1F169), (0x1F170, 0x1F189)], false);

    /// <summary>A range of code points, both ends included.</summary>
    public static CharacterSet Range(int first, int last) => new(0, [(first, last)], false);

    /// <summary>A letter in both cases. Unicode folds the long s and the Kelvin sign onto s and k.</summary>
    public static CharacterSet EitherCase(int codePoint)
    {
        var rune = new Rune(codePoint);
        int lower = Rune.ToLowerInvariant(rune).Value, upper = Rune.ToUpperInvariant(rune).Value;
        int other = lower switch { 's' => 0x17F, 'k' => 0x212A, _ => codePoint };
        return new CharacterSet(0, [(codePoint, codePoint), (lower, lower), (upper, upper), (other, other)], false);
    }

    /// <summary>A general category, as <c>L</c> or <c>Lu</c>; null where there is none of that name.</summary>
    public static CharacterSet? Category(string name, bool isNegated)
    {
        int categories = CategoriesOf(name);
        return categories == 0 ? null
            : new CharacterSet(isNegated ? AllCategories & ~categories : categories, [], false);
    }

    /// <summary>The characters of several sets, none of which may be the result of a negation here.</summary>
    public static CharacterSet Union(IEnumerable<CharacterSet> sets, bool isNegated)
    {
        CharacterSet[] all = [.. sets];
        return new CharacterSet(all.Aggregate(0, (mask, set) => mask | set._categories),
            [.. all.SelectMany(set => set._ranges).Distinct()], isNegated);
    }

    /// <summary>Bytes of the character at a position if the set has it, otherwise 0.</summary>
    public int LengthAt(ReadOnlySpan<byte> text, int position)
    {
        byte first = text[position];
        return first < 0x80 ? _ascii[first] ? 1 : 0
            : Contains(CodePointAt(text, position, out int length)) ? length : 0;
    }

    /// <summary>Whether a character of the set may begin with a byte.</summary>
    public bool CanBeginWith(byte first) => first >= 0x80 || _ascii[first];

    /// <summary>The character at a position.</summary>
    public static int CodePointAt(ReadOnlySpan<byte> text, int position, out int length)
    {
        if (Rune.DecodeFromUtf8(text[position..], out var rune, out length) == System.Buffers.OperationStatus.Done)
            return rune.Value;
        length = 1;
        return Rune.ReplacementChar.Value;
    }

    /// <summary>Where the character begins that ends at <paramref name="end"/>.</summary>
    public static int StartBefore(ReadOnlySpan<byte> text, int end) =>
        text[end - 1] >= 0x80 && Rune.DecodeLastFromUtf8(text[..end], out _, out int length)
            == System.Buffers.OperationStatus.Done ? end - length : end - 1;

    private bool Contains(int codePoint)
    {
        bool found = (_categories >> (int)CharUnicodeInfo.GetUnicodeCategory(codePoint) & 1) != 0;
        foreach (var (first, last) in _ranges)
            found |= codePoint >= first && codePoint <= last;
        return found != _isNegated;
    }

    // The order of UnicodeCategory.
    private static int CategoriesOf(string name)
    {
        string[] names = ["Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Zs", "Zl", "Zp", "Cc",
            "Cf", "Cs", "Co", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Cn"];
        int categories = 0;
        for (int i = 0; i < names.Length; i++)
            if (names[i] == name || (name.Length == 1 && names[i][0] == name[0]))
                categories |= 1 << i;
        return categories;
    }
}
