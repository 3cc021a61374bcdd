using System.Globalization;
using System.Text;
using System.Text.Json;
using S2ILGPU.TestSupport;
using S2ILGPU.Tokenizers;
using S2ILGPU.Tokenizers.Pipeline;
using Xunit;

namespace S2ILGPU.Core.Tests.Tokenizers;

/// <summary>The ids are those of other makers' tokenizers, on random text.</summary>
public sealed class ReferenceTokenizerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> Encodings { get; } =
        [.. TestScale.Sample("vocabularies of other makers", RealEncodings.Names, 1)];

    public static TheoryData<string> Published => [.. PublishedTokenizer.Names];

    public static TheoryData<string> Kinds => [.. RandomTokenizer.Kinds];

    public void Dispose() => _folder.Dispose();

    // Their splitting is .NET's regular expressions over UTF-16: a character beyond the basic plane is two surrogates
    // to them, so an emoji does not belong to the word behind it, and a long s is no s in either case. Halves of pairs
    // they encode as three bytes, where tiktoken has U+FFFD. Such text is compared with Hugging Face's below.
    [Theory]
    [MemberData(nameof(Encodings))]
    public void Real_vocabularies_agree_with_microsoft(string name)
    {
        var (ours, theirs) = (RealEncodings.Ours(name), RealEncodings.Theirs(name));
        var random = Seeds.NewRandom();
        for (int trial = TestScale.IsFull ? 100_000 : 3000; trial > 0; trial--)
        {
            string text = string.Concat(RandomUnicode.Draw(random, hasHalves: false).EnumerateRunes()
                .Where(rune => rune.IsBmp && rune.Value != 0x17F));
            AssertSame(text, theirs.EncodeToIds(text), ours.Encode(text));
        }
    }

    [Theory]
    [MemberData(nameof(Encodings))]
    public void Real_vocabularies_agree_with_hugging_face(string name)
    {
        TestScale.SkipUnlessDrawn(2);
        var ours = RealEncodings.Ours(name);
        ours.Save(_folder["tokenizer.json"]);
        using var theirs = RustTokenizer.Load(_folder["tokenizer.json"]);
        var saved = BytePairTokenizer.Load(_folder["tokenizer.json"]);
        var random = Seeds.NewRandom();
        for (int trial = TestScale.IsFull ? 100_000 : 1000; trial > 0; trial--)
        {
            string text = Draw(random, isNormalized: false);
            int[] ids = ours.Encode(text);
            AssertSame(text, theirs.Encode(text), ids);
            AssertSame(text, ids, saved.Encode(text));
            Assert.Equal(text, ours.Decode(ids));
        }
    }

    // Where the two references differ, with strings that show it.
    [LongTheory]
    [InlineData("cl100k_base", "    \U0001D7D8")] // a digit, before which a space is a piece of its own
    [InlineData("cl100k_base", "\U0001F612\u17AA")] // a token has bytes of an emoji and of the letter behind it
    [InlineData("o200k_base", "I\U0001DAEB\u0301\n \n")] // a character with its mark, and not with the line end
    [InlineData("o200k_base", "f'\u017F'sthe")] // Unicode folds the long s
    public void Microsoft_splits_some_characters_otherwise(string name, string text)
    {
        var ours = RealEncodings.Ours(name);
        ours.Save(_folder["tokenizer.json"]);
        using var theirs = RustTokenizer.Load(_folder["tokenizer.json"]);
        AssertSame(text, theirs.Encode(text), ours.Encode(text));
        Assert.NotEqual(RealEncodings.Theirs(name).EncodeToIds(text), ours.Encode(text));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Every_kind_agrees_with_hugging_face(string kind)
    {
        TestScale.SkipUnlessDrawn(2);
        var random = Seeds.NewRandom();
        for (int file = TestScale.IsFull ? 500 : 2; file > 0; file--)
        {
            string path = _folder.Write("tokenizer.json", RandomTokenizer.Draw(kind, random).ToJsonString());
            var ours = BytePairTokenizer.Load(path);
            using var theirs = RustTokenizer.Load(path);
            AssertAgree(ours, theirs, random, isNormalized: kind == "qwen2", trials: 200);
        }
    }

    [LongTheory]
    [MemberData(nameof(Published))]
    public async Task Published_tokenizers_agree_with_hugging_face(string name)
    {
        string path = await PublishedTokenizer.DownloadAsync(name, _folder);
        using var theirs = RustTokenizer.Load(path);
        bool isNormalized = (await File.ReadAllTextAsync(path)).Contains("\"NFC\"", StringComparison.Ordinal);
        AssertAgree(BytePairTokenizer.Load(path), theirs, Seeds.NewRandom(), isNormalized, trials: 100_000);
    }

    private static void AssertAgree(BytePairTokenizer ours, RustTokenizer theirs, Random random, bool isNormalized,
        int trials)
    {
        for (int trial = 0; trial < trials; trial++)
        {
            string text = Draw(random, isNormalized);
            int[] ids = ours.Encode(text, allowSpecial: true, addSpecial: true);
            AssertSame(text, theirs.Encode(text), ids);
            // Where encoding put a space in front, theirs takes all spaces of the first token away, also those behind a
            // line end: spaces are not compared there.
            bool hasPrefix = ours.Vocabulary.Pipeline.StripsSpace;
            string expected = theirs.Decode(ids), actual = ours.Decode([.. ids.Where(id => !ours.IsSpecial(id))]);
            Assert.Equal(hasPrefix ? expected.Replace(" ", "", StringComparison.Ordinal) : expected,
                hasPrefix ? actual.Replace(" ", "", StringComparison.Ordinal) : actual);
        }
    }

    // Added tokens are found in it at times. The package ends a text at U+0000, and its normalization is of 2016: marks
    // and compositions from U+07FD on may be newer. Its digits are of a later Unicode than .NET's: characters that .NET
    // does not know are left out.
    private static string Draw(Random random, bool isNormalized)
    {
        string text = RandomUnicode.Draw(random, hasHalves: false);
        if (random.Next(3) == 0)
            text += random.Pick("<s>", "</s>", "<|user|>", "<0x0A>x", "  ", "a\u030C")
                + RandomUnicode.Draw(random, hasHalves: false);
        return string.Concat(text.EnumerateRunes().Where(rune => rune.Value != 0
            && Rune.GetUnicodeCategory(rune) != UnicodeCategory.OtherNotAssigned
            && !(isNormalized && rune.Value >= 0x7FD && IsNormalizedOtherwise(rune.Value))));
    }

    private static bool IsNormalizedOtherwise(int codePoint) =>
        CanonicalData.Instance.Unstable.Contains(codePoint)
        || CanonicalData.Instance.Decompositions.ContainsKey(codePoint);

    private static void AssertSame(string text, IReadOnlyList<int> expected, int[] actual) =>
        Assert.True(expected.SequenceEqual(actual), $"{Seeds.Text}, {JsonSerializer.Serialize(text)}: expected "
            + $"{string.Join(' ', expected)}, got {string.Join(' ', actual)}");
}
