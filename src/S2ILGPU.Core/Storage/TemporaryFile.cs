using System.IO.Enumeration;
using System.Security.Cryptography;
using System.Text;

namespace S2ILGPU.Storage;

/// <summary>The file that a new content is written to before it takes the place of another.</summary>
/// <remarks>The open stream holds a lock on the file until it has its final name. Another process that can take the
/// lock of such a file therefore knows that its writer is gone, whatever process, container or machine it ran
/// in.</remarks>
internal sealed class TemporaryFile : IDisposable
{
    private const int NameBytes = 255, Attempts = 16;
    private const string RandomPart = ".????????.???.tmp";

    // Rename works on an open file: on Unix always, on Windows where deletion is shared. Elsewhere than on Windows
    // only an exclusive lock is one on every file system.
    private static readonly FileShare s_sharing =
        OperatingSystem.IsWindows() ? FileShare.Read | FileShare.Delete : FileShare.None;

    private string? _path;

    private TemporaryFile(string path, FileStream stream) => (_path, Stream) = (path, stream);

    /// <summary>Where to write, unbuffered.</summary>
    public FileStream Stream { get; }

    /// <summary>Creates and locks an empty file in the folder of another, with the permissions of that one if it is
    /// there.</summary>
    /// <param name="target">The file that it will replace.</param>
    public static TemporaryFile Beside(string target)
    {
        string folder = Path.GetDirectoryName(target)!, prefix = Prefix(target);
        for (int attempt = 1; ; attempt++)
        {
            string path = Path.Combine(folder, $"{prefix}.{Path.GetRandomFileName()}.tmp");
            if (TryCreate(path, attempt == Attempts) is not { } stream)
                continue;
            var file = new TemporaryFile(path, stream);
            if (!OperatingSystem.IsWindows() && File.Exists(target))
                File.SetUnixFileMode(stream.SafeFileHandle, File.GetUnixFileMode(target));
            return file;
        }
    }

    /// <summary>Gives the file its final name and unlocks it.</summary>
    public bool MoveTo(string target)
    {
        File.Move(_path!, target, overwrite: true);
        _path = null;
        Stream.Dispose();
        return true;
    }

    /// <summary>Closes the file, and deletes it unless it has its final name.</summary>
    public void Dispose()
    {
        if (_path is not null)
            Delete(_path);
        Stream.Dispose();
    }

    /// <summary>Deletes the temporary files of a target whose writers are gone.</summary>
    public static void RemoveAbandoned(string target)
    {
        string prefix = Prefix(target);
        try
        {
            foreach (string file in Directory.EnumerateFiles(Path.GetDirectoryName(target)!, "*.tmp"))
                if (IsOf(prefix, Path.GetFileName(file)) && FileKinds.Of(file) == FileKind.Regular)
                    RemoveIfAbandoned(file);
        }
        catch (UnauthorizedAccessException)
        {
            // A folder that may be written but not listed.
        }
    }

    // Between the creation and the lock another process may take the file for abandoned: then it is locked or gone, and
    // another name is tried.
    private static FileStream? TryCreate(string path, bool isLast)
    {
        try
        {
            var stream = new FileStream(path, FileMode.CreateNew, FileAccess.Write, s_sharing, bufferSize: 0);
            if (File.Exists(path))
                return stream;
            stream.Dispose();
        }
        catch (IOException) when (!isLast && File.Exists(path))
        {
        }
        return null;
    }

    private static void RemoveIfAbandoned(string file)
    {
        try
        {
            using var locked = new FileStream(file, FileMode.Open, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
            Delete(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // In use, of another user, or gone by now.
        }
    }

    private static void Delete(string file)
    {
        try
        {
            File.Delete(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // What went wrong before is what the caller must hear; the next write tries again.
        }
    }

    private static bool IsOf(string prefix, string name) =>
        name.StartsWith(prefix, StringComparison.Ordinal)
        && FileSystemName.MatchesSimpleExpression(RandomPart, name.AsSpan(prefix.Length), ignoreCase: false)
        && name.Length == prefix.Length + RandomPart.Length;

    // The target's name, so that a person sees where the file belongs; a name that leaves no room, as a hash.
    private static string Prefix(string target)
    {
        byte[] name = Encoding.UTF8.GetBytes(Path.GetFileName(target));
        return name.Length + RandomPart.Length <= NameBytes ? Path.GetFileName(target)
            : $"s2-{Convert.ToHexStringLower(SHA256.HashData(name).AsSpan(0, 16))}";
    }
}
