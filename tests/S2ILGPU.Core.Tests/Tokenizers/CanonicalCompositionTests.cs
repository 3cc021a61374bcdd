using System.Text;
using S2ILGPU.TestSupport;
using S2ILGPU.Tokenizers.Pipeline;
using Xunit;

namespace S2ILGPU.Core.Tests.Tokenizers;

public sealed class CanonicalCompositionTests
{
    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("e\u0301", "é")]
    [InlineData("é\u0323", "\u1EB9\u0301")] // taken apart and put in order
    [InlineData("a\u0301\u0323", "\u1EA1\u0301")]
    [InlineData("a\u0301\u0301", "á\u0301")] // the second is blocked
    [InlineData("\u212B", "Å")]
    [InlineData("\u0958", "\u0915\u093C")] // does not compose again
    [InlineData("\u0344", "\u0308\u0301")]
    [InlineData("\u1112\u1161\u11AB", "한")]
    [InlineData("하\u11AB", "한")]
    [InlineData("한\u11AB", "한\u11AB")]
    [InlineData("\u0DD9\u0DCF\u0DCA", "\u0DDD")] // in two steps
    [InlineData("\u0301a", "\u0301a")]
    [InlineData("\uF900", "\u8C48")]
    [InlineData("\U0001D15E", "\U0001D157\U0001D165")]
    public void Composes_as_unicode_says(string text, string expected) => Assert.Equal(expected, Normalize(text));

    [Fact]
    public void Normal_text_stays_normal()
    {
        var random = Seeds.NewRandom();
        for (int trial = 0; trial < 2000; trial++)
        {
            string text = Normalize(RandomUnicode.Draw(random, hasHalves: false));
            Assert.True(Normalize(text) == text, $"{Seeds.Text}: {text}");
        }
    }

    [Fact]
    public void Invalid_bytes_stay()
    {
        byte[] bytes = [0xFF, .. "e\u0301"u8, 0xCC, .. "\u0301"u8, 0xE2, 0x82];
        Assert.Equal([0xFF, .. "é"u8, 0xCC, .. "\u0301"u8, 0xE2, 0x82],
            new CanonicalComposition().Normalize(bytes).ToArray());
    }

    private static string Normalize(string text) =>
        Encoding.UTF8.GetString(new CanonicalComposition().Normalize(Encoding.UTF8.GetBytes(text)));
}
