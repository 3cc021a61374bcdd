using S2ILGPU.Storage;

namespace S2ILGPU.Corpora;

/// <summary>Reads text files into a corpus, a document each; of too many bytes a fixed sample.</summary>
internal static class TextFiles
{
    private const int SmallFileBytes = 1 << 16, InspectedBytes = 1 << 13;

    public static Corpus Read(IReadOnlyList<string> files, int maxBytes, IProgress<long>? progress,
        CancellationToken cancellation)
    {
        var found = new FoundText[files.Count];
        for (int f = 0; f < found.Length; f++)
        {
            cancellation.ThrowIfCancellationRequested();
            found[f] = Measure(files[f], maxBytes);
        }
        long[] parts = ChooseParts([.. found.Select(text => text.Length)], maxBytes);
        var builder = new CorpusBuilder();
        var (sources, skipped) = (new List<CorpusSource>(), new List<SkippedSource>());
        for (int f = 0; f < files.Count; f++)
        {
            cancellation.ThrowIfCancellationRequested();
            string? reason = found[f].Problem
                ?? (parts[f] == 0 ? (found[f].Length == 0 ? "empty" : "not in the sample") : null);
            if (reason is null && TryRead(files[f], found[f], (int)parts[f], out var text, out reason))
            {
                int documents = builder.DocumentCount;
                builder.Add(text);
                sources.Add(new CorpusSource(files[f], builder.DocumentCount - documents, text.Length));
                progress?.Report(builder.SizeBytes);
            }
            else
                skipped.Add(new SkippedSource(files[f], reason!));
        }
        return builder.Build(sources, skipped);
    }

    /// <summary>How many bytes each file gives: all that fit under a common level, the level such that together they
    /// make <paramref name="maxBytes"/>.</summary>
    /// <remarks>Where the level would be below a small file's size, files come in the order of a hash until the bytes
    /// are spent.</remarks>
    internal static long[] ChooseParts(long[] lengths, long maxBytes)
    {
        var parts = (long[])lengths.Clone();
        if (lengths.Sum() <= maxBytes)
            return parts;
        long level = maxBytes, left = maxBytes;
        long[] sorted = [.. lengths.Order()];
        for (int f = 0; f < sorted.Length; left -= sorted[f++])
        {
            level = left / (sorted.Length - f);
            if (sorted[f] > level)
                break;
        }
        level = Math.Max(level, SmallFileBytes);
        left = maxBytes;
        foreach (int f in Enumerable.Range(0, lengths.Length).OrderBy(f => StableHash.Mix((ulong)f)))
        {
            parts[f] = Math.Min(Math.Min(lengths[f], level), left);
            left -= parts[f];
        }
        return parts;
    }

    // The length is asked of the open file, not of its name: a link has the length of its target. What has no length,
    // as a pipe or a file of /proc, is read to its end at once, and can be read only once.
    private static FoundText Measure(string file, int maxBytes)
    {
        try
        {
            using var stream = FileContent.Open(file, "a text");
            if (stream.CanSeek && stream.Length > 0)
                return new FoundText(stream.Length, null, null);
            byte[] text = FileContent.ReadUpTo(stream, maxBytes + 1L);
            return new FoundText(text.Length, text, null);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new FoundText(0, null, FileErrors.Reason(e.InnerException ?? e));
        }
    }

    private static bool TryRead(string file, FoundText found, int bytes, out ReadOnlySpan<byte> text,
        out string? reason)
    {
        text = found.Text is { } whole ? whole.AsSpan(0, bytes) : default;
        try
        {
            if (found.Text is null)
            {
                using var stream = FileContent.Open(file, "a text");
                text = FileContent.ReadUpTo(stream, bytes);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            reason = FileErrors.Reason(e.InnerException ?? e);
            return false;
        }
        if (text.StartsWith("\uFEFF"u8))
            text = text[3..];
        if (bytes < found.Length)
            text = text[..CutLength(text, text.Length)];
        reason = text[..Math.Min(text.Length, InspectedBytes)].Contains((byte)0) ? "binary" : text.IsEmpty
            ? "empty" : null;
        return reason is null;
    }

    /// <summary>The largest length up to <paramref name="length"/> after which text can be cut: after a line end if
    /// there is one near, else between two characters.</summary>
    internal static int CutLength(ReadOnlySpan<byte> text, int length)
    {
        int line = text[..length].LastIndexOf((byte)'\n') + 1;
        if (line > length - length / 4)
            return line;
        for (int cut = length; cut > Math.Max(0, length - 4); cut--)
            if (cut == text.Length || (text[cut] & 0xC0) != 0x80)
                return cut;
        return length;
    }

    /// <summary>What is known of a file before its part is chosen.</summary>
    /// <param name="Length">Bytes; of a text that has no end, one more than are wanted.</param>
    /// <param name="Text">The text itself where it could not be measured without reading it.</param>
    /// <param name="Problem">Why the file cannot be read.</param>
    private readonly record struct FoundText(long Length, byte[]? Text, string? Problem);
}
