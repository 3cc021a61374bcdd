using System.Text;
using System.Text.Json.Nodes;
using S2ILGPU.TestSupport;
using S2ILGPU.Tokenizers;
using Xunit;

namespace S2ILGPU.Core.Tests.Tokenizers;

/// <summary>What holds for tokenizers of every kind.</summary>
public sealed class TokenizerKindTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> Kinds => [.. RandomTokenizer.Kinds];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Streamed_text_is_the_whole_text(string kind)
    {
        TestScale.SkipUnlessDrawn(2);
        var random = Seeds.NewRandom();
        var tokenizer = Load(kind, random);
        var decoder = new TokenStreamDecoder(tokenizer);
        for (int trial = 0; trial < 300; trial++)
        {
            int[] ids = trial % 2 == 0 ? tokenizer.Encode(RandomUnicode.Draw(random), addSpecial: true)
                : [.. Enumerable.Range(0, random.Next(12)).Select(_ => random.Next(tokenizer.VocabularySize))];
            string streamed = string.Concat(ids.Select(decoder.Append)) + decoder.Finish();
            Assert.True(tokenizer.Decode(ids) == streamed, $"{Seeds.Text}: {string.Join(' ', ids)}");
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_tokenizer_comes_back_from_its_file(string kind)
    {
        TestScale.SkipUnlessDrawn(2);
        var random = Seeds.NewRandom();
        var tokenizer = Load(kind, random);
        tokenizer.Save(_folder["a.json"]);
        var loaded = BytePairTokenizer.Load(_folder["a.json"]);
        loaded.Save(_folder["b.json"]);
        Assert.Equal(File.ReadAllText(_folder["a.json"]), File.ReadAllText(_folder["b.json"]));
        for (int trial = 0; trial < 200; trial++)
        {
            string text = RandomUnicode.Draw(random);
            Assert.True(tokenizer.Encode(text, true, true).SequenceEqual(loaded.Encode(text, true, true)),
                $"{Seeds.Text}: {text}");
        }
    }

    // Inside a word it is none, and the vocabulary has no such character: what stands there are its bytes.
    [Fact]
    public void An_added_token_of_whole_words_is_no_piece_of_one_after_saving()
    {
        var json = RandomTokenizer.Draw("llama2", Seeds.NewRandom());
        int added = json["model"]!["vocab"]!.AsObject().Count + 100;
        json["added_tokens"] = new JsonArray(new JsonObject
        {
            ["id"] = added,
            ["content"] = "\uA4D0",
            ["single_word"] = true,
            ["special"] = false,
        });
        json["post_processor"] = null;
        var tokenizer = BytePairTokenizer.Load(_folder.Write("tokenizer.json", json.ToJsonString()));
        tokenizer.Save(_folder["saved.json"]);
        foreach (var one in (BytePairTokenizer[])[tokenizer, BytePairTokenizer.Load(_folder["saved.json"])])
        {
            foreach (string text in (string[])["x\uA4D0", "\u200C\uA4D0", "\uA4D0\u200D"])
                Assert.DoesNotContain(added, one.Encode(text));
            Assert.Contains(added, one.Encode("x \uA4D0"));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Of_added_tokens_with_one_normalized_text_the_special_one_is_found(bool isSpecialFirst)
    {
        var json = RandomTokenizer.Draw("gemma", Seeds.NewRandom());
        var vocabulary = json["model"]!["vocab"]!.AsObject();
        int next = vocabulary.Count, signs = vocabulary["▁▁"]?.GetValue<int>() ?? next + 2;
        JsonObject[] added = [Added("▁▁", signs, isSpecial: false), Added("  ", next + 1, isSpecial: true)];
        json["added_tokens"] = new JsonArray([Added("<s>", next, isSpecial: true),
            .. isSpecialFirst ? added.Reverse() : added]);
        json["post_processor"] = null;
        var tokenizer = BytePairTokenizer.Load(_folder.Write("tokenizer.json", json.ToJsonString()));
        foreach (string text in (string[])["  ", "▁▁"])
        {
            Assert.Equal([next + 1], tokenizer.Encode(text, allowSpecial: true));
            Assert.Equal([signs], tokenizer.Encode(text));
        }

        static JsonObject Added(string text, int id, bool isSpecial) => new()
        {
            ["id"] = id,
            ["content"] = text,
            ["normalized"] = true,
            ["special"] = isSpecial,
        };
    }

    // Added tokens that strip white space lose it, so texts have none of them; some kinds lose more by what they are.
    [Theory]
    [InlineData("gpt2")]
    [InlineData("llama3")]
    [InlineData("deepseek")]
    [InlineData("starcoder")]
    public void Byte_level_tokenizers_lose_nothing(string kind)
    {
        var random = Seeds.NewRandom();
        var json = RandomTokenizer.Draw(kind, random);
        json["added_tokens"]!.AsArray().RemoveAll(token => (bool)token!["lstrip"]! || (bool)token["rstrip"]!);
        json["post_processor"] = null;
        var tokenizer = BytePairTokenizer.Load(_folder.Write("t.json", json.ToJsonString()));
        for (int trial = 0; trial < 500; trial++)
        {
            byte[] bytes = RandomText.Bytes(random, random.Next(100));
            foreach (bool allowSpecial in (bool[])[false, true])
                Assert.True(tokenizer.DecodeBytes(tokenizer.EncodeBytes(bytes, allowSpecial)).SequenceEqual(bytes),
                    $"{Seeds.Text}: {Convert.ToHexString(bytes)}");
        }
    }

    // A cost that grows with the square of the length would take hours.
    [Theory]
    [MemberData(nameof(Kinds))]
    public void Long_inputs_take_few_steps(string kind)
    {
        TestScale.SkipUnlessDrawn(3);
        var random = Seeds.NewRandom();
        var tokenizer = Load(kind, random);
        int length = TestScale.IsFull ? 10_000_000 : 300_000;
        foreach (string run in TestScale.Part(["a", " ", "\n", "<", "'", "\u0301", "数", "e\u0301"], 2))
        {
            byte[] text = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(run, length / run.Length)));
            Assert.InRange(tokenizer.EncodeBytes(text, allowSpecial: true).Length, 0, text.Length + 2);
        }
    }

    private BytePairTokenizer Load(string kind, Random random) =>
        BytePairTokenizer.Load(_folder.Write("tokenizer.json", RandomTokenizer.Draw(kind, random).ToJsonString()));
}
