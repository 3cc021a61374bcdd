using System.Text;
using S2ILGPU.Corpora;

namespace S2ILGPU.Tokenizers;

/// <summary>Learns a byte-level BPE tokenizer: the most frequent pair of neighbouring tokens becomes a token, again and
/// again.</summary>
/// <remarks>
/// <para>Ids: 0 to 255 are the bytes, then the merges in the order in which they were learned, then the special tokens.
/// Deterministic: of pairs that occur equally often, the one with the smallest left id wins, then the smallest right
/// id.</para>
/// <para>Text is counted as it is added and not kept. Pieces longer than 64 bytes are counted in parts. Not safe to
/// share between threads.</para>
/// </remarks>
public sealed class BytePairTrainer
{
    private readonly PieceCounter _pieces = new();

    /// <summary>Learns a tokenizer from the documents of a corpus, with <see cref="BytePairTokenizer.EndOfTextToken"/>
    /// as its special token.</summary>
    /// <param name="corpus">The text.</param>
    /// <param name="vocabularySize">V, number of token ids, at least 257.</param>
    /// <exception cref="ArgumentException">The vocabulary is too small or too large.</exception>
    public static BytePairTokenizer Train(Corpus corpus, int vocabularySize) =>
        Train(corpus, vocabularySize, null, CancellationToken.None);

    /// <summary>The same, with news of its progress, and to be stopped.</summary>
    /// <param name="corpus">The text.</param>
    /// <param name="vocabularySize">V, number of token ids, at least 257.</param>
    /// <param name="progress">Told the fraction of the tokens that are learned, 0 to 1, a hundred times; null for
    /// none.</param>
    /// <param name="cancellation">Ends the learning between two documents or two tokens.</param>
    /// <exception cref="ArgumentException">The vocabulary is too small or too large.</exception>
    /// <exception cref="OperationCanceledException">The learning was cancelled.</exception>
    public static BytePairTokenizer Train(Corpus corpus, int vocabularySize, IProgress<double>? progress,
        CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(corpus);
        CheckSize(vocabularySize, 1);
        var trainer = new BytePairTrainer();
        for (int document = 0; document < corpus.DocumentCount; document++)
        {
            cancellation.ThrowIfCancellationRequested();
            trainer.Add(corpus.Document(document));
        }
        return trainer.Build(vocabularySize, null, progress, cancellation);
    }

    /// <summary>Counts a document.</summary>
    /// <param name="document">UTF-8 text, or any bytes.</param>
    public void Add(ReadOnlySpan<byte> document) => _pieces.AddText(document);

    /// <summary>Learns a tokenizer from what was added.</summary>
    /// <param name="vocabularySize">V, number of token ids with bytes and special tokens. Fewer come out when the text
    /// has not enough pairs that occur twice.</param>
    /// <param name="specialTokens">Texts of the special tokens; null for <see cref="BytePairTokenizer.EndOfTextToken"/>
    /// alone.</param>
    /// <param name="progress">Told the fraction of the tokens that are learned, 0 to 1, a hundred times; null for
    /// none.</param>
    /// <param name="cancellation">Ends the learning between two tokens.</param>
    /// <exception cref="ArgumentException">A special token has less than two characters or stands twice, or the
    /// vocabulary is too small for the bytes and the special tokens, or too large.</exception>
    /// <exception cref="OperationCanceledException">The learning was cancelled.</exception>
    public BytePairTokenizer Build(int vocabularySize, IReadOnlyList<string>? specialTokens = null,
        IProgress<double>? progress = null, CancellationToken cancellation = default)
    {
        specialTokens ??= [BytePairTokenizer.EndOfTextToken];
        if (specialTokens.Any(token => token is null or { Length: < 2 })
            || specialTokens.Distinct().Count() != specialTokens.Count)
            throw new ArgumentException(
                $"special tokens must be different and have at least two characters, got "
                + $"'{string.Join("', '", specialTokens)}'");
        CheckSize(vocabularySize, specialTokens.Count);

        var tokens = new List<byte[]>(vocabularySize);
        for (int b = 0; b < 256; b++)
            tokens.Add([(byte)b]);
        var merges = LearnMerges(tokens, vocabularySize - specialTokens.Count, specialTokens, progress,
            cancellation);
        var added = new List<AddedToken>();
        foreach (string special in specialTokens)
        {
            added.Add(new AddedToken(special, tokens.Count, IsSpecial: true, IsNormalized: false));
            tokens.Add(Encoding.UTF8.GetBytes(special));
        }
        return new BytePairTokenizer(new BytePairVocabulary { Tokens = tokens, Merges = merges, AddedTokens = added });
    }

    private static void CheckSize(int vocabularySize, int specialTokens)
    {
        if (vocabularySize < 256 + specialTokens || vocabularySize > BytePairTokenizer.MaxVocabularySize)
            throw new ArgumentException(
                $"a vocabulary holds 256 bytes and {specialTokens} special tokens, and at most "
                + $"{BytePairTokenizer.MaxVocabularySize} tokens, got {vocabularySize}");
    }

    // Two pairs can make the same bytes (a + bc, ab + c): they share a token, as a vocabulary is keyed by text; no
    // merge makes the text of a special token.
    private List<(int, int, int)> LearnMerges(List<byte[]> tokens, int tokenEnd, IReadOnlyList<string> specialTokens,
        IProgress<double>? progress, CancellationToken cancellation)
    {
        var merges = new List<(int, int, int)>();
        var merged = new HashSet<(int, int)>();
        var ids = new Dictionary<string, int>();
        for (int id = 0; id < tokens.Count; id++)
            ids.Add(ByteLevelAlphabet.Encode(tokens[id]), id);
        var pairs = new PairCounts(_pieces);
        int first = tokens.Count, percent = 0;
        while (tokens.Count < tokenEnd && pairs.TryTakeBest(out int left, out int right))
        {
            cancellation.ThrowIfCancellationRequested();
            while (progress is not null && percent * (long)(tokenEnd - first) <= (tokens.Count - first) * 100L)
                progress.Report(percent++ / 100.0);
            byte[] bytes = [.. tokens[left], .. tokens[right]];
            string text = ByteLevelAlphabet.Encode(bytes);
            if (specialTokens.Contains(text))
                continue;
            if (ids.TryAdd(text, tokens.Count))
                tokens.Add(bytes);
            if (merged.Add((left, right)))
                merges.Add((left, right, ids[text]));
            pairs.Merge(left, right, ids[text]);
        }
        progress?.Report(1);
        return merges;
    }
}
