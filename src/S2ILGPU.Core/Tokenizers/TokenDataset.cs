using S2ILGPU.Corpora;

namespace S2ILGPU.Tokenizers;

/// <summary>The tokens of a corpus in one row, documents separated by the end-of-text token, with windows to learn from
/// and windows to measure with.</summary>
/// <remarks>Immutable and safe to share between threads. 4 bytes per token.</remarks>
public sealed class TokenDataset
{
    private readonly int[] _tokens;
    private readonly int[] _documentStarts;
    private readonly int[] _tokenBytes; // bytes of text by token id, 0 for special tokens

    private TokenDataset(BytePairTokenizer tokenizer, int endOfText, int[] tokens, int[] documentStarts)
    {
        _tokens = tokens;
        _documentStarts = documentStarts;
        _tokenBytes = new int[tokenizer.VocabularySize];
        for (int id = 0; id < _tokenBytes.Length; id++)
            _tokenBytes[id] = tokenizer.IsSpecial(id) || id == endOfText ? 0 : tokenizer.TokenBytes(id).Length;
        ByteCount = CountBytes(tokens);
        EntropyBitsPerToken = Entropy(tokens, _tokenBytes.Length);
    }

    /// <summary>Number of tokens, those between documents included.</summary>
    public int TokenCount => _tokens.Length;

    /// <summary>Bytes of text that the tokens stand for; special tokens stand for none.</summary>
    public long ByteCount { get; }

    /// <summary>V, number of token ids.</summary>
    public int VocabularySize => _tokenBytes.Length;

    /// <summary>All tokens.</summary>
    public ReadOnlySpan<int> Tokens => _tokens;

    /// <summary>Index of each document's first token, ascending.</summary>
    public ReadOnlySpan<int> DocumentStarts => _documentStarts;

    /// <summary>Entropy of single tokens, <c>-sum p log2 p</c>: what a model that knows only how frequent each token is
    /// needs per token. A model that learned anything needs less.</summary>
    public double EntropyBitsPerToken { get; }

    /// <summary><see cref="EntropyBitsPerToken"/> per byte of text.</summary>
    public double EntropyBitsPerByte => ByteCount == 0 ? 0 : EntropyBitsPerToken * TokenCount / ByteCount;

    /// <summary>Encodes a corpus.</summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="corpus">The text. <see cref="BytePairTokenizer.Prefix"/> begins each document, an end-of-text token
    /// follows it.</param>
    /// <param name="endOfText">The token that follows each document, as a model folder names it; null for the
    /// tokenizer's end-of-text token.</param>
    /// <param name="progress">Told the fraction of the text that is encoded, 0 to 1, after each document; null for
    /// none.</param>
    /// <param name="cancellation">Ends the encoding between two documents.</param>
    /// <exception cref="ArgumentException">There is no end-of-text token, or the tokens are more than an array
    /// can hold.</exception>
    /// <exception cref="OperationCanceledException">The encoding was cancelled.</exception>
    public static TokenDataset Create(BytePairTokenizer tokenizer, Corpus corpus, int? endOfText = null,
        IProgress<double>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(corpus);
        int separator = endOfText ?? tokenizer.EndOfText ?? throw new ArgumentException(
            $"there is no token to put between documents: the tokenizer has none of {BytePairTokenizer.EndNames}, and "
            + "neither config.json nor generation_config.json of a model names one of its tokens as eos_token_id");
        if ((uint)separator >= (uint)tokenizer.VocabularySize)
            throw new ArgumentException($"token id {separator} is not in the vocabulary of {tokenizer.VocabularySize}");
        var tokens = new List<int>(corpus.SizeBytes / 3 + 1);
        var starts = new int[corpus.DocumentCount];
        long encoded = 0;
        for (int d = 0; d < starts.Length; d++)
        {
            cancellation.ThrowIfCancellationRequested();
            var document = corpus.Document(d);
            if (tokens.Count + (long)document.Length >= Array.MaxLength) // a token per byte is the most there can be
                throw new ArgumentException(
                    $"{tokens.Count} tokens and {document.Length} bytes more are too many for an "
                    + $"array of at most {Array.MaxLength} tokens: use less text");
            starts[d] = tokens.Count;
            tokens.AddRange(tokenizer.Prefix);
            tokenizer.EncodeInto(document, tokens);
            tokens.Add(separator);
            progress?.Report((double)(encoded += document.Length) / corpus.SizeBytes);
        }
        return new TokenDataset(tokenizer, separator, tokens.ToArray(), starts);
    }

