using System.Runtime.InteropServices;
using S2ILGPU.Corpora;

namespace S2ILGPU.Cli.DotNetDocumentation;

/// <summary>Finds the XML documentation that a .NET SDK carries: <c>packs/*.Ref/VERSION/ref/netX.Y/*.xml</c> below the
/// folder of the dotnet host.</summary>
internal static class ReferencePacks
{
    /// <summary>The documentation as a corpus of plain text: a document per type with its members. Reads some 40 MB of
    /// XML in 1 to 2 s.</summary>
    /// <param name="maxBytes">Bytes to read at most; of more, a fixed sample of the types is taken.</param>
    /// <param name="dotnetRoot">The folder of a .NET installation; null to find that of the running process.</param>
    /// <exception cref="FileNotFoundException">No reference pack was found.</exception>
    /// <exception cref="InvalidDataException">There is no text in them.</exception>
    public static Corpus ReadCorpus(int maxBytes = Corpus.DefaultMaxBytes, string? dotnetRoot = null)
    {
        Corpus.CheckMaxBytes(maxBytes);
        var files = FindDocumentation(dotnetRoot);
        return Corpus.NotEmpty(XmlDocumentation.Read(files, maxBytes),
            $"{files.Count} documentation files of {Path.GetDirectoryName(files[0])}");
    }

    /// <summary>The corpus that a command reads: the files that are named, or the documentation of .NET when none
    /// is.</summary>
    public static Corpus ReadOr(IReadOnlyList<string> paths, int maxBytes) =>
        paths.Count == 0 ? ReadCorpus(maxBytes) : Corpus.Read(paths, maxBytes);

    /// <summary>The documentation files, each name once, as packs repeat each other's; of each pack the newest version.
    /// In a fixed order.</summary>
    /// <exception cref="FileNotFoundException">There are none.</exception>
    public static List<string> FindDocumentation(string? dotnetRoot)
    {
        string[] roots = dotnetRoot is not null ? [dotnetRoot]
            : [.. CandidateRoots().Where(Directory.Exists).Select(Path.GetFullPath).Distinct()];
        foreach (string root in roots)
            if (FilesOf(root) is { Count: > 0 } files)
                return files;
        string places = roots.Length == 0 ? "any known place" : string.Join(", ", roots);
        throw new FileNotFoundException(
            $"no .NET reference packs with documentation (packs/*.Ref/*/ref/net*/*.xml) found in {places}: "
            + "install a .NET SDK, or name text files to learn from with --data");
    }

    private static List<string> FilesOf(string root)
    {
        string packs = Path.Combine(root, "packs");
        if (!Directory.Exists(packs))
            return [];
        var files = new List<string>();
        foreach (string pack in Directory.GetDirectories(packs, "*.Ref").Order(StringComparer.Ordinal))
            if (Newest(pack, "*") is { } version && Newest(Path.Combine(version, "ref"), "net*") is { } framework)
                files.AddRange(Directory.GetFiles(framework, "*.xml").Order(StringComparer.Ordinal));
        return [.. files.DistinctBy(Path.GetFileName)];
    }

    // The subfolder with the highest version in its name: 10.0.2 comes after 9.0.11, and a preview before its release.
    private static string? Newest(string folder, string pattern)
    {
        if (!Directory.Exists(folder))
            return null;
        return Directory.GetDirectories(folder, pattern)
            .OrderBy(VersionOf).ThenByDescending(path => Path.GetFileName(path).Contains('-'))
            .ThenBy(path => path, StringComparer.Ordinal).LastOrDefault();

        static Version VersionOf(string path)
        {
            string number = Path.GetFileName(path).Split('-')[0].TrimStart('n', 'e', 't');
            return Version.TryParse(number, out var version) ? version : new Version(0, 0);
        }
    }

    private static IEnumerable<string> CandidateRoots()
    {
        // .../dotnet/shared/Microsoft.NETCore.App/10.0.0/ is three levels below the root.
        for (var folder = new DirectoryInfo(RuntimeEnvironment.GetRuntimeDirectory()); folder is not null;
            folder = folder.Parent)
            if (Directory.Exists(Path.Combine(folder.FullName, "packs")))
                yield return folder.FullName;
        if (Environment.GetEnvironmentVariable("DOTNET_ROOT") is { Length: > 0 } root)
            yield return root;
        if (Path.GetDirectoryName(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH")) is { Length: > 0 } host)
            yield return host;
        if (OperatingSystem.IsWindows())
            yield return Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.ProgramFiles), "dotnet");
        else
            foreach (string folder in (string[])["/usr/share/dotnet", "/usr/lib/dotnet", "/usr/lib64/dotnet",
                "/usr/local/share/dotnet"])
                yield return folder;
        yield return Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".dotnet");
    }
}
