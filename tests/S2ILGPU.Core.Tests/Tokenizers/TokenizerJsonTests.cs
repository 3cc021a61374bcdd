using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using S2ILGPU.Core.Tests.Corpora;
using S2ILGPU.Corpora;
using S2ILGPU.Storage;
using S2ILGPU.TestSupport;
using S2ILGPU.Tokenizers;
using S2ILGPU.Tokenizers.Pipeline;
using Xunit;
using JsonValue = System.Text.Json.Nodes.JsonValue;

namespace S2ILGPU.Core.Tests.Tokenizers;

public sealed class TokenizerJsonTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_tokenizer_comes_back()
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        var saved = RandomText.Tokenizer(random, 600);
        saved.Save(_folder["tokenizer.json"]);
        var loaded = BytePairTokenizer.Load(_folder["tokenizer.json"]);
        Assert.Equal(saved.VocabularySize, loaded.VocabularySize);
        Assert.Equal(saved.EndOfText, loaded.EndOfText);
        Assert.True(saved.Vocabulary.Merges.SequenceEqual(loaded.Vocabulary.Merges), $"seed {seed}");
        for (int trial = 0; trial < 200; trial++)
        {
            byte[] bytes = RandomText.Bytes(random, 100);
            Assert.True(saved.EncodeBytes(bytes, true).SequenceEqual(loaded.EncodeBytes(bytes, true)),
                $"seed {seed}: {Convert.ToHexString(bytes)}");
        }
        loaded.Save(_folder["again.json"]);
        Assert.True(File.ReadAllBytes(_folder["tokenizer.json"]).AsSpan()
            .SequenceEqual(File.ReadAllBytes(_folder["again.json"])), $"seed {seed}");
    }

    [Fact]
    public void Writes_what_hugging_face_reads()
    {
        var trainer = new BytePairTrainer();
        trainer.Add("a b a b a b"u8);
        trainer.Build(258).Save(_folder["t"]);
        using var document = JsonDocument.Parse(File.ReadAllBytes(_folder["t"]));
        var root = document.RootElement;
        Assert.Equal("1.0", root.GetProperty("version").GetString());
        Assert.Equal(
            """{"id":257,"content":"<|endoftext|>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}""",
            Compact(root.GetProperty("added_tokens")[0]));
        Assert.Equal("""{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}""",
            Compact(root.GetProperty("pre_tokenizer")));
        Assert.Equal("ByteLevel", root.GetProperty("decoder").GetProperty("type").GetString());
        var model = root.GetProperty("model");
        Assert.Equal("BPE", model.GetProperty("type").GetString());
        Assert.Equal("""["Ġ b"]""", Compact(model.GetProperty("merges")));
        Assert.Equal(256, model.GetProperty("vocab").GetProperty("Ġb").GetInt32());
        Assert.Equal(32, model.GetProperty("vocab").GetProperty("Ġ").GetInt32());
        Assert.Equal(257, model.GetProperty("vocab").GetProperty("<|endoftext|>").GetInt32());
    }

    // The ids of GPT-2: the alphabet in the order of its characters ('!' is 0), then merges; "Ġt" and "he" are its 256
    // and 258 in the same way.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Reads_a_file_of_hugging_face(bool mergesAsPairs)
    {
        var tokenizer = BytePairTokenizer.Load(_folder.Write("t", HandMade(mergesAsPairs).ToJsonString()));
        Assert.Equal(260, tokenizer.VocabularySize);
        Assert.Equal(259, tokenizer.EndOfText);
        Assert.Equal([0], tokenizer.Encode("!"));
        Assert.Equal([32], tokenizer.Encode("A"));
        Assert.Equal([220], tokenizer.Encode(" "));
        Assert.Equal([198], tokenizer.Encode("\n"));
        Assert.Equal([83, 258, 258, 198], tokenizer.Encode("t the the\n"));
        Assert.Equal([259, 257], tokenizer.Encode("<|endoftext|>he", allowSpecial: true));
        Assert.Equal("t the the\n", tokenizer.Decode([83, 258, 258, 198]));
    }

    [Fact]
    public void Reads_other_spellings_of_the_same()
    {
        var json = HandMade(true);
        json["model"]!.AsObject().Remove("type");
        json["decoder"] = null;
        json["pre_tokenizer"] = JsonNode.Parse("""{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true}""");
        json["post_processor"] =
            JsonNode.Parse("""{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":false}""");
        Assert.Equal([258], BytePairTokenizer.Load(_folder.Write("a", json.ToJsonString())).Encode(" the"));
        json["pre_tokenizer"] = new JsonObject
        {
            ["type"] = "Sequence",
            ["pretokenizers"] = new JsonArray(
                new JsonObject
                {
                    ["type"] = "Split",
                    ["pattern"] = new JsonObject { ["Regex"] = SplitPattern.Gpt2.Text },
                    ["behavior"] = "Isolated",
                },
                JsonNode.Parse(
                    """{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}""")),
        };
        Assert.Equal([258], BytePairTokenizer.Load(_folder.Write("b", "\uFEFF" + json.ToJsonString())).Encode(" the"));
        json["model"]!["vocab"]!.AsObject().Remove("<|endoftext|>");
        Assert.Equal(259, BytePairTokenizer.Load(_folder.Write("c", json.ToJsonString())).EndOfText);
    }

    [Fact]
    public void Added_tokens_come_back_as_they_were()
    {
        var json = HandMade(true);
        json["added_tokens"]!.AsArray().Add(JsonNode.Parse("""{"id":260,"content":"  ","special":false}"""));
        json["added_tokens"]!.AsArray()
            .Add(JsonNode.Parse("""{"id":261,"content":"<x>","special":false,"normalized":true}"""));
        var tokenizer = BytePairTokenizer.Load(_folder.Write("a", json.ToJsonString()));
        tokenizer.Save(_folder["b"]);
        foreach (var loaded in (BytePairTokenizer[])[tokenizer, BytePairTokenizer.Load(_folder["b"])])
        {
            Assert.Equal([64, 260, 65, 261, 66], loaded.Encode("a  b<x>c"));
            Assert.Equal([260, 27, 91, 29], loaded.Encode("  <|>"));
        }
        Assert.Equal(tokenizer.Vocabulary.AddedTokens, BytePairTokenizer.Load(_folder["b"]).Vocabulary.AddedTokens);
    }

    [Theory]
    [InlineData("normalizer", """{"type":"Lowercase"}""",
        "normalizer {\"type\":\"Lowercase\"} is not supported, only Sequence, NFC, Prepend and Replace")]
    [InlineData("normalizer", """{"type":"Replace","pattern":{"String":""},"content":"x"}""",
        "normalizer.pattern.String must be a text that is not empty")]
    [InlineData("pre_tokenizer", "null", "decoder {\"type\":\"ByteLevel\"")]
    [InlineData("pre_tokenizer", """{"type":"Whitespace"}""",
        "pre_tokenizer {\"type\":\"Whitespace\"} is not supported, only Sequence, ByteLevel, Split")]
    [InlineData("pre_tokenizer", """{"type":"Sequence","pretokenizers":[{"type":"ByteLevel"},{"type":"Digits"}]}""",
        "pre_tokenizer.pretokenizers[1] comes after a ByteLevel, which must be the last")]
    [InlineData("pre_tokenizer", """{"type":"Split","pattern":{"Regex":"(?<=a)b"},"behavior":"Isolated"}""",
        "pre_tokenizer.pattern.Regex (?<=a)b is not supported: only groups")]
    [InlineData("pre_tokenizer", """{"type":"Split","pattern":{"Regex":"b"},"behavior":"Kept"}""",
        "pre_tokenizer.behavior must be \"Isolated\" or \"Removed\"")]
    [InlineData("decoder", """{"type":"Metaspace"}""",
        "decoder {\"type\":\"Metaspace\"} does not fit the pre_tokenizer")]
    [InlineData("post_processor", """{"type":"BertProcessing"}""",
        "post_processor {\"type\":\"BertProcessing\"} is not supported, only Sequence, ByteLevel")]
    [InlineData("post_processor", """{"type":"TemplateProcessing","single":[{"Sequence":{"id":"B"}}]}""",
        "post_processor.single[0] must be a SpecialToken, or once the Sequence A")]
    [InlineData("post_processor",
        """{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"a"}},{"Sequence":{"id":"A"}}],"special_tokens":{"a":{"ids":[260]}}}""",
        "post_processor adds the id 260, the last token is 259")]
    [InlineData("model.type", "\"WordPiece\"",
        "model.type WordPiece is a kind of tokenizer that is not supported, only BPE")]
    [InlineData("model.type", "\"Unigram\"", "model.type Unigram is a kind of tokenizer that is not supported")]
    [InlineData("model.unk_token", "\"<unk>\"",
        "model.unk_token must be a token of model.vocab, got \"\\u003Cunk\\u003E\"")]
    [InlineData("model.ignore_merges", "1", "ignore_merges must be true or false, got 1")]
    [InlineData("model.dropout", "0.1", "model.dropout must be null or 0, got 0.1")]
    [InlineData("model.end_of_word_suffix", "\"</w>\"",
        "model.end_of_word_suffix must be null or empty, got \"\\u003C/w\\u003E\"")]
    [InlineData("model", "[]", "model must be an object, got []")]
    [InlineData("model.vocab", "7", "model.vocab must be an object, got 7")]
    [InlineData("model.vocab.he", "-1", "model.vocab.he must be an integer from 0 to 2097151, got -1")]
    [InlineData("model.vocab.he", "1.5", "model.vocab.he must be an integer from 0 to 2097151, got 1.5")]
    [InlineData("model.vocab.he", "2000000000", "model.vocab.he must be an integer from 0 to 2097151, got 2000000000")]
    [InlineData("model.vocab.he", "2000000", "the token 'he' has the id 2000000, but there are only 260 tokens")]
    [InlineData("model.vocab.he", "3", "two tokens have the id 3")]
    [InlineData("model.merges", "{}", "model.merges must be an array, got {}")]
    [InlineData("model.merges", """["Ġ"]""", "model.merges[0] must be \"left right\"")]
    [InlineData("model.merges", """["h e x"]""", "model.merges[0] must be \"left right\"")]
    [InlineData("model.merges", """[["h",1]]""", "model.merges[0] must be \"left right\"")]
    [InlineData("model.merges", """["h e","x y"]""",
        "model.merges[1] names 'x', 'y' and 'xy', which must all be in model.vocab")]
    [InlineData("model.merges", """["h e","h e"]""", "model.merges[1] merges 'h' and 'e' a second time")]
    [InlineData("added_tokens", """[{"id":256,"content":"Ġt"}]""",
        "model.merges[0] makes 'Ġt', an added token with other bytes than 'Ġ' and 't' make")]
    [InlineData("added_tokens", "{}", "added_tokens must be an array, got {}")]
    [InlineData("added_tokens", "[3]", "added_tokens[0] must be an object, got 3")]
    [InlineData("added_tokens", """[{"id":259}]""", "added_tokens[0].content is missing")]
    [InlineData("added_tokens", """[{"id":259,"content":""}]""",
        "added_tokens[0].content must be a text that is not empty")]
    [InlineData("added_tokens", """[{"id":5,"content":"<|endoftext|>"}]""",
        "added_tokens[0] '<|endoftext|>' has the id 5, but 259 in model.vocab")]
    [InlineData("added_tokens", """[{"id":259,"content":"<|endoftext|>","lstrip":1}]""",
        "added_tokens[0].lstrip must be true or false, got 1")]
    [InlineData("added_tokens", """[{"id":259,"content":"<|endoftext|>"},{"id":259,"content":"<|endoftext|>"}]""",
        "added_tokens[1] '<|endoftext|>' stands twice")]
    public void Says_what_is_not_supported_and_where(string where, string value, string expected)
    {
        JsonNode json = HandMade(false), parent = json;
        string[] steps = where.Split('.');
        foreach (string step in steps[..^1])
            parent = parent[step]!;
        parent[steps[^1]] = JsonNode.Parse(value);
        AssertBad(json.ToJsonString(), expected);
    }

    [Fact]
    public void Says_which_byte_is_missing()
    {
        var json = HandMade(false);
        json["model"]!["vocab"]!.AsObject().Remove("Ń");
        json["model"]!["vocab"]!["ŃŃ"] = 255;
        AssertBad(json.ToJsonString(), "model.vocab lacks the token 'Ń' of the single byte 0xAD");
    }

    [Theory]
    [InlineData("", "not valid JSON")]
    [InlineData("[]", "the document must be an object, got []")]
    [InlineData("{\"model\":{\"a\":1,\"a\":2}}", "not valid JSON")]
    [InlineData("{\"model\":{\"type\":\"\\ud800\"}}", "a string holds an escape that is no character")]
    public void Says_that_it_is_not_json(string text, string expected) => AssertBad(text, expected);

    [Fact]
    public void Names_the_file_that_is_missing()
    {
        Assert.Contains(_folder["none"],
            Assert.Throws<FileNotFoundException>(() => BytePairTokenizer.Load(_folder["none"])).Message);
        Assert.Contains("is a folder",
            Assert.Throws<FileNotFoundException>(() => BytePairTokenizer.Load(_folder.FullPath)).Message);
        Assert.Contains("not valid UTF-8",
            Assert.Throws<InvalidDataException>(() => BytePairTokenizer.Load(_folder.Write("x", [0xFF]))).Message);
    }

    [Fact]
    public void Damaged_files_give_only_invalid_data_exception()
    {
        byte[][] samples =
            [.. new[] { false, true }.Select(pairs => Encoding.UTF8.GetBytes(HandMade(pairs).ToJsonString()))];
        Mutation.Fuzz(samples, bytes => Use(TokenizerJsonReader.Parse("f", bytes)), e => e is InvalidDataException);

        static void Use(BytePairVocabulary vocabulary)
        {
            var tokenizer = new BytePairTokenizer(vocabulary);
            byte[] text = Encoding.UTF8.GetBytes("the he <|endoftext|> é");
            byte[] decoded = tokenizer.DecodeBytes(tokenizer.EncodeBytes(text, allowSpecial: true));
            // A damaged name of add_prefix_space leaves its default, and lstrip and rstrip take spaces away.
            Assert.EndsWith(WithoutSpaces(text), WithoutSpaces(decoded));
        }
    }

    private static string WithoutSpaces(byte[] text) => Encoding.Latin1.GetString(text).Replace(" ", "");

    private void AssertBad(string json, string expected)
    {
        string path = _folder.Write("bad.json", json);
        string message = Assert.Throws<InvalidDataException>(() => BytePairTokenizer.Load(path)).Message;
        Assert.StartsWith(path, message);
        Assert.Contains(expected, message);
    }

    private static JsonObject HandMade(bool mergesAsPairs)
    {
        var vocabulary = new JsonObject();
        foreach (char c in ByteLevelAlphabet.Encode([.. Enumerable.Range(0, 256).Select(b => (byte)b)]).Order())
            vocabulary[c.ToString()] = vocabulary.Count;
        foreach (string token in (string[])["Ġt", "he", "Ġthe", "<|endoftext|>"])
            vocabulary[token] = vocabulary.Count;
        (string, string)[] merges = [("Ġ", "t"), ("h", "e"), ("Ġt", "he")];
        var json = JsonNode.Parse("""
            {"version":"1.0","truncation":null,"padding":null,"normalizer":null,"post_processor":null,
             "added_tokens":[{"id":259,"special":true,"content":"<|endoftext|>","single_word":false,"lstrip":false,"rstrip":false,"normalized":true}],
             "pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true},
             "decoder":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true},
             "model":{"type":"BPE","dropout":null,"unk_token":null,
                      "continuing_subword_prefix":"","end_of_word_suffix":"","fuse_unk":false,"byte_fallback":false}}
            """)!.AsObject();
        json["model"]!["vocab"] = vocabulary;
        json["model"]!["merges"] = new JsonArray([.. merges.Select(Merge)]);
        return json;

        JsonNode Merge((string Left, string Right) merge) =>
            mergesAsPairs ? new JsonArray(merge.Left, merge.Right) : JsonValue.Create($"{merge.Left} {merge.Right}");
    }

    private static readonly JsonSerializerOptions Relaxed =
        new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static string Compact(JsonElement element) => JsonNode.Parse(element.GetRawText())!.ToJsonString(Relaxed);
}