    /// <summary>Fills a batch with windows at places drawn by (seed, step): the same call gives the same windows, so
    /// resuming needs no state.</summary>
    /// <param name="batch">Receives the windows, <c>[B, N + 1]</c>: inputs are the first N tokens of a row, targets the
    /// last N.</param>
    /// <param name="context">N, at least 1; the batch is a multiple of N + 1 long.</param>
    /// <param name="seed">The seed of the training run.</param>
    /// <param name="step">The training step.</param>
    /// <exception cref="ArgumentException">The batch is no multiple of the window, or the dataset has fewer tokens than
    /// a window.</exception>
    public void Sample(Span<int> batch, int context, long seed, long step)
    {
        long window = context + 1L;
        if (context < 1 || batch.Length % window != 0)
            throw new ArgumentException(
                $"a batch holds windows of context + 1 tokens, got {batch.Length} tokens for a context of {context}");
        if (_tokens.Length < window)
            throw new ArgumentException(
                $"a window needs {window} tokens, the dataset has {_tokens.Length}: use a shorter context or "
                + "more text");
        ulong drawn = StableHash.Combine((ulong)seed, (ulong)step);
        for (int row = 0; row * window < batch.Length; row++)
        {
            long start = StableHash.Below(StableHash.Combine(drawn, (ulong)row), _tokens.Length - window + 1);
            _tokens.AsSpan((int)start, (int)window).CopyTo(batch[(int)(row * window)..]);
        }
    }

    /// <summary>Number of windows that cover the dataset for measuring.</summary>
    /// <param name="context">N, at least 1.</param>
    /// <exception cref="ArgumentException"><paramref name="context"/> is below 1.</exception>
    public int WindowCount(int context)
    {
        if (context < 1)
            throw new ArgumentException($"a window has at least 1 token, got {context}");
        return (int)((Math.Max(0, _tokens.Length - 1L) + context - 1) / context);
    }

    /// <summary>A window for measuring: every token but the very first is a target in exactly one window.</summary>
    /// <param name="index">0 to <see cref="WindowCount"/> exclusive.</param>
    /// <param name="context">N, at least 1.</param>
    /// <returns>Up to N + 1 tokens, the last window possibly fewer, at least 2; the first is the last one of the window
    /// before.</returns>
    /// <exception cref="ArgumentException">There is no such window.</exception>
    public ReadOnlySpan<int> Window(int index, int context)
    {
        if ((uint)index >= (uint)WindowCount(context))
            throw new ArgumentException($"window {index} of {WindowCount(context)} windows of {context} tokens");
        int start = index * context;
        return _tokens.AsSpan(start, (int)Math.Min(context + 1L, _tokens.Length - start));
    }

    /// <summary>Bytes of text that tokens stand for; special tokens stand for none.</summary>
    /// <param name="tokens">Token ids, as in <see cref="Tokens"/>.</param>
    /// <exception cref="ArgumentException">An id is not in the vocabulary.</exception>
    public long CountBytes(ReadOnlySpan<int> tokens)
    {
        long bytes = 0;
        foreach (int token in tokens)
            bytes += (uint)token < (uint)_tokenBytes.Length ? _tokenBytes[token]
                : throw new ArgumentException($"token id {token} is not in the vocabulary of {VocabularySize}");
        return bytes;
    }

    /// <summary>Turns a loss into bits per byte of text, <c>loss / ln 2 * tokens / bytes</c>: a number that does not
    /// depend on the tokenizer.</summary>
    /// <param name="lossPerToken">Mean cross entropy in nats per token over this dataset.</param>
    public double BitsPerByte(double lossPerToken) => lossPerToken / Math.Log(2) * TokenCount / ByteCount;

    private static double Entropy(ReadOnlySpan<int> tokens, int vocabularySize)
    {
        var counts = new long[vocabularySize];
        foreach (int token in tokens)
            counts[token]++;
        double entropy = 0;
        foreach (long count in counts)
            if (count > 0)
                entropy -= (double)count / tokens.Length * Math.Log2((double)count / tokens.Length);
        return entropy;
    }
}
