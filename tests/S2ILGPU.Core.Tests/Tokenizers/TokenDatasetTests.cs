using System.Text;
using S2ILGPU.Core.Tests.Corpora;
using S2ILGPU.Corpora;
using S2ILGPU.Tokenizers;
using Xunit;

namespace S2ILGPU.Core.Tests.Tokenizers;

public sealed class TokenDatasetTests
{
    private const int EndOfText = 256;

    [Fact]
    public void Puts_end_of_text_behind_each_document()
    {
        var data = Bytes("ab", "c");
        Assert.Equal(['a', 'b', EndOfText, 'c', EndOfText], data.Tokens);
        Assert.Equal([0, 3], data.DocumentStarts);
        Assert.Equal(3, data.ByteCount);
        Assert.Equal(257, data.VocabularySize);
        Assert.Equal(2, data.CountBytes([EndOfText, 'a', 'b']));
    }

    // p = 1/2 for end of text, 1/4 each for a and b: 1.5 bits.
    [Fact]
    public void Entropy_is_that_of_single_tokens()
    {
        var data = Bytes("a", "b");
        Assert.Equal(1.5, data.EntropyBitsPerToken, 12);
        Assert.Equal(3, data.EntropyBitsPerByte, 12);
        Assert.Equal(2, data.BitsPerByte(Math.Log(2)), 12);
    }

    [Fact]
    public void Samples_depend_only_on_seed_and_step()
    {
        int seed = Random.Shared.Next();
        var data = Bytes(RandomText.Mixed(new Random(seed), 500));
        int[] first = new int[4 * 9], again = new int[4 * 9], other = new int[4 * 9];
        data.Sample(first, 8, seed, step: 7);
        data.Sample(other, 8, seed, step: 8);
        data.Sample(again, 8, seed, step: 7);
        Assert.True(first.SequenceEqual(again), $"seed {seed}");
        Assert.False(first.SequenceEqual(other), $"seed {seed}: step 8 is step 7");
        data.Sample(other, 8, seed + 1L, step: 7);
        Assert.False(first.SequenceEqual(other), $"seed {seed}: seed + 1 is seed");
    }

    [Fact]
    public void Samples_reach_every_start_about_equally_often()
    {
        long seed = Random.Shared.Next();
        var data = Bytes("0123456789");
        var counts = new int[8];
        var batch = new int[4 * 10];
        for (int step = 0; step < 800; step++)
        {
            data.Sample(batch, 3, seed, step);
            for (int row = 0; row < 10; row++)
            {
                int start = batch[row * 4] - '0';
                counts[start]++;
                for (int i = 0; i < 4; i++)
                    Assert.Equal(data.Tokens[start + i], batch[row * 4 + i]);
            }
        }
        // 1000 expected each, standard deviation below 30.
        Assert.All(counts, count =>
            Assert.True(Math.Abs(count - 1000) < 250, $"seed {seed}: {string.Join(", ", counts)}"));
    }

    [Fact]
    public void Windows_cover_every_target_once()
    {
        for (int length = 0; length < 20; length++)
            for (int context = 1; context < 8; context++)
            {
                var data = Bytes(new string('x', length));
                var targets = new List<int>();
                for (int w = 0; w < data.WindowCount(context); w++)
                {
                    var window = data.Window(w, context);
                    Assert.InRange(window.Length, 2, context + 1);
                    targets.AddRange(window[1..]);
                }
                Assert.Equal(data.TokenCount == 0 ? [] : data.Tokens[1..].ToArray(), targets);
                Assert.Throws<ArgumentException>(() => { data.Window(data.WindowCount(context), context); });
            }
    }

    [Fact]
    public void Says_when_the_text_is_too_short()
    {
        var data = Bytes("abc");
        var batch = new int[6];
        Assert.Contains("needs 6 tokens, the dataset has 4",
            Assert.Throws<ArgumentException>(() => data.Sample(batch, 5, 0, 0)).Message);
        Assert.Contains("got 6 tokens for a context of 3",
            Assert.Throws<ArgumentException>(() => data.Sample(batch, 3, 0, 0)).Message);
        Assert.Throws<ArgumentException>(() => data.Sample(batch, 0, 0, 0));
    }

    [Fact]
    public void Needs_an_end_of_text_token()
    {
        var tokenizer = new BytePairTrainer().Build(300, ["<other>"]);
        Assert.Contains("none of <|endoftext|>, <|end_of_text|>, </s>, and neither config.json nor",
            Assert.Throws<ArgumentException>(() => TokenDataset.Create(tokenizer, Documents("a"))).Message);
        Assert.Contains("token id 300 is not in the vocabulary of 257", Assert.Throws<ArgumentException>(() =>
            TokenDataset.Create(tokenizer, Documents("a"), endOfText: 300)).Message);
    }

    // The token of a model whose tokenizer names none, and one that is a letter: it stands for no text.
    [Theory]
    [InlineData(256)]
    [InlineData('x')]
    public void Puts_the_token_of_a_model_between_documents(int endOfText)
    {
        var tokenizer = new BytePairTrainer().Build(300, ["<other>"]);
        var data = TokenDataset.Create(tokenizer, Documents("ab", "c"), endOfText);
        Assert.Equal(['a', 'b', endOfText, 'c', endOfText], data.Tokens);
        Assert.Equal(3, data.ByteCount);
    }

    private static TokenDataset Bytes(params string[] documents) =>
        TokenDataset.Create(new BytePairTrainer().Build(257), Documents(documents));

    private static Corpus Documents(params string[] documents)
    {
        var builder = new CorpusBuilder();
        foreach (string document in documents)
            builder.Add(Encoding.UTF8.GetBytes(document));
        return builder.Build([], []);
    }
}
