using S2ILGPU.Tokenizers;

namespace S2ILGPU.Cli.Bench.Needle;

/// <summary>Draws texts that hide needles, <c>= key value</c>, in random letters, and questions <c>? key</c>, whose
/// answer is the value. A token is a byte.</summary>
/// <param name="seed">Seed of all texts.</param>
internal sealed class NeedleTask(int seed)
{
    // As many values as keys: a guess finds one needle in 64.
    private const int Keys = 64, FirstLetter = 0x40, Letters = 64, FirstKey = 0x80, FirstValue = 0xC0;
    private const int PairTokens = 3, Distractors = 16;

    private readonly Random _random = new(seed);

    /// <summary>The vocabulary: all bytes and an end-of-text token.</summary>
    public static BytePairTokenizer Tokenizer { get; } = new BytePairTrainer().Build(257);

    /// <summary>The question for a key.</summary>
    public static int[] Question(int key) => ['?', key];

    /// <summary>Fills a text whose end repeats its beginning.</summary>
    /// <remarks>Models find the way from a token to its earlier copy in a few hundred steps of this, and only after
    /// thousands of questions alone.</remarks>
    /// <param name="tokens">Receives the text.</param>
    /// <param name="targets">Receives the token that follows, where it is a copy; else -1.</param>
    public void Copy(Span<int> tokens, Span<int> targets)
    {
        targets.Fill(-1);
        int copied = _random.Next(tokens.Length / 4, tokens.Length / 2 + 1), second = tokens.Length - copied;
        int[] different = [.. Enumerable.Range(FirstLetter, Letters + 2 * Keys)];
        _random.Shuffle(different);
        for (int i = 0; i < tokens.Length; i++)
            tokens[i] = i >= second ? tokens[i - second] : i < copied ? different[i % different.Length] : Letter();
        for (int i = second; i < tokens.Length - 1; i++)
            targets[i] = tokens[i + 1];
    }

    /// <summary>Fills a text with many needles and, at its end, many questions and their answers.</summary>
    /// <param name="tokens">Receives the text.</param>
    /// <param name="targets">Receives the value at the key of each question, which is the token that follows; else
    /// -1.</param>
    public void Ask(Span<int> tokens, Span<int> targets)
    {
        targets.Fill(-1);
        int questions = Math.Max(2, tokens.Length / 24), body = tokens.Length - PairTokens * questions;
        int most = Math.Clamp(tokens.Length / 16, 2, Keys), count = _random.Next(most / 2 + 1, most + 1);
        int[] places = new int[body / PairTokens];
        for (int p = 0; p < places.Length; p++)
            places[p] = p;
        _random.Shuffle(places);
        var needles = Hide(tokens[..body], places.AsSpan(0, count));
        for (int q = 0; q < questions; q++)
        {
            var (key, value) = needles[_random.Next(needles.Length)];
            int at = body + PairTokens * q;
            (tokens[at], tokens[at + 1], tokens[at + 2]) = ('?', key, value);
            targets[at + 1] = value;
        }
    }

    /// <summary>A text with a needle at every one of some depths, evenly from its beginning to its end, and others
    /// between them.</summary>
    /// <param name="length">Tokens of the text, at least 3 for each needle and each distractor.</param>
    /// <param name="depths">How many needles are asked for, at least 2.</param>
    /// <returns>The text and its needles, the first ones first.</returns>
    public (int[] Text, (int Key, int Value)[] Needles) Haystack(int length, int depths)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(length, PairTokens * (depths + Distractors));
        int last = length / PairTokens - 1;
        var places = new List<int>(Enumerable.Range(0, depths).Select(d => (int)((long)d * last / (depths - 1))));
        while (places.Count < depths + Distractors)
            if (_random.Next(last) is var place && !places.Contains(place))
                places.Add(place);
        int[] text = new int[length];
        return (text, Hide(text, [.. places])[..depths]);
    }

    // Letters everywhere, and needles at some places of three tokens.
    private (int Key, int Value)[] Hide(Span<int> text, ReadOnlySpan<int> places)
    {
        foreach (ref int token in text)
            token = Letter();
        int[] keys = [.. Enumerable.Range(FirstKey, Keys)];
        _random.Shuffle(keys);
        var needles = new (int, int)[places.Length];
        for (int i = 0; i < needles.Length; i++)
        {
            needles[i] = (keys[i], FirstValue + _random.Next(Keys));
            int at = PairTokens * places[i];
            (text[at], text[at + 1], text[at + 2]) = ('=', needles[i].Item1, needles[i].Item2);
        }
        return needles;
    }

    private int Letter() => FirstLetter + _random.Next(Letters);
}
