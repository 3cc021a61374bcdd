using System.Text;
using S2ILGPU.Core.Tests.Corpora;
using S2ILGPU.Corpora;
using S2ILGPU.Tokenizers;
using S2ILGPU.Tokenizers.Pipeline;
using Xunit;

namespace S2ILGPU.Core.Tests.Tokenizers;

public sealed class BytePairTrainerTests
{
    // Pieces: "low" 3, "lower" 1, " low" 1. Pairs: lo 5, ow 5, " l" 1, we 1, er 1. lo wins over ow as l < o; then (lo,
    // w) 5; nothing else occurs twice.
    [Fact]
    public void Learns_an_example_worked_out_by_hand()
    {
        var trainer = new BytePairTrainer();
        foreach (string text in (string[])["low", "low", "low", "lower low"])
            trainer.Add(Encoding.UTF8.GetBytes(text));
        var tokenizer = trainer.Build(1000);
        Assert.Equal([('l', 'o', 256), (256, 'w', 257)], tokenizer.Vocabulary.Merges);
        Assert.Equal(259, tokenizer.VocabularySize);
        Assert.Equal("low"u8, tokenizer.TokenBytes(257));
        Assert.Equal([257, 'e', 'r', ' ', 257, 256], tokenizer.Encode("lower lowlo"));
    }

    // "aaaa" 1 and "aaa" 1: (a, a) counts 3 + 2 = 5; merged left to right they are A A and A a: (A, A) 1 and (A, a) 1.
    [Fact]
    public void Repeated_letters_merge_from_the_left()
    {
        var trainer = new BytePairTrainer();
        foreach (string text in (string[])["aaaa", "aaa", "aaa"])
            trainer.Add(Encoding.UTF8.GetBytes(text));
        var tokenizer = trainer.Build(1000);
        Assert.Equal([('a', 'a', 256), (256, 'a', 257)], tokenizer.Vocabulary.Merges);
        Assert.Equal([257], tokenizer.Encode("aaa"));
    }

    [Fact]
    public void Agrees_with_counting_everything_again_after_each_merge()
    {
        for (int trial = 0; trial < 12; trial++)
        {
            int seed = trial == 0 ? 161595828 : Random.Shared.Next(); // has a piece of more than 64 bytes
            var random = new Random(seed);
            int letters = 2 + random.Next(4);
            string text =
                new([.. Enumerable.Range(0, 1500)
                .Select(_ => random.Next(6) == 0 ? ' ' : (char)('a' + random.Next(letters)))]);
            text += RandomText.Mixed(random, 100);
            var trainer = new BytePairTrainer();
            trainer.Add(Encoding.UTF8.GetBytes(text));
            var actual = trainer.Build(256 + 80 + 1).Vocabulary.Merges;
            var expected = LearnByDefinition(Encoding.UTF8.GetBytes(text), 80);
            Assert.True(expected.SequenceEqual(actual),
                $"seed {seed}: merge {expected.Zip(actual).TakeWhile(p => p.First == p.Second).Count()} differs of "
                + $"{expected.Count} and {actual.Count}");
        }
    }

    [Fact]
    public void Is_deterministic_and_independent_of_how_text_is_added()
    {
        int seed = Random.Shared.Next();
        string[] documents = [.. Enumerable.Range(0, 50).Select(i => RandomText.Mixed(new Random(seed + i), 100))];
        var (forwards, backwards) = (new BytePairTrainer(), new BytePairTrainer());
        foreach (string document in documents)
            forwards.Add(Encoding.UTF8.GetBytes(document));
        foreach (string document in documents.Reverse())
            backwards.Add(Encoding.UTF8.GetBytes(document));
        var first = forwards.Build(500).Vocabulary;
        Assert.True(first.Merges.SequenceEqual(forwards.Build(500).Vocabulary.Merges), $"seed {seed}: training twice");
        Assert.True(first.Merges.SequenceEqual(backwards.Build(500).Vocabulary.Merges),
            $"seed {seed}: the other order");
        Assert.Equal(first.Tokens.Count, first.Tokens.Select(t => Convert.ToHexString(t)).Distinct().Count());
    }

    [Fact]
    public void No_merge_makes_the_text_of_a_special_token()
    {
        var trainer = new BytePairTrainer();
        trainer.Add("endend endend end"u8);
        var tokenizer = trainer.Build(270, ["end"]);
        Assert.Equal(1, tokenizer.Vocabulary.Tokens.Count(bytes => bytes.AsSpan().SequenceEqual("end"u8)));
        Assert.Equal([tokenizer.SpecialTokens["end"]], tokenizer.Encode("end", allowSpecial: true));
    }

