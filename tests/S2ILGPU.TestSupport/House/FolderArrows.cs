using System.Text.RegularExpressions;
using Xunit;

namespace S2ILGPU.TestSupport;

/// <summary>Dependencies between the folders of a project point one way.</summary>
/// <param name="project">Folder of the project, as in <c>src/S2ILGPU.Core</c>.</param>
/// <param name="arrows">Folder, and the folders that it names itself; what those may use, it may use too. Files outside
/// of folders may name all.</param>
/// <param name="exceptions">Files that may name a folder in spite of the arrows.</param>
public sealed partial class FolderArrows(string project, IReadOnlyDictionary<string, string[]> arrows,
    params (string File, string Folder)[] exceptions)
{
    /// <summary>The map has the folders that there are.</summary>
    public void CheckFolders()
    {
        var folders = Directory.GetDirectories(Repository.PathOf(project)).Select(Path.GetFileName)
            .Except(["bin", "obj"]);
        Assert.Equal(arrows.Keys.Order(), folders.Order());
    }

    /// <summary>Files name only folders below their own.</summary>
    public void CheckNames()
    {
        int depth = project.Split('/').Length;
        var wrong = from source in Repository.Sources(project)
                    let folder = source.Path.Split('/')[depth]
                    where arrows.ContainsKey(folder)
                    from named in Named(source.Text)
                    where named != folder && !Reachable(folder).Contains(named)
                        && !exceptions.Contains((source.Path, named))
                    select $"{source.Path} names {named}";
        Assert.Empty(wrong);
    }

    /// <summary>No folder depends on itself.</summary>
    public void CheckCycles() => Assert.All(arrows.Keys, folder => Assert.DoesNotContain(folder, Reachable(folder)));

    private HashSet<string> Reachable(string folder)
    {
        var reached = new HashSet<string>();
        var open = new Stack<string>(arrows[folder]);
        while (open.TryPop(out string? next))
            if (reached.Add(next))
                foreach (string further in arrows[next])
                    open.Push(further);
        return reached;
    }

    // Names with and without the root: a file in S2ILGPU.A can write B.Type for S2ILGPU.B.Type.
    private IEnumerable<string> Named(string text) => Name().Matches(Comment().Replace(text, ""))
        .Select(m => m.Groups[1].Value).Where(arrows.ContainsKey).Distinct();

    [GeneratedRegex(@"(?:\bS2ILGPU\.|(?<=[\s(<,!])(?=[A-Z]\w+\.[A-Z]\w*[.(<]))([A-Z]\w+)")]
    private static partial Regex Name();

    [GeneratedRegex(@"//.*$", RegexOptions.Multiline)]
    private static partial Regex Comment();
}
