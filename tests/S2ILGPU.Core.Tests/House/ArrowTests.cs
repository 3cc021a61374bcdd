using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.House;

/// <summary>Dependencies between the folders of Core point one way, as ARCHITECTURE.md draws them.</summary>
public sealed class ArrowTests
{
    // The registry is the only place that names implementations.
    private static readonly FolderArrows s_arrows = new("src/S2ILGPU.Core", new Dictionary<string, string[]>
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
    }, ("src/S2ILGPU.Core/Backends/Engine.cs", "Cpu"));

    [Fact]
    public void Every_folder_has_its_place() => s_arrows.CheckFolders();

    [Fact]
    public void Folders_name_only_folders_below_them() => s_arrows.CheckNames();

    [Fact]
    public void The_arrows_have_no_cycle() => s_arrows.CheckCycles();

    [Fact]
    public void Core_references_nothing_but_the_framework()
    {
        var references = typeof(S2ILGPU.Patterns.AttentionPattern).Assembly.GetReferencedAssemblies()
            .Select(a => a.Name!);
        Assert.All(references, name => Assert.StartsWith("System.", name));
    }
}
