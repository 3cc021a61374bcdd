using System.Text;
using S2ILGPU.Core.Tests.Corpora;
using S2ILGPU.Models;
using S2ILGPU.Storage;
using S2ILGPU.TestSupport;
using S2ILGPU.Tokenizers;
using Xunit;

namespace S2ILGPU.Core.Tests.Tokenizers;

public sealed class TiktokenReaderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    // Ids: 0 to 255 the bytes, 256 ab, 257 bc, 258 abc, 259 abcd, 260 "  ".
    [Theory]
    [InlineData("ab", new[] { 256 })]
    [InlineData("abc", new[] { 258 })]
    [InlineData("xabc", new[] { 'x', 258 })]
    [InlineData("abcd", new[] { 259 })] // a whole piece that is a token
    [InlineData("abcbcd", new[] { 258, 257, 'd' })]
    [InlineData("   a", new[] { 260, ' ', 'a' })]
    [InlineData("<|>", new int[] { '<', '|', '>' })]
    public void Merges_by_rank(string text, int[] expected) =>
        Assert.Equal(expected, BytePairTokenizer.Load(_folder.Write("cl100k_base.tiktoken", HandMade())).Encode(text));

    [Fact]
    public void Knows_the_special_tokens_of_an_encoding()
    {
        var tokenizer = BytePairTokenizer.Load(_folder.Write("cl100k_base.tiktoken", HandMade()));
        Assert.Equal(100257, tokenizer.EndOfText);
        Assert.Equal(100277, tokenizer.VocabularySize);
        Assert.Equal([100276], tokenizer.Encode("<|endofprompt|>", allowSpecial: true));
        Assert.True(tokenizer.TokenBytes(100256).IsEmpty);
        Assert.Equal("a", tokenizer.Decode([100256, 'a', 1000]));
    }

    [Fact]
    public void Reads_the_folder_of_phi_3_small()
    {
        _folder.Write("cl100k_base.tiktoken", HandMade());
        _folder.Write("tokenizer_config.json",
            """{"added_tokens_decoder":{},"tokenizer_class":"Phi3SmallTokenizer","eos_token":"<|endoftext|>"}""");
        var tokenizer = ModelFolder.LoadTokenizer(_folder.FullPath);
        Assert.Equal([100262, 10, 'H', 'i', 100266, 10, 100263],
            tokenizer.Encode("<|user|>\nHi<|end|>\n<|assistant|>", allowSpecial: true));
        tokenizer.Save(_folder["tokenizer.json"]);
        var saved = ModelFolder.LoadTokenizer(_folder.FullPath);
        Assert.Equal(tokenizer.VocabularySize, saved.VocabularySize);
        Assert.Equal([100261, 259], saved.Encode("<|system|>abcd", allowSpecial: true));
    }

    [Fact]
    public void Reads_added_tokens_of_the_configuration()
    {
        _folder.Write("gpt2.tiktoken", HandMade());
        _folder.Write("tokenizer_config.json",
            """{"added_tokens_decoder":{"60001":{"content":"<x>","special":true}}}""");
        Assert.Equal([60001], ModelFolder.LoadTokenizer(_folder.FullPath).Encode("<x>", allowSpecial: true));
    }

    [Theory]
    [InlineData("cl100k_base", "YWI= 7 7\n", "cl100k_base.tiktoken: line 257 is not a token in base64 and its rank")]
    [InlineData("cl100k_base", "YWI=\n", "line 257 is not a token")]
    [InlineData("cl100k_base", "??? 300\n", "line 257 is not a token")]
    [InlineData("cl100k_base", "YWI= -1\n", "line 257 is not a token")]
    [InlineData("cl100k_base", "YQ== 300\n", "line 257 has a token a second time")]
    [InlineData("cl100k_base", "YWI= 7\n", "two tokens have the id 7")]
    [InlineData("cl100k_base", "YWI= 2000000\n", "a token has the id 2000000, but there are only 257 lines")]
    [InlineData("mine", "", "mine.tiktoken: how this encoding splits text is not known, only that of gpt2")]
    public void Says_what_is_wrong(string name, string lines, string expected) => Assert.Contains(expected,
        Assert.Throws<InvalidDataException>(() => BytePairTokenizer.Load(_folder.Write($"{name}.tiktoken",
            string.Concat(Enumerable.Range(0, 256).Select(b => Line([(byte)b], b))) + lines))).Message);

    [Fact]
    public void Says_which_byte_is_missing() => Assert.Contains("lacks the token of the single byte 0x00",
        Assert.Throws<InvalidDataException>(() => BytePairTokenizer.Load(_folder.Write("gpt2.tiktoken", ""))).Message);

    [Fact]
    public void Says_which_file_a_folder_needs()
    {
        Assert.Contains("tokenizer.json",
            Assert.Throws<FileNotFoundException>(() => ModelFolder.LoadTokenizer(_folder.FullPath)).Message);
        _folder.Write("tokenizer.model", "x");
        Assert.Contains("tokenizer.model: files of SentencePiece are not read; the folder needs the tokenizer.json",
            Assert.Throws<InvalidDataException>(() => ModelFolder.LoadTokenizer(_folder.FullPath)).Message);
        _folder.Write("a.tiktoken", "");
        _folder.Write("b.tiktoken", "");
        Assert.Contains("has 2 files *.tiktoken",
            Assert.Throws<InvalidDataException>(() => ModelFolder.LoadTokenizer(_folder.FullPath)).Message);
    }

    [Fact]
    public void Damaged_files_give_only_invalid_data_exception() => Mutation.Fuzz([Encoding.UTF8.GetBytes(HandMade())],
        bytes => TiktokenReader.Parse("gpt2.tiktoken", bytes, []), e => e is InvalidDataException);

    private static string HandMade() => string.Concat(Enumerable.Range(0, 256).Select(b => Line([(byte)b], b)))
        + Line("ab"u8, 256) + Line("bc"u8, 257) + Line("abc"u8, 258) + Line("abcd"u8, 259) + Line("  "u8, 260);

    private static string Line(ReadOnlySpan<byte> token, int rank) => $"{Convert.ToBase64String(token)} {rank}\n";
}
