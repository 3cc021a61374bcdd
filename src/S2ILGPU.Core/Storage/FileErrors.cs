namespace S2ILGPU.Storage;

/// <summary>What the system says about files, in our own words: the messages of .NET name other things than the user
/// named.</summary>
internal static class FileErrors
{
    /// <summary>Refuses a path that cannot name a file.</summary>
    /// <exception cref="ArgumentException">The path is null, empty or holds a zero character.</exception>
    public static void CheckPath(string? path)
    {
        if (string.IsNullOrEmpty(path))
            throw new ArgumentException("the path of a file is empty");
        if (path.Contains('\0'))
            throw new ArgumentException($"the path '{path.Replace("\0", "\\0")}' holds a zero character");
    }

    /// <summary>Does something with a file; a failure of the system comes out with the path and in our words.</summary>
    /// <param name="path">The file, as the user named it.</param>
    /// <param name="action">What fails then, as in <c>written</c>.</param>
    /// <param name="attempt">What to do: calls of the system only, no code of others.</param>
    public static T Explained<T>(string path, string action, Func<T> attempt)
    {
        try
        {
            return attempt();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Explain(path, action, e);
        }
    }

    /// <summary>The same failure with the path and the reason in our words; failures of our own come back as they
    /// are.</summary>
    /// <param name="path">The file, as the user named it.</param>
    /// <param name="action">What failed, as in <c>written</c>.</param>
    /// <param name="failure">The failure.</param>
    public static Exception Explain(string path, string action, Exception failure)
    {
        string message = $"{path} cannot be {action}: {Reason(failure)}";
        return failure switch
        {
            UnauthorizedAccessException => new UnauthorizedAccessException(message, failure),
            FileNotFoundException => new FileNotFoundException($"{path} does not exist", path, failure),
            DirectoryNotFoundException => new DirectoryNotFoundException($"{path} does not exist", failure),
            IOException when IsFromSystem(failure) => new IOException(message, failure),
            _ => failure,
        };
    }

    /// <summary>Why a file could not be opened, read or written.</summary>
    public static string Reason(Exception failure) => failure switch
    {
        UnauthorizedAccessException => "permission denied",
        FileNotFoundException or DirectoryNotFoundException => "it does not exist",
        PathTooLongException => "the name is too long",
        EndOfStreamException => "it is shorter than expected",
        _ => (failure.HResult & 0xFFFF) switch
        {
            5 => "input/output error",
            11 or 32 when IsSharing(failure) => "another process uses it",
            27 => "the file would be too large",
            28 or 112 => "no space is left on the disk",
            30 => "the file system is read-only",
            32 => "the reader closed the pipe",
            36 => "the name is too long",
            40 => "too many links",
            122 => "the disk quota is used up",
            var code => $"system error {code}",
        },
    };

    // Failures that the system reports carry its number; exceptions made in C# carry 0x80131620.
    private static bool IsFromSystem(Exception failure) =>
        failure is PathTooLongException || failure.HResult is > 0 and < 0x1000
        || (failure.HResult & 0xFFFF0000) == 0x80070000;

    private static bool IsSharing(Exception failure) =>
        OperatingSystem.IsWindows() || (failure.HResult & 0xFFFF) == 11;
}
