using System.Text;
using System.Text.RegularExpressions;
using S2ILGPU.Core.Tests.Corpora;
using S2ILGPU.Corpora;
using S2ILGPU.TestSupport;
using S2ILGPU.Tokenizers.Pipeline;
using Xunit;

namespace S2ILGPU.Core.Tests.Tokenizers;

public sealed class SplitPatternTests
{
    [Theory]
    [InlineData("Hello world", "Hello", " world")]
    [InlineData("it's we'll I'm they've you'd 're don't", "it", "'s", " we", "'ll", " I", "'m", " they", "'ve", " you",
        "'d", " '", "re", " don", "'t")]
    [InlineData("IT'S", "IT", "'", "S")]
    [InlineData("a1b22 333", "a", "1", "b", "22", " 333")]
    [InlineData("x = y;  z", "x", " =", " y", ";", " ", " z")]
    [InlineData("end   ", "end", "   ")]
    [InlineData("a \n b", "a", " \n", " b")]
    [InlineData("a\r\n\tb", "a", "\r\n", "\t", "b")]
    [InlineData("\n\nb", "\n", "\n", "b")]
    [InlineData("naïve Straße数据", "naïve", " Straße数据")]
    [InlineData("½Ⅷ٣ ½", "½Ⅷ٣", " ½")]
    [InlineData("a\u00A0b \u00A0b", "a", "\u00A0", "b", " ", "\u00A0", "b")]
    [InlineData("😀😀!a", "😀😀!", "a")]
    public void Splits_like_gpt_2(string text, params string[] pieces) =>
        Assert.Equal(pieces, Split(Encoding.UTF8.GetBytes(text)).Select(Encoding.UTF8.GetString));

    // .NET's regular expressions agree with the pattern as long as no letter or number needs a surrogate pair.
    [Fact]
    public void Agrees_with_the_regular_expression()
    {
        var random = Seeds.NewRandom();
        for (int trial = 0; trial < 2000; trial++)
        {
            string text = trial % 2 == 0 ? RandomText.Mixed(random, 20)
                : new string([.. Enumerable.Range(0, 30).Select(_ => RandomCharacter(random))]);
            var expected = Regex.Matches(text, SplitPattern.Gpt2.Text).Select(m => m.Value);
            var actual = Split(Encoding.UTF8.GetBytes(text)).Select(Encoding.UTF8.GetString);
            Assert.True(expected.SequenceEqual(actual),
                $"{Seeds.Text}, '{text}': expected {string.Join('|', expected)}, got {string.Join('|', actual)}");
        }
    }

    [Fact]
    public void Any_bytes_are_pieces()
    {
        var random = Seeds.NewRandom();
        for (int trial = 0; trial < 2000; trial++)
        {
            byte[] bytes = RandomText.Bytes(random, random.Next(60));
            Assert.True(Split(bytes).SelectMany(p => p).SequenceEqual(bytes),
                $"{Seeds.Text}: {Convert.ToHexString(bytes)}");
        }
        Assert.Equal(["a"u8.ToArray(), [0xFF, 0xC3, (byte)'!'], "b"u8.ToArray()],
            Split([(byte)'a', 0xFF, 0xC3, (byte)'!', (byte)'b']));
    }

    private static char RandomCharacter(Random random)
    {
        char c = (char)random.Next(random.Next(2) == 0 ? 0x80 : 0x10000);
        return char.IsSurrogate(c) ? '\'' : c;
    }

