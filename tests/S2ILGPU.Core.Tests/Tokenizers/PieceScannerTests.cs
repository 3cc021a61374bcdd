using System.Text;
using System.Text.RegularExpressions;
using S2ILGPU.Core.Tests.Corpora;
using S2ILGPU.Corpora;
using S2ILGPU.Tokenizers;
using Xunit;

namespace S2ILGPU.Core.Tests.Tokenizers;

public sealed class PieceScannerTests
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
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        for (int trial = 0; trial < 2000; trial++)
        {
            string text = trial % 2 == 0 ? RandomText.Mixed(random, 20)
                : new string([.. Enumerable.Range(0, 30).Select(_ => RandomCharacter(random))]);
            var expected = Regex.Matches(text, PieceScanner.Pattern).Select(m => m.Value);
            var actual = Split(Encoding.UTF8.GetBytes(text)).Select(Encoding.UTF8.GetString);
            Assert.True(expected.SequenceEqual(actual),
                $"seed {seed}, '{text}': expected {string.Join('|', expected)}, got {string.Join('|', actual)}");
        }
    }

    [Fact]
    public void Any_bytes_are_pieces()
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        for (int trial = 0; trial < 2000; trial++)
        {
            byte[] bytes = RandomText.Bytes(random, random.Next(60));
            Assert.True(Split(bytes).SelectMany(p => p).SequenceEqual(bytes),
                $"seed {seed}: {Convert.ToHexString(bytes)}");
        }
        Assert.Equal(["a"u8.ToArray(), [0xFF, 0xC3, (byte)'!'], "b"u8.ToArray()],
            Split([(byte)'a', 0xFF, 0xC3, (byte)'!', (byte)'b']));
    }

    private static char RandomCharacter(Random random)
    {
        char c = (char)random.Next(random.Next(2) == 0 ? 0x80 : 0x10000);
        return char.IsSurrogate(c) ? '\'' : c;
    }

    private static List<byte[]> Split(byte[] text)
    {
        var pieces = new List<byte[]>();
        for (int start = 0; start < text.Length;)
        {
            int end = PieceScanner.NextEnd(text, start);
            Assert.True(end > start && end <= text.Length, $"piece from {start} to {end} of {text.Length}");
            pieces.Add(text[start..end]);
            start = end;
        }
        return pieces;
    }
}
