using System.Runtime.CompilerServices;

namespace S2ILGPU.TestSupport;

/// <summary>The checkout that the tests were built from.</summary>
public static class Repository
{
    /// <summary>Its root folder.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>A path below the root.</summary>
    public static string PathOf(params ReadOnlySpan<string> parts) => Path.Combine([Root, .. parts]);

    /// <summary>The folder that a project was built into, in the configuration of the running tests: with what a
    /// reference to it does not copy.</summary>
    /// <param name="project">The project's folder.</param>
    public static string OutputOf(string project) => PathOf(project, "bin",
        new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name, new DirectoryInfo(AppContext.BaseDirectory).Name);

    /// <summary>The C# files below a folder, or those of another kind, without build outputs, with their paths relative
    /// to the root.</summary>
    public static IEnumerable<(string Path, string Text)> Sources(string folder, string kind = "*.cs") =>
        Directory.EnumerateFiles(PathOf(folder), kind, SearchOption.AllDirectories)
        .Select(file => Path.GetRelativePath(Root, file).Replace('\\', '/'))
        .Where(file => !file.Split('/').Any(part => part is "bin" or "obj"))
        .Order(StringComparer.Ordinal)
        .Select(file => (file, File.ReadAllText(PathOf(file))));

    private static string FindRoot([CallerFilePath] string thisFile = "")
    {
        for (var folder = Directory.GetParent(thisFile); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "S2ILGPU.slnx")))
                return folder.FullName;
        throw new DirectoryNotFoundException($"no S2ILGPU.slnx above {thisFile}");
    }
}