    // .NET knows no characters beyond the basic plane, so none are drawn.
    [Theory]
    [InlineData(RandomTokenizer.Llama3Pattern)]
    [InlineData(RandomTokenizer.Qwen2Pattern)]
    [InlineData(@"(?i:[sdmt]|ll|ve|re)|(?i)AB|x")]
    [InlineData(@"[^\r\n\p{L}]?+\p{L}++|\p{N}{2,3}|.(?=\n)|\s+$|\P{Lu}{3}|[^\S\n]+|\D")]
    [InlineData(@"(a|bc?|\x41|\u00e9)(?:\.|\P{Ll})?|[\]\-\\x-z!-/]{1,2}\z|[\d_]+")]
    public void Matches_like_the_regular_expression(string pattern)
    {
        var random = Seeds.NewRandom();
        var ours = SplitPattern.Parse(pattern);
        var theirs = new Regex(Regex.Replace(pattern, @"(\[[^\]]*\]|\\p\{.\})([?+])\+", "(?>$1$2)"),
            RegexOptions.CultureInvariant);
        for (int trial = 0; trial < 1000; trial++)
        {
            string text = new([.. RandomUnicode.Draw(random, hasHalves: false)
                .Where(c => !char.IsSurrogate(c) && c is not ('\u017F' or '\u212A'))]);
            byte[] utf8 = Encoding.UTF8.GetBytes(text);
            var expected = theirs.Matches(text).Where(match => match.Length > 0).Select(match => match.Value);
            var actual = new List<string>();
            for (int at = 0; ours.TryFind(utf8, at, out int start, out int end); at = end)
                actual.Add(Encoding.UTF8.GetString(utf8[start..end]));
            Assert.True(expected.SequenceEqual(actual), $"{Seeds.Text}, '{text}': "
                + $"expected {string.Join('|', expected)}, got {string.Join('|', actual)}");
        }
    }

    [Theory]
    [InlineData("a(", "')' is missing")]
    [InlineData("a)", "')' without '('")]
    [InlineData("(?<name>a)", "only groups (?:...), (?i:...), (?=...) and (?!...) are known")]
    [InlineData("(?:ab)+", "a group can be repeated by '?' only")]
    [InlineData("a+?", "a repetition cannot follow a repetition")]
    [InlineData("a{2}+", "a repetition cannot follow a repetition")]
    [InlineData("a{x}", "'{' begins no number of times")]
    [InlineData("a{3,2}", "'{' begins no number of times")]
    [InlineData("*a", "'*' is not supported there")]
    [InlineData("^a", "'^' is not supported there")]
    [InlineData("[a", "a set ends too early")]
    [InlineData("[a&&b]", "uses &&")]
    [InlineData("[a[b]]", "a set inside")]
    [InlineData("[z-a]", "a range needs two characters in their order")]
    [InlineData(@"\p{Han}", "the property 'Han' is not known")]
    [InlineData(@"\pL", "a property needs braces")]
    [InlineData(@"a\", "'\\' ends the pattern")]
    [InlineData(@"\b", "'\\b' is not known")]
    [InlineData(@"\W", "'\\W' is not known")]
    [InlineData(@"\xZZ", "'ZZ' is not the number of a character")]
    public void Says_what_it_does_not_know(string pattern, string expected) =>
        Assert.Contains(expected, Assert.Throws<FormatException>(() => SplitPattern.Parse(pattern)).Message);

    [Fact]
    public void Refuses_groups_without_end() => Assert.Contains("groups inside each other",
        Assert.Throws<FormatException>(() => SplitPattern.Parse(new string('(', 100_000))).Message);

    // Each of these splits text in time that grows with its length.
    [Theory]
    [InlineData(" ")]
    [InlineData("\n")]
    [InlineData("\r\n ")]
    [InlineData("A")]
    [InlineData("a\u0301")]
    [InlineData("'")]
    [InlineData("7")]
    [InlineData("数")]
    public void Long_runs_take_few_steps(string run)
    {
        TestScale.SkipUnlessDrawn(2);
        byte[] text = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(run, 200_000)) + "x");
        foreach (var encoding in S2ILGPU.Tokenizers.TiktokenEncoding.ByName.Values)
            Assert.Equal(text.Length, Split(text, SplitPattern.Parse(encoding.Pattern)).Sum(piece => piece.Length));
    }

    private static List<byte[]> Split(byte[] text) => Split(text, SplitPattern.Gpt2);

    private static List<byte[]> Split(byte[] text, SplitPattern pattern)
    {
        var pieces = new Pieces();
        new PatternSplit(pattern, SplitBehavior.Isolated).Split(text, true, pieces);
        return pieces.All;
    }

    private sealed class Pieces : IPieceReader
    {
        public List<byte[]> All { get; } = [];

        public void Read(ReadOnlySpan<byte> piece, bool isFirst)
        {
            Assert.False(piece.IsEmpty);
            All.Add(piece.ToArray());
        }
    }
}