    [Fact]
    public void Long_pieces_are_counted_in_parts()
    {
        byte[] letters = [.. Enumerable.Range(0, 200).Select(i => (byte)('a' + i % 23))];
        var pieces = new PieceCounter();
        pieces.AddText(letters);
        pieces.AddText(letters);
        Assert.Equal([64, 64, 64, 8], Enumerable.Range(0, pieces.Count).Select(p => pieces.Bytes(p).Length));
        Assert.Equal(letters, Enumerable.Range(0, pieces.Count).SelectMany(p => pieces.Bytes(p).ToArray()));
        Assert.All(Enumerable.Range(0, pieces.Count), p => Assert.Equal(2, pieces.Occurrences(p)));
    }

    [Fact]
    public void Without_text_the_bytes_remain()
    {
        var tokenizer = new BytePairTrainer().Build(5000);
        Assert.Equal(257, tokenizer.VocabularySize);
        Assert.Equal(256, tokenizer.EndOfText);
        Assert.Equal([0xC3, 0xA9], tokenizer.Encode("é"));
    }

    [Fact]
    public void Refuses_what_cannot_be()
    {
        var trainer = new BytePairTrainer();
        Assert.Contains("got 256", Assert.Throws<ArgumentException>(() => trainer.Build(256)).Message);
        Assert.Throws<ArgumentException>(() => trainer.Build(300, ["<a>", "<a>"]));
        Assert.Throws<ArgumentException>(() => trainer.Build(300, ["a"]));
    }

    private static List<(int, int, int)> LearnByDefinition(byte[] text, int count)
    {
        var pieces = new List<List<int>>();
        for (int start = 0; start < text.Length;)
        {
            Assert.True(SplitPattern.Gpt2.TryFind(text, start, out _, out int end));
            for (; start < end; start += 64) // the trainer counts longer pieces in parts
                pieces.Add([.. text[start..Math.Min(end, start + 64)].Select(b => (int)b)]);
            start = end;
        }
        var texts = Enumerable.Range(0, 256).Select(b => ((char)b).ToString()).ToList();
        var merges = new List<(int, int, int)>();
        while (texts.Count < 256 + count)
        {
            var counts = new Dictionary<(int Left, int Right), int>();
            foreach (var piece in pieces)
                for (int i = 0; i + 1 < piece.Count; i++)
                    counts[(piece[i], piece[i + 1])] = counts.GetValueOrDefault((piece[i], piece[i + 1])) + 1;
            var best = counts.OrderByDescending(p => p.Value).ThenBy(p => p.Key).FirstOrDefault();
            if (best.Value < 2)
                break;
            var (left, right) = best.Key;
            string joined = texts[left] + texts[right];
            if (!texts.Contains(joined))
                texts.Add(joined);
            int merged = texts.IndexOf(joined);
            if (!merges.Contains((left, right, merged)))
                merges.Add((left, right, merged));
            foreach (var piece in pieces)
                for (int i = 0; i + 1 < piece.Count; i++)
                    if (piece[i] == left && piece[i + 1] == right)
                    {
                        piece[i] = merged;
                        piece.RemoveAt(i + 1);
                    }
        }
        return merges;
    }

    [Fact]
    public void Tells_its_progress_and_stops_when_asked()
    {
        var corpus = Corpus.FromText(string.Concat(Enumerable.Range(0, 500).Select(i => $"{i * i} ")));
        var told = new List<double>();
        using var stop = new CancellationTokenSource();
        int[] expected = BytePairTrainer.Train(corpus, 300).Encode("1234 5678");
        Assert.Equal(expected,
            BytePairTrainer.Train(corpus, 300, new Told(told.Add), CancellationToken.None).Encode("1234 5678"));
        Assert.Equal(told.Order(), told);
        Assert.Equal((0.0, 1.0), (told[0], told[^1]));
        Assert.InRange(told.Count, 40, 101);
        Assert.Throws<OperationCanceledException>(() =>
            BytePairTrainer.Train(corpus, 300, new Told(_ => stop.Cancel()), stop.Token));
        Assert.Throws<OperationCanceledException>(() => TokenDataset.Create(BytePairTrainer.Train(corpus, 300),
            Corpus.FromText("a", "b"), progress: new Told(_ => stop.Cancel()), cancellation: stop.Token));
    }

    private sealed class Told(Action<double> tell) : IProgress<double>
    {
        public void Report(double value) => tell(value);
    }
}
