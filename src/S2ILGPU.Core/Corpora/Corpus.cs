using System.Text;

namespace S2ILGPU.Corpora;

/// <summary>Text to learn from: documents of UTF-8 bytes in one piece of memory, in a fixed order.</summary>
/// <remarks>Immutable and safe to share between threads.</remarks>
public sealed class Corpus
{
    /// <summary>Bytes that are read unless said otherwise.</summary>
    public const int DefaultMaxBytes = 20_000_000;

    /// <summary>The largest number of bytes that can be asked for.</summary>
    public const int LargestMaxBytes = 2_000_000_000;

    private readonly ReadOnlyMemory<byte> _bytes;
    private readonly int[] _starts; // [documents + 1]

    internal Corpus(ReadOnlyMemory<byte> bytes, int[] starts, IReadOnlyList<CorpusSource> sources,
        IReadOnlyList<SkippedSource> skipped)
    {
        (_bytes, _starts, Sources, Skipped) = (bytes, starts, sources, skipped);
    }

    /// <summary>Number of documents.</summary>
    public int DocumentCount => _starts.Length - 1;

    /// <summary>Bytes of text in all documents.</summary>
    public int SizeBytes => _bytes.Length;

    /// <summary>The files that were read, in order.</summary>
    public IReadOnlyList<CorpusSource> Sources { get; }

    /// <summary>The files that were left out, with the reason.</summary>
    public IReadOnlyList<SkippedSource> Skipped { get; }

    /// <summary>The text of a document.</summary>
    /// <param name="index">0 to <see cref="DocumentCount"/> exclusive.</param>
    /// <exception cref="ArgumentException">There is no such document.</exception>
    public ReadOnlySpan<byte> Document(int index) => (uint)index < (uint)DocumentCount
        ? _bytes.Span[_starts[index].._starts[index + 1]]
        : throw new ArgumentException($"document {index} of {DocumentCount} documents");

    /// <summary>Reads the files, folders and glob patterns that a user names.</summary>
    /// <param name="paths">Files, folders (read with their subfolders) and patterns with <c>*</c>, <c>?</c> and
    /// <c>**</c>; at least one.</param>
    /// <param name="maxBytes">Bytes to read at most; of more, a fixed sample over all files is taken: small files whole
    /// or not at all, of large ones the beginning.</param>
    /// <param name="progress">Told the bytes of text that are read, after each file; null for none.</param>
    /// <param name="cancellation">Ends the reading between two files.</param>
    /// <exception cref="ArgumentException"><paramref name="paths"/> is empty, or <paramref name="maxBytes"/> is not
    /// from 1 to <see cref="LargestMaxBytes"/>.</exception>
    /// <exception cref="FileNotFoundException">A path or pattern names nothing.</exception>
    /// <exception cref="InvalidDataException">There is no text in what was named.</exception>
    /// <exception cref="OperationCanceledException">The reading was cancelled.</exception>
    /// <remarks>A file is a document. Files with a zero byte at their beginning are binary and skipped, hidden files
    /// and folders are not looked at. Links to files are followed. A pipe or a device that is named, as
    /// <c>/dev/stdin</c>, is read to its end; in folders they are passed over.</remarks>
    public static Corpus Read(IReadOnlyList<string> paths, int maxBytes = DefaultMaxBytes,
        IProgress<long>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(paths);
        CheckMaxBytes(maxBytes);
        if (paths.Count == 0)
            throw new ArgumentException("no files, folders or patterns to read text from");
        return NotEmpty(TextFiles.Read(CorpusPaths.Find(paths), maxBytes, progress, cancellation),
            string.Join(", ", paths));
    }

    /// <summary>Takes text that is in memory already.</summary>
    /// <param name="documents">The documents, in order; empty ones are left out.</param>
    /// <exception cref="ArgumentException">There is no text in them.</exception>
    public static Corpus FromText(params IEnumerable<string> documents)
    {
        var corpus = new CorpusBuilder();
        foreach (string document in documents)
            corpus.Add(Encoding.UTF8.GetBytes(document));
        return corpus.SizeBytes > 0 ? corpus.Build([], [])
            : throw new ArgumentException("there is no text in the documents");
    }

    /// <summary>Divides the corpus into text to learn from and text to measure with.</summary>
    /// <param name="seed">Chooses the documents.</param>
    /// <returns>The two parts; together they are the corpus.</returns>
    /// <remarks>
    /// Of every 20 consecutive documents one, chosen by a hash, is for validation. With fewer than 20 documents the
    /// last twentieth of each is, cut after a line end, or at least after a character. Only an almost empty corpus
    /// gives an empty validation part.
    /// </remarks>
    public (Corpus Training, Corpus Validation) Split(long seed = 0)
    {
        const int Period = 20;
        var (training, validation) = (new CorpusBuilder(), new CorpusBuilder());
        for (int d = 0; d < DocumentCount; d++)
        {
            if (DocumentCount >= Period)
            {
                // The last, shorter group may have its validation document past its end, and then has none.
                long chosen = StableHash.Below(StableHash.Combine((ulong)seed, (ulong)(d / Period)), Period);
                (d % Period == chosen ? validation : training).Add(Document(d));
                continue;
            }
            var text = Document(d);
            int cut = TextFiles.CutLength(text, text.Length - text.Length / Period);
            training.Add(text[..cut]);
            validation.Add(text[cut..]);
        }
        return (training.Build(Sources, Skipped), validation.Build(Sources, Skipped));
    }

    /// <summary>Size, documents and files in one line, as in <c>20.0 MB of text in 4,100 documents from 178 files, 2
    /// skipped</c>.</summary>
    public override string ToString()
    {
        string size = SizeBytes < 100_000 ? $"{SizeBytes / 1e3:0.0} KB" : $"{SizeBytes / 1e6:0.0} MB";
        var text = new StringBuilder($"{size} of text in {DocumentCount:N0} document{(DocumentCount == 1 ? "" : "s")} "
            + $"from {Sources.Count:N0} file{(Sources.Count == 1 ? "" : "s")}");
        if (Skipped.Count > 0)
            text.Append($", {Skipped.Count:N0} skipped");
        return text.ToString();
    }

    internal static Corpus NotEmpty(Corpus corpus, string what)
    {
        if (corpus.SizeBytes > 0)
            return corpus;
        string skipped = corpus.Skipped.Count == 0 ? ""
            : $" (skipped: {string.Join(", ", corpus.Skipped.Take(4).Select(s => $"{s.Path}: {s.Reason}"))})";
        throw new InvalidDataException($"no text in {what}{skipped}");
    }

    internal static void CheckMaxBytes(int maxBytes)
    {
        if (maxBytes is < 1 or > LargestMaxBytes)
            throw new ArgumentException(
                $"the most bytes of text to read must be 1 to {LargestMaxBytes}, got {maxBytes}");
    }
}
