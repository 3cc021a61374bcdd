using S2ILGPU.Core.Tests.Corpora;
using S2ILGPU.Corpora;
using S2ILGPU.Tokenizers;
using Xunit;

namespace S2ILGPU.Core.Tests.Tokenizers;

public sealed class ByteLevelAlphabetTests
{
    [Theory]
    [InlineData(' ', "Ġ")]
    [InlineData('\n', "Ċ")]
    [InlineData('\t', "ĉ")]
    [InlineData('\r', "č")]
    [InlineData('\0', "Ā")]
    [InlineData('!', "!")]
    [InlineData('~', "~")]
    [InlineData(0x7F, "ġ")]
    [InlineData(0x80, "Ģ")]
    [InlineData(0xA0, "ł")]
    [InlineData(0xA1, "¡")]
    [InlineData(0xAC, "¬")]
    [InlineData(0xAD, "Ń")]
    [InlineData(0xAE, "®")]
    [InlineData(0xFF, "ÿ")]
    public void Is_that_of_gpt_2(int value, string character) =>
        Assert.Equal(character, ByteLevelAlphabet.Encode([(byte)value]));

    [Fact]
    public void Every_byte_has_its_own_character()
    {
        byte[] all = [.. Enumerable.Range(0, 256).Select(b => (byte)b)];
        string text = ByteLevelAlphabet.Encode(all);
        Assert.Equal(256, text.Distinct().Count());
        Assert.Equal(all, ByteLevelAlphabet.TryDecode(text));
        Assert.DoesNotContain(text, c => char.IsWhiteSpace(c) || char.IsControl(c));
    }

    [Theory]
    [InlineData(" ")]
    [InlineData("a\u00A0")]
    [InlineData("\u0144")]
    [InlineData("数")]
    public void Other_characters_are_not_in_it(string text) => Assert.Null(ByteLevelAlphabet.TryDecode(text));
}
