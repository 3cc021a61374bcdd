namespace S2ILGPU.Storage;

/// <summary>Files read to their end. What a directory says about a length is not asked: of a link it is the length of
/// the link, of a pipe and of <c>/dev/stdin</c> it is 0.</summary>
internal static class FileContent
{
    private const int ChunkBytes = 1 << 16;

    /// <summary>Opens a file, a pipe or a device to read.</summary>
    /// <param name="path">The file; links are followed.</param>
    /// <param name="content">What it should hold, for messages, as in <c>a configuration</c>.</param>
    /// <exception cref="FileNotFoundException">The file does not exist or is a folder.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static FileStream Open(string path, string content)
    {
        FileErrors.CheckPath(path);
        switch (FileKinds.Of(path))
        {
            case FileKind.Missing:
                throw new FileNotFoundException($"{path} does not exist", path);
            case FileKind.Folder:
                throw new FileNotFoundException($"{path} is a folder, not {content}", path);
        }
        return FileErrors.Explained(path, "read", () => new FileStream(path, FileMode.Open, FileAccess.Read,
            FileShare.ReadWrite | FileShare.Delete, bufferSize: 0));
    }

    /// <summary>Reads a whole file.</summary>
    /// <param name="path">The file; links are followed, pipes are read until their writer closes them.</param>
    /// <param name="content">What it should hold, for messages, as in <c>a configuration</c>.</param>
    /// <param name="maxBytes">The most bytes that it may have.</param>
    /// <exception cref="InvalidDataException">The file is longer.</exception>
    /// <exception cref="FileNotFoundException">The file does not exist or is a folder.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static byte[] Read(string path, string content, int maxBytes)
    {
        using var stream = Open(path, content);
        byte[] bytes = FileErrors.Explained(path, "read", () => ReadUpTo(stream, maxBytes + 1L));
        return bytes.Length <= maxBytes ? bytes
            : throw new InvalidDataException($"{path}: more than the {maxBytes} bytes that {content} may have");
    }

    /// <summary>Reads to the end, or to a number of bytes where the end is further away.</summary>
    public static byte[] ReadUpTo(Stream stream, long maxBytes)
    {
        long expected = stream.CanSeek ? stream.Length - stream.Position : 0;
        // One byte more than expected, so that the end is seen without growing.
        var buffer = new byte[Math.Min(maxBytes, Math.Max(ChunkBytes, Math.Min(expected + 1, Array.MaxLength)))];
        int count = 0;
        while (count < maxBytes)
        {
            if (count == buffer.Length)
                Array.Resize(ref buffer, (int)Math.Min(Math.Min(maxBytes, buffer.Length * 2L), Array.MaxLength));
            int read = stream.Read(buffer, count, buffer.Length - count);
            if (read == 0)
                break;
            count += read;
        }
        Array.Resize(ref buffer, count);
        return buffer;
    }
}
