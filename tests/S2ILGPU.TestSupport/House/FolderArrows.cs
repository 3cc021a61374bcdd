using System.Reflection;
using System.Text.RegularExpressions;
using Xunit;

namespace S2ILGPU.TestSupport;

/// <summary>Dependencies between the folders of a project point one way, as the compiled types use each
/// other.</summary>
/// <remarks>A folder is a path, as in <c>Kernels/Attention</c>; <c>""</c> is the root of the project, whose files may
/// use all folders. A namespace is the path of its folder, which is checked too.</remarks>
/// <param name="assembly">The project's assembly.</param>
/// <param name="project">Its folder, as in <c>src/S2ILGPU.Core</c>.</param>
/// <param name="root">Its root namespace.</param>
/// <param name="arrows">For each folder the folders that it uses itself; what those may use, it may use too.</param>
/// <param name="exceptions">Types that may use a folder in spite of the arrows.</param>
public sealed partial class FolderArrows(Assembly assembly, string project, string root,
    IReadOnlyDictionary<string, string[]> arrows, params (string Type, string Folder)[] exceptions)
{
    /// <summary>The map has the folders that there are, and namespaces are their paths.</summary>
    public void CheckFolders()
    {
        Assert.Equal(arrows.Keys.Order(), SourceFolders().Distinct().Order());
        var wrong = from source in Repository.Sources(project)
                    let declared = Namespace().Match(source.Text).Groups[1].Value
                    where declared != "" && declared != NamespaceOf(FolderOfFile(source.Path))
                    select $"{source.Path} is in namespace {declared}";
        Assert.Empty(wrong);
    }

    /// <summary>Types use only types of their own folder and of folders below it.</summary>
    public void CheckUses() => Assert.Empty(WrongUses());

    /// <summary>Every arrow of the map is one that types use.</summary>
    public void CheckArrows()
    {
        var used = Uses().Select(use => (use.From, use.To)).ToHashSet();
        Assert.Empty(arrows.SelectMany(from => from.Value.Select(to => (from.Key, to))).Where(arrow =>
            !used.Contains(arrow)));
    }

    /// <summary>No folder depends on itself.</summary>
    public void CheckCycles() => Assert.All(arrows.Keys, folder => Assert.DoesNotContain(folder, Reachable(folder)));

    /// <summary>The uses that no arrow allows, as in <c>Layouts.BlockLayout uses Models.AttentionPlan</c>.</summary>
    public IEnumerable<string> WrongUses() => from use in Uses()
                                              where use.From != "" && !Reachable(use.From).Contains(use.To)
                                                  && !exceptions.Contains((use.Type.FullName!, use.To))
                                              select $"{use.Type.FullName} uses {use.Used.FullName}";

    private IEnumerable<(string From, string To, Type Type, Type Used)> Uses() =>
        from type in assembly.GetTypes()
        where type.DeclaringType is null && IsOurs(type)
        from used in TypeUses.Of(type)
        where IsOurs(used) && FolderOf(used) != FolderOf(type)
        select (FolderOf(type), FolderOf(used), type, used);

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

    private IEnumerable<string> SourceFolders() =>
        Repository.Sources(project).Where(source => Namespace().IsMatch(source.Text))
        .Select(source => FolderOfFile(source.Path));

    private string FolderOfFile(string path) => (Path.GetDirectoryName(path) ?? "").Replace('\\', '/')[project.Length..]
        .TrimStart('/');

    private string NamespaceOf(string folder) => folder == "" ? root : $"{root}.{folder.Replace('/', '.')}";

    // Not what compilers and generators add in namespaces of their own.
    private bool IsOurs(Type type) => type.Namespace == root
        || type.Namespace?.StartsWith(root + ".", StringComparison.Ordinal) == true;

    private string FolderOf(Type type) => type.Namespace![root.Length..].TrimStart('.').Replace('.', '/');

    [GeneratedRegex(@"^namespace ([\w.]+);", RegexOptions.Multiline)]
    private static partial Regex Namespace();
}
