using System.Text.Json.Nodes;
using S2ILGPU.TestSupport;
using S2ILGPU.Tokenizers;
using Xunit;

namespace S2ILGPU.Core.Tests.Tokenizers;

/// <summary>Tokenizers over characters with byte tokens, as Llama 2's, on examples worked out by hand.</summary>
public sealed class CharacterTokenizerTests : IDisposable
{
    private const string Legacy = """
        "normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},
            {"type":"Replace","pattern":{"String":" "},"content":"▁"}]},"pre_tokenizer":null,
        """;

    private const string NotLegacy = """
        "normalizer":null,"pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":false},
        """;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    // Ids: 0 <unk>, 1 <s>, 2 </s>, 3 to 258 the bytes, 259 ▁, 260 a, 261 b, 262 ▁▁, 263 ▁a, 264 ab, 265 ▁ab.
    [Theory]
    [InlineData(Legacy, "", new int[0])]
    [InlineData(Legacy, "ab", new[] { 265 })]
    [InlineData(Legacy, " ab", new[] { 262, 264 })]
    [InlineData(Legacy, "a b", new[] { 263, 259, 261 })]
    [InlineData(Legacy, "é", new[] { 259, 3 + 0xC3, 3 + 0xA9 })]
    [InlineData(Legacy, "a</s>ab", new[] { 263, 2, 265 })] // each part between tokens gets a prefix
    [InlineData(Legacy, "</s> ab", new[] { 2, 262, 264 })]
    [InlineData(NotLegacy, "ab", new[] { 265 })]
    [InlineData(NotLegacy, " ab", new[] { 265 })] // begins with a space already
    [InlineData(NotLegacy, "a</s>ab", new[] { 263, 2, 264 })] // only the beginning of the text gets one
    public void Encodes_by_hand(string pipeline, string text, int[] expected)
    {
        var tokenizer = Load(pipeline);
        Assert.Equal(expected, tokenizer.Encode(text, allowSpecial: true));
        Assert.Equal([1, .. expected], tokenizer.Encode(text, allowSpecial: true, addSpecial: true));
    }

    [Theory]
    [InlineData(new[] { 265 }, "ab")]
    [InlineData(new[] { 262, 264 }, " ab")]
    [InlineData(new[] { 264, 265 }, "ab ab")]
    [InlineData(new[] { 3 + 0xC3, 3 + 0xA9, 260 }, "éa")]
    [InlineData(new[] { 3 + 0xC3, 260 }, "\uFFFDa")]
    [InlineData(new[] { 1, 265 }, "<s> ab")] // the space stays behind a token
    [InlineData(new int[0], "")]
    public void Decodes_by_hand(int[] ids, string expected)
    {
        var tokenizer = Load(Legacy);
        Assert.Equal(expected, tokenizer.Decode(ids));
        var whole = new TokenStreamDecoder(tokenizer);
        Assert.Equal(expected, string.Concat(ids.Select(whole.Append)) + whole.Finish());
    }

    [Fact]
    public void A_continuation_keeps_its_space()
    {
        var decoder = new TokenStreamDecoder(Load(Legacy), isContinuation: true);
        Assert.Equal(" ab", decoder.Append(265));
    }

    [Fact]
    public void Any_text_without_the_sign_of_a_space_comes_back()
    {
        var random = Seeds.NewRandom();
        var tokenizer = Load(Legacy);
        for (int trial = 0; trial < 500; trial++)
        {
            string text = RandomUnicode.Draw(random, hasHalves: false).Replace("▁", "");
            Assert.True(tokenizer.Decode(tokenizer.Encode(text)) == text, $"{Seeds.Text}: {text}");
        }
    }

    [Fact]
    public void Ends_documents_with_its_own_token()
    {
        var tokenizer = Load(Legacy);
        Assert.Equal(2, tokenizer.EndOfText);
        Assert.Equal([1], tokenizer.Prefix);
        var data = TokenDataset.Create(tokenizer, S2ILGPU.Corpora.Corpus.FromText("ab", "b"));
        Assert.Equal([1, 265, 2, 1, 259, 261, 2], data.Tokens.ToArray());
    }

    [Theory]
    [InlineData(true, new[] { 0, 260, 0 })]
    [InlineData(false, new[] { 0, 0, 260, 0 })]
    public void Unknown_characters_become_one_token_or_several(bool fuses, int[] expected)
    {
        var tokenizer = Load("", model =>
        {
            model["byte_fallback"] = false;
            model["fuse_unk"] = fuses;
        });
        Assert.Equal(expected, tokenizer.Encode("xya数"));
        Assert.Equal([260], Load("", model =>
        {
            model["byte_fallback"] = false;
            model["unk_token"] = null;
        }).Encode("xya数"));
    }

    private BytePairTokenizer Load(string pipeline, Action<JsonNode>? change = null)
    {
        var vocabulary = new JsonObject();
        foreach (string token in (string[])["<unk>", "<s>", "</s>",
            .. Enumerable.Range(0, 256).Select(b => $"<0x{b:X2}>"), "▁", "a", "b", "▁▁", "▁a", "ab", "▁ab"])
            vocabulary[token] = vocabulary.Count;
        var json = JsonNode.Parse("{" + pipeline + """
            "added_tokens":[{"id":0,"content":"<unk>","special":true},{"id":1,"content":"<s>","special":true},
                {"id":2,"content":"</s>","special":true}],
             "post_processor":{"type":"TemplateProcessing",
                "single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],
                "special_tokens":{"<s>":{"id":"<s>","ids":[1],"tokens":["<s>"]}}},
             "decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},
                {"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]},
             "model":{"type":"BPE","unk_token":"<unk>","fuse_unk":true,"byte_fallback":true,
                "merges":["▁ ▁","▁ a","a b","▁a b","▁ ab"]}}
            """)!;
        json["model"]!["vocab"] = vocabulary;
        change?.Invoke(json["model"]!);
        return BytePairTokenizer.Load(_folder.Write("tokenizer.json", json.ToJsonString()));
    }
}
