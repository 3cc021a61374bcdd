using System.Text;
using S2ILGPU.Core.Tests.Corpora;
using S2ILGPU.Corpora;
using S2ILGPU.Tokenizers;
using Xunit;

namespace S2ILGPU.Core.Tests.Tokenizers;

public sealed class BytePairTokenizerTests
{
    [Fact]
    public void Any_bytes_come_back()
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        var tokenizer = RandomText.Tokenizer(random);
        for (int trial = 0; trial < 1000; trial++)
        {
            byte[] bytes = RandomText.Bytes(random, random.Next(200));
            foreach (bool allowSpecial in (bool[])[false, true])
            {
                int[] ids = tokenizer.EncodeBytes(bytes, allowSpecial);
                Assert.True(tokenizer.DecodeBytes(ids).SequenceEqual(bytes),
                    $"seed {seed}: {Convert.ToHexString(bytes)}");
                Assert.True(allowSpecial || !ids.Any(tokenizer.IsSpecial),
                    $"seed {seed}: {Convert.ToHexString(bytes)} gave a special token");
            }
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("a")]
    [InlineData("👩‍👩‍👧 naïve\r\n\r\n\tx  ")]
    [InlineData("\0\u0001\uFFFD\uFEFF")]
    public void Text_comes_back(string text)
    {
        var tokenizer = RandomText.Tokenizer(new Random(1));
        Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)));
    }

    [Fact]
    public void Long_runs_round_trip()
    {
        var trainer = new BytePairTrainer();
        trainer.Add(
            Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa abab\n", 50))));
        var tokenizer = trainer.Build(300);
        foreach (string run in (string[])["a", "ab", " ", "\n", "-", "é"])
        {
            byte[] bytes = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(run, 300_000)));
            int[] ids = tokenizer.EncodeBytes(bytes);
            Assert.True(tokenizer.DecodeBytes(ids).SequenceEqual(bytes), run);
        }
    }

    // Scan, heap and the definition, on pieces of all lengths around the switch.
    [Fact]
    public void Merges_like_the_definition()
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        var trainer = new BytePairTrainer();
        for (int i = 0; i < 300; i++)
            trainer.Add(Encoding.UTF8.GetBytes(Letters(random, 12)));
        var vocabulary = trainer.Build(320).Vocabulary;
        var table = new PairTable(vocabulary.Merges.Count);
        for (int rank = 0; rank < vocabulary.Merges.Count; rank++)
            table.TryAdd(vocabulary.Merges[rank].Left, vocabulary.Merges[rank].Right, rank,
                vocabulary.Merges[rank].Merged);
        for (int length = 1; length <= 200; length++)
        {
            int[] ids = [.. Letters(random, length).Select(c => (int)c)], scanned = (int[])ids.Clone(),
                heaped = (int[])ids.Clone();
            int[] expected = [.. MergeByDefinition(vocabulary, [.. ids])];
            int[] byHeap = heaped[..PieceMerger.MergeByHeap(table, heaped)];
            Assert.True(expected.SequenceEqual(byHeap), $"seed {seed}, length {length}: heap");
            int[] chosen = scanned[..PieceMerger.Merge(table, scanned)];
            Assert.True(expected.SequenceEqual(chosen), $"seed {seed}, length {length}: scan");
        }
    }

    [Fact]
    public void Special_tokens_are_tokens_only_where_allowed()
    {
        var trainer = new BytePairTrainer();
        trainer.Add("some text"u8);
        var tokenizer = trainer.Build(262, ["<|end|>", "<|end|>>", "<|user|>"]);
        int end = tokenizer.SpecialTokens["<|end|>"], longer = tokenizer.SpecialTokens["<|end|>>"],
            user = tokenizer.SpecialTokens["<|user|>"];
        Assert.Equal([user, 'a', end, end, longer, 'b', end],
            tokenizer.Encode("<|user|>a<|end|><|end|><|end|>>b<|end|>", allowSpecial: true));
        Assert.All(tokenizer.Encode("<|user|>a<|end|>"), id => Assert.False(tokenizer.IsSpecial(id)));
        Assert.Equal("<|user|>a", tokenizer.Decode([user, 'a']));
        Assert.Null(tokenizer.EndOfText);
    }

    // The ids are those that Hugging Face's library gives.
    [Theory]
    [InlineData("a  b<x>c", new[] { 97, 257, 98, 258, 99 })]
    [InlineData("<x", new[] { 60, 120 })]
    [InlineData("a   b", new[] { 97, 257, 32, 98 })]
    [InlineData("<x><|endoftext|>", new[] { 258, 60, 124, 101, 110, 100, 111, 102, 116, 101, 120, 116, 124, 62 })]
    [InlineData("", new int[0])]
    public void Added_tokens_that_are_not_special_are_tokens_in_every_text(string text, int[] expected)
    {
        var tokenizer = WithAdded(("  ", false, false), ("<x>", false, false));
        Assert.Equal(expected, tokenizer.Encode(text));
        Assert.Equal(text, tokenizer.Decode(expected));
        Assert.False(tokenizer.IsSpecial(257));
        Assert.Equal(["<|endoftext|>"], tokenizer.SpecialTokens.Keys);
    }

    [Fact]
    public void Added_tokens_without_normalization_come_first()
    {
        var tokenizer = WithAdded(("ab", false, true), ("bc", false, false), ("abcd", true, false));
        Assert.Equal(['a', 258], tokenizer.Encode("abc"));
        Assert.Equal([257, 'd'], tokenizer.Encode("abd"));
        Assert.Equal(['a', 258, 'd'], tokenizer.Encode("abcd"));
        Assert.Equal([259], tokenizer.Encode("abcd", allowSpecial: true));
    }

    private static BytePairTokenizer WithAdded(params (string Text, bool IsSpecial, bool IsNormalized)[] added)
    {
        var bytes = new BytePairTrainer().Build(257).Vocabulary;
        return new BytePairTokenizer(new BytePairVocabulary
        {
            Tokens = [.. bytes.Tokens, .. added.Select(token => Encoding.UTF8.GetBytes(token.Text))],
            Merges = bytes.Merges,
            AddedTokens = [.. bytes.AddedTokens, .. added.Select((token, i) =>
                new AddedToken(token.Text, 257 + i, token.IsSpecial, token.IsNormalized))],
        });
    }

    [Fact]
    public void End_of_text_is_the_last_id()
    {
        var tokenizer = RandomText.Tokenizer(new Random(2), 400);
        Assert.Equal(400, tokenizer.VocabularySize);
        Assert.Equal(399, tokenizer.EndOfText);
        Assert.True(tokenizer.IsSpecial(399));
        Assert.Equal(["<|endoftext|>"], tokenizer.SpecialTokens.Keys);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(400)]
    public void Names_an_id_that_is_not_there(int id)
    {
        var tokenizer = RandomText.Tokenizer(new Random(2), 400);
        Assert.Equal($"token id {id} is not in the vocabulary of 400",
            Assert.Throws<ArgumentException>(() => tokenizer.Decode([1, id])).Message);
    }

    [Fact]
    public void Streamed_text_is_the_whole_text()
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        var tokenizer = RandomText.Tokenizer(random, 257); // single bytes: every character is spread over its tokens
        for (int trial = 0; trial < 200; trial++)
        {
            int[] ids = tokenizer.EncodeBytes(RandomText.Bytes(random, random.Next(40)));
            var decoder = new TokenStreamDecoder(tokenizer);
            string streamed = string.Concat(ids.Select(decoder.Append)) + decoder.Finish();
            Assert.True(tokenizer.Decode(ids) == streamed, $"seed {seed}: {string.Join(' ', ids)}");
        }
        var emoji = new TokenStreamDecoder(tokenizer);
        Assert.Equal(["", "", "", "😀"], "😀"u8.ToArray().Select(b => emoji.Append(b)));
    }

    [Fact]
    public void Threads_share_a_tokenizer()
    {
        int seed = Random.Shared.Next();
        var tokenizer = RandomText.Tokenizer(new Random(seed));
        string[] texts = [.. Enumerable.Range(0, 64).Select(i => RandomText.Mixed(new Random(seed + i), 500))];
        int[][] expected = [.. texts.Select(text => tokenizer.Encode(text))];
        var fresh = RandomText.Tokenizer(new Random(seed));
        var actual = new int[texts.Length][];
        Parallel.For(0, texts.Length, i => actual[i] = fresh.Encode(texts[i]));
        for (int i = 0; i < texts.Length; i++)
            Assert.True(expected[i].SequenceEqual(actual[i]), $"seed {seed}, text {i}");
    }

    private static string Letters(Random random, int length) =>
        new([.. Enumerable.Range(0, length).Select(_ => (char)('a' + random.Next(3)))]);

    private static List<int> MergeByDefinition(BytePairVocabulary vocabulary, List<int> ids)
    {
        for (int rank = 0; rank < vocabulary.Merges.Count;)
        {
            // The lowest rank that occurs, its leftmost occurrence; afterwards lower ranks may occur again.
            var (left, right, merged) = vocabulary.Merges[rank];
            int at = Enumerable.Range(0, Math.Max(0, ids.Count - 1))
                .FirstOrDefault(i => ids[i] == left && ids[i + 1] == right, -1);
            if (at < 0)
            {
                rank++;
                continue;
            }
            ids[at] = merged;
            ids.RemoveAt(at + 1);
            rank = 0;
        }
        return ids;
    }
}
