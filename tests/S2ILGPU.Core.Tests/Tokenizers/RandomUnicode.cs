using System.Text;

namespace S2ILGPU.Core.Tests.Tokenizers;

/// <summary>Random text of everything that splits differently in some tokenizer: scripts, emoji, combining marks, runs
/// of white space, digits, contractions in both cases, code, long runs, halves of surrogate pairs.</summary>
internal static class RandomUnicode
{
    private static readonly string[] s_words =
    [
        "the", "Hello", "WORLD", "camelCase", "HTTPServer", "don't", "I'LL", "we'Ve", "'s", "'S", "it\u2019s", "O'Re",
        "naïve", "Straße", "ﬁn", "ǅ", "ʰ", "数据", "こんにちは", "カ゛", "привет", "ПРИВЕТ", "שלום", "مرحبا", "नमस्ते",
        "ไทย", "한국어", "\u1112\u1161\u11AB", "𝒜𝒷", "𐐀𐐨", "e\u0301", "a\u0323\u0302", "\u0301", "\u212B",
        "\u1E9B\u0323", "1", "12", "1234567",
        "٣٤", "½", "Ⅷ", "𝟘𝟙", "x86_64", "!?", "...", "--", "=>", "://", "/*", "*/", "</", "{}", "\\n",
        "😀", "👩‍👩‍👧", "🇩🇪", "👍🏽", "▁", "Ġ", "<0x0A>", "<|", "|>", "\u200B", "\u00AD", "\uFEFF", "\uFFFD",
        "\0", "\x7F", "\u017F", "\u212A", "'\u017F",
    ];

    private static readonly string[] s_spaces =
    [
        " ", " ", " ", "  ", "    ", "\n", "\r\n", "\n\n", "\t", " \n", "\n ", "\u00A0", "\u3000", "\u2028",
        "\u0085", "\u200A", "\v", "\f", "",
    ];

    /// <summary>A text of some to many words.</summary>
    /// <param name="random">What to draw from.</param>
    /// <param name="hasHalves">Whether halves of surrogate pairs may be in it.</param>
    public static string Draw(Random random, bool hasHalves = true)
    {
        var text = new StringBuilder();
        for (int words = random.Next(12); words >= 0; words--)
            Append(text, random, hasHalves);
        return text.ToString();
    }

    private static void Append(StringBuilder text, Random random, bool hasHalves)
    {
        switch (random.Next(12))
        {
            case <= 5:
                text.Append(s_words[random.Next(s_words.Length)]).Append(s_spaces[random.Next(s_spaces.Length)]);
                break;
            case <= 7:
                text.Append(s_spaces[random.Next(s_spaces.Length)]);
                break;
            case 8:
                text.Append(AnyRune(random).ToString());
                break;
            case 9:
                for (int n = random.Next(8); n >= 0; n--)
                    text.Append((char)random.Next(0x20, 0x7F));
                break;
            case 10:
                string word = random.Next(2) == 0 ? s_words[random.Next(s_words.Length)]
                    : s_spaces[random.Next(s_spaces.Length)];
                for (int n = random.Next(random.Next(8) == 0 ? 200 : 8); n >= 0; n--)
                    text.Append(word);
                break;
            default:
                if (hasHalves && random.Next(4) == 0)
                    text.Append((char)random.Next(0xD800, 0xE000));
                else // a run of one block: a script
                    for (int first = AnyRune(random).Value & ~0x3F, n = random.Next(8); n >= 0; n--)
                        text.Append(new Rune(first + random.Next(0x40)).ToString());
                break;
        }
    }

    private static Rune AnyRune(Random random)
    {
        int limit = random.Next(4) switch { 0 => 0x250, 1 => 0x3000, 2 => 0x10000, _ => 0x20000 };
        int value = random.Next(limit);
        return Rune.IsValid(value) ? new Rune(value) : new Rune('\'');
    }
}
