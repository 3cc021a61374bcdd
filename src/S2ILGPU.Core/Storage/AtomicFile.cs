using System.Text;

namespace S2ILGPU.Storage;

/// <summary>Writes files so that a reader sees the old content or the whole new content, never half of it: write to a
/// temporary name in the same folder, flush to disk, rename.</summary>
/// <remarks>
/// <para>Links are followed: the file that a link leads to is replaced, the link stays. A replaced file keeps its
/// permissions. Pipes and character devices (<c>/dev/stdout</c>, <c>/dev/null</c>) have no content to replace: they
/// are written as the content comes. Sockets and block devices are refused.</para>
/// <para>A process that is killed leaves its temporary file behind; the next write of the same name removes it. The
/// writer holds a lock on its temporary file, so one that is in use is never removed.</para>
/// </remarks>
public static class AtomicFile
{
    /// <summary>Writes a file; whatever stood there is replaced at the very end.</summary>
    /// <param name="path">The file to write; its folder must exist.</param>
    /// <param name="write">Writes the content, front to back; the stream cannot seek. When it throws, the temporary
    /// file is deleted and the old file stays; of a pipe or device the reader has seen what came before.</param>
    /// <exception cref="ArgumentException"><paramref name="path"/> is empty.</exception>
    /// <exception cref="DirectoryNotFoundException">The folder does not exist.</exception>
    /// <exception cref="UnauthorizedAccessException">The file or its folder may not be written.</exception>
    /// <exception cref="IOException">The path is a folder, a socket or a block device, or the disk refused.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        FileErrors.CheckPath(path);
        ArgumentNullException.ThrowIfNull(write);
        switch (FileKinds.Of(path))
        {
            case FileKind.Folder:
                throw new IOException($"{path} is a folder, a file cannot be written there");
            case FileKind.Other:
                throw new IOException($"{path} is a socket or a block device, a file cannot be written there");
            case FileKind.Pipe or FileKind.CharacterDevice:
                WriteThrough(path, write);
                break;
            default:
                if (LinkTarget.IsOfProcess(path))
                    WriteThrough(path, write);
                else
                    Replace(path, LinkTarget.Of(path), write);
                break;
        }
    }

    /// <summary>Writes a text file in UTF-8 without a byte order mark.</summary>
    /// <param name="path">The file to write; its folder must exist.</param>
    /// <param name="text">The content.</param>
    /// <exception cref="IOException">See <see cref="Write"/>.</exception>
    public static void WriteText(string path, string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(text)));
    }

    private static void WriteThrough(string path, Action<Stream> write)
    {
        using var file = FileErrors.Explained(path, "written", () =>
            new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0));
        var stream = new ForwardStream(file, path);
        write(stream);
        stream.Flush();
    }

    private static void Replace(string path, string target, Action<Stream> write)
    {
        string folder = Path.GetDirectoryName(target) ?? target;
        if (!Directory.Exists(folder))
            throw new DirectoryNotFoundException($"{path}: the folder {folder} does not exist");
        TemporaryFile.RemoveAbandoned(target);
        using var temporary = FileErrors.Explained(path, "written", () => TemporaryFile.Beside(target));
        var stream = new ForwardStream(temporary.Stream, path);
        write(stream);
        stream.Flush();
        FileErrors.Explained(path, "written", () =>
        {
            temporary.Stream.Flush(flushToDisk: true);
            return temporary.MoveTo(target);
        });
    }
}
