namespace S2ILGPU.Corpora;

/// <summary>Reads text files into a corpus, a document each; of too many bytes a fixed sample.</summary>
internal static class TextFiles
{
    private const int SmallFileBytes = 1 << 16, InspectedBytes = 1 << 13;

    public static Corpus Read(IReadOnlyList<string> files, int maxBytes)
    {
        var lengths = files.Select(file => new FileInfo(file).Length).ToArray();
        var parts = ChooseParts(lengths, maxBytes);
        var builder = new CorpusBuilder();
        var (sources, skipped) = (new List<CorpusSource>(), new List<SkippedSource>());
        for (int f = 0; f < files.Count; f++)
        {
            string? reason = parts[f] == 0 ? (lengths[f] == 0 ? "empty" : "not in the sample") : null;
            if (reason is null && TryRead(files[f], (int)parts[f], parts[f] < lengths[f], out var text, out reason))
            {
                int documents = builder.DocumentCount;
                builder.Add(text);
                sources.Add(new CorpusSource(files[f], builder.DocumentCount - documents, text.Length));
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

    private static bool TryRead(string file, int bytes, bool isPart, out ReadOnlySpan<byte> text, out string? reason)
    {
        text = default;
        byte[] buffer = new byte[bytes];
        try
        {
            using var stream = File.OpenRead(file);
            text = buffer.AsSpan(0, stream.ReadAtLeast(buffer, bytes, throwOnEndOfStream: false));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            reason = e.Message;
            return false;
        }
        if (text.StartsWith("\uFEFF"u8))
            text = text[3..];
        if (isPart)
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
}
