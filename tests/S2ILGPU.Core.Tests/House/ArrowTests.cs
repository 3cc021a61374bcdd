using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.House;

/// <summary>Dependencies between the folders of Core point one way, as ARCHITECTURE.md draws them.</summary>
public sealed class ArrowTests
{
    // The registry is the only place that names implementations.
    private static readonly FolderArrows s_arrows = new(typeof(S2ILGPU.Patterns.AttentionPattern).Assembly,
        "src/S2ILGPU.Core", "S2ILGPU", new Dictionary<string, string[]>
        {
            ["Inference"] = ["Models"],
            ["Training"] = ["Models"],
            ["Models"] = ["Ops", "Tokenizers"],
            ["Tokenizers"] = ["Corpora", "Storage"],
            ["Corpora"] = ["Storage"],
            ["Storage"] = ["Tensors"],
            ["Ops"] = ["Autograd"],
            ["Autograd"] = ["Engines"],
            ["Cpu"] = ["Cpu/Attention", "Cpu/MatMul", "Cpu/Row", "Cpu/Optimizer"],
            ["Cpu/Attention"] = ["Cpu/Memory"],
            ["Cpu/MatMul"] = ["Cpu/Elementwise"],
            ["Cpu/Row"] = ["Cpu/Elementwise"],
            ["Cpu/Optimizer"] = ["Cpu/Elementwise"],
            ["Cpu/Elementwise"] = ["Cpu/Memory"],
            ["Cpu/Memory"] = ["Cpu/InnerLoops", "Cpu/Threads", "Engines"],
            ["Cpu/InnerLoops"] = ["Cpu/Simd"],
            ["Cpu/Simd"] = ["Tensors"],
            ["Cpu/Threads"] = ["Cpu/Simd"],
            ["Engines"] = ["Tensors", "Layouts"],
            ["Layouts"] = ["Patterns"],
            ["Tensors"] = [],
            ["Patterns"] = [],
        }, ("S2ILGPU.Engines.Engine", "Cpu"));

    [Fact]
    public void Folders_are_namespaces_and_all_have_a_place() => s_arrows.CheckFolders();

    [Fact]
    public void Types_use_only_folders_below_their_own() => s_arrows.CheckUses();

    [Fact]
    public void Arrows_have_no_cycle() => s_arrows.CheckCycles();

    [Fact]
    public void Every_arrow_is_used() => s_arrows.CheckArrows();

    [Fact]
    public void Core_references_nothing_but_the_framework()
    {
        var references = typeof(S2ILGPU.Patterns.AttentionPattern).Assembly.GetReferencedAssemblies()
            .Select(a => a.Name!);
        Assert.All(references, name => Assert.StartsWith("System.", name));
    }
}
