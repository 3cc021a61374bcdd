using System.IO.Enumeration;

namespace S2ILGPU.Corpora;

/// <summary>Turns the files, folders and patterns that a user names into a list of files, each once, in an order that
/// is the same everywhere.</summary>
internal static class CorpusPaths
{
    private static readonly char[] Separators = [Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar];

    public static List<string> Find(IEnumerable<string> paths)
    {
        var files = new List<string>();
        foreach (string path in paths)
        {
            ArgumentException.ThrowIfNullOrEmpty(path);
            int before = files.Count;
            if (File.Exists(path))
                files.Add(path);
            else if (Directory.Exists(path))
                files.AddRange(FilesBelow(path));
            else if (path.AsSpan().IndexOfAny('*', '?') >= 0)
                files.AddRange(FilesMatching(path));
            else
                throw new FileNotFoundException($"{path} does not exist", path);
            if (files.Count == before)
                throw new FileNotFoundException(Directory.Exists(path) ? $"there are no files in {path}"
                    : $"no file matches {path}", path);
        }
        return files.DistinctBy(Path.GetFullPath).ToList();
    }

    // All files below a folder but hidden ones, sorted; links to folders are not followed, they may go in circles.
    private static List<string> FilesBelow(string folder)
    {
        var options = new EnumerationOptions { RecurseSubdirectories = true };
        var files = new FileSystemEnumerable<string>(folder, (ref FileSystemEntry entry) =>
            entry.ToSpecifiedFullPath(), options)
        {
            ShouldIncludePredicate = (ref FileSystemEntry entry) => !entry.IsDirectory && !entry.IsHidden,
            ShouldRecursePredicate = (ref FileSystemEntry entry) =>
                !entry.IsHidden && (entry.Attributes & FileAttributes.ReparsePoint) == 0,
        };
        return [.. files.Order(StringComparer.Ordinal)];
    }

    // The folder is everything before the first segment with a wildcard.
    private static IEnumerable<string> FilesMatching(string pattern)
    {
        string[] segments = pattern.Split(Separators);
        int wild = Array.FindIndex(segments, s => s.AsSpan().IndexOfAny('*', '?') >= 0);
        string folder = string.Join(Path.DirectorySeparatorChar, segments[..wild]);
        if (wild == 0)
            folder = ".";
        else if (folder.Length == 0 || folder.EndsWith(':'))
            folder += Path.DirectorySeparatorChar;
        if (!Directory.Exists(folder))
            return [];
        string[] wanted = segments[wild..];
        return FilesBelow(folder).Where(file => Matches(wanted, Path.GetRelativePath(folder, file).Split(Separators)));
    }

    // ** stands for any number of folders, also none; * and ? stay inside a segment.
    private static bool Matches(ReadOnlySpan<string> pattern, ReadOnlySpan<string> path)
    {
        if (pattern.IsEmpty)
            return path.IsEmpty;
        if (pattern[0] == "**")
            return Matches(pattern[1..], path) || (!path.IsEmpty && Matches(pattern, path[1..]));
        return !path.IsEmpty && FileSystemName.MatchesSimpleExpression(pattern[0], path[0],
            ignoreCase: OperatingSystem.IsWindows())
            && Matches(pattern[1..], path[1..]);
    }
}
