namespace S2ILGPU.Cli.Commands;

/// <summary>Checks a file that a command will write before the work begins.</summary>
internal static class TargetFile
{
    /// <summary>Refuses a path that cannot be written.</summary>
    /// <param name="option">The option that named it.</param>
    /// <param name="path">The path; null when the option was left out.</param>
    /// <exception cref="DirectoryNotFoundException">Its folder does not exist.</exception>
    /// <exception cref="InvalidDataException">It is a folder itself.</exception>
    public static void Check(string option, string? path)
    {
        if (path is null)
            return;
        if (path.Length == 0)
            throw new InvalidDataException($"{option} is empty");
        string full = Path.GetFullPath(path);
        if (Directory.Exists(full))
            throw new InvalidDataException($"{option}: {path} is a folder, a file was expected");
        if (Path.GetDirectoryName(full) is { } folder && !Directory.Exists(folder))
            throw new DirectoryNotFoundException($"{option}: the folder {folder} does not exist");
    }

    /// <summary>Whether two paths name one file, links followed.</summary>
    public static bool IsSame(string first, string second) => Resolved(first) == Resolved(second);

    private static string Resolved(string path) =>
        File.Exists(path) && File.ResolveLinkTarget(path, returnFinalTarget: true) is { } target ? target.FullName
        : Path.GetFullPath(path);
}
