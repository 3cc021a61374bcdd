using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.House;

/// <summary>Dependencies between the folders of Core point one way, as ARCHITECTURE.md draws them.</summary>
public sealed class ArrowTests() : FolderArrowTests(s_arrows)
{
    // The registries are the only places that name implementations.
    private static readonly FolderArrows s_arrows = new(typeof(S2ILGPU.Patterns.AttentionPattern).Assembly,
        "src/S2ILGPU.Core", "S2ILGPU", new Dictionary<string, string[]>
        {
            ["Scheduling"] = ["Lending"],
            ["Lending"] = ["AttentionWorkers"],
            ["AttentionWorkers"] = ["Inference"],
            ["Inference"] = ["Models", "Grammars"],
            ["Training"] = ["Models"],
            ["Collectives"] = ["Tensors"],
            ["Models"] = ["Ops", "Tokenizers", "Collectives"],
            ["Models/Architectures"] = ["Models"],
            ["Tokenizers"] = ["Corpora", "Storage", "Tokenizers/Pipeline"],
            ["Tokenizers/Pipeline"] = [],
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
            ["Tools"] = ["Templates", "Grammars"],
            ["Templates"] = ["Storage"],
            ["Grammars"] = ["Tokenizers"],
        }, ("S2ILGPU.Engines.Engine", "Cpu"),
        ("S2ILGPU.Models.ModelArchitecture", "Models/Architectures"));

    [Fact]
    public void Core_references_nothing_but_the_framework()
    {
        var references = typeof(S2ILGPU.Patterns.AttentionPattern).Assembly.GetReferencedAssemblies()
            .Select(a => a.Name!);
        Assert.All(references, name => Assert.StartsWith("System.", name));
    }
}
