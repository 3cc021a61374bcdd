using System.Text.RegularExpressions;
using Xunit;

namespace S2ILGPU.Core.Tests.House;

/// <summary>Dependencies between the folders of Core point one way, as ARCHITECTURE.md draws them.</summary>
public sealed partial class ArrowTests
{
    // Folder -> folders that it names itself; what those may use, it may use too.
    private static readonly Dictionary<string, string[]> s_arrows = new()
    {
        ["Patterns"] = [],
        ["Layouts"] = ["Patterns"],
        ["Tensors"] = [],
        ["Storage"] = [],
        ["Text"] = ["Storage"],
        ["Backends"] = ["Tensors", "Layouts"],
        ["Cpu"] = ["Backends"],
        ["Autograd"] = ["Backends"],
        ["Ops"] = ["Autograd"],
        ["Nn"] = ["Ops"],
        ["Models"] = ["Nn"],
        ["Training"] = ["Models", "Text", "Storage"],
        ["Inference"] = ["Models", "Text"],
    };

    // The registry is the only place that names implementations.
    private static readonly (string File, string Folder)[] s_exceptions = [("src/S2ILGPU.Core/Backends/Engine.cs", "Cpu")];

    [Fact]
    public void Every_folder_has_its_place()
    {
        var folders = Directory.GetDirectories(Repository.PathOf("src", "S2ILGPU.Core")).Select(Path.GetFileName).Except(["bin", "obj"]);
        Assert.Equal(s_arrows.Keys.Order(), folders.Order());
    }

    [Fact]
    public void Folders_name_only_folders_below_them()
    {
        var wrong = from source in Repository.Sources("src/S2ILGPU.Core")
                    let folder = source.Path.Split('/')[2]
                    from named in Named(source.Text)
                    where named != folder && !Reachable(folder).Contains(named) && !s_exceptions.Contains((source.Path, named))
                    select $"{source.Path} names {named}";
        Assert.Empty(wrong);
    }

    [Fact]
    public void The_arrows_have_no_cycle() => Assert.All(s_arrows.Keys, folder => Assert.DoesNotContain(folder, Reachable(folder)));

    [Fact]
    public void Core_references_nothing_but_the_framework()
    {
        var references = typeof(S2ILGPU.Patterns.AttentionPattern).Assembly.GetReferencedAssemblies().Select(a => a.Name!);
        Assert.All(references, name => Assert.StartsWith("System.", name));
    }

    private static HashSet<string> Reachable(string folder)
    {
        var reached = new HashSet<string>();
        var open = new Stack<string>(s_arrows[folder]);
        while (open.TryPop(out string? next))
            if (reached.Add(next))
                foreach (string further in s_arrows[next])
                    open.Push(further);
        return reached;
    }

    // Names with and without the root: a file in S2ILGPU.A can write B.Type for S2ILGPU.B.Type.
    private static IEnumerable<string> Named(string text) => Name().Matches(Comment().Replace(text, ""))
        .Select(m => m.Groups[1].Value).Where(s_arrows.ContainsKey).Distinct();

    [GeneratedRegex(@"(?:\bS2ILGPU\.|(?<=[\s(<,!])(?=[A-Z]\w+\.[A-Z]\w*[.(<]))([A-Z]\w+)")]
    private static partial Regex Name();

    [GeneratedRegex(@"//.*$", RegexOptions.Multiline)]
    private static partial Regex Comment();
}
