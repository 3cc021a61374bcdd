using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Tests.House;

/// <summary>Dependencies between the folders of the package point one way, as ARCHITECTURE.md draws them.</summary>
public sealed class ArrowTests() : FolderArrowTests(s_arrows)
{
    private static readonly Dictionary<string, string[]> s_map = new()
    {
        [""] = ["Products", "Attention", "Queue"],
        ["Products"] = ["Attention", "Queue", "Memory", "Variants", "Kernels/MatMul/TensorCore", "Tiles"],
        ["Attention"] = ["Queue", "Memory", "Lists", "Variants"],
        ["Reports"] = ["Variants", "Compiler", "Kernels", "Kernels/Elementwise", "Kernels/Row", "Kernels/Memory",
            "Kernels/Optimizer", "Kernels/MatMul", "Kernels/Attention/Portable"],
        ["Queue"] = ["Memory", "Devices", "Compiler", "Kernels", "Kernels/Memory"],
        ["Memory"] = ["Devices", "Tiles"],
        ["Devices"] = ["Compiler"],
        ["Variants"] = ["Kernels/Attention/Portable", "Kernels/Attention/TensorCore",
            "Kernels/MatMul/TensorCore"],
        ["Lists"] = ["Tiles"],
        ["Compiler"] = ["Tiles"],
        ["Kernels/Memory"] = ["Kernels", "Tiles"],
        ["Kernels/Elementwise"] = ["Kernels"],
        ["Kernels/Row"] = ["Kernels", "Tiles"],
        ["Kernels/MatMul"] = ["Kernels"],
        ["Kernels/MatMul/TensorCore"] = ["Tiles"],
        ["Kernels/Optimizer"] = ["Kernels"],
        ["Kernels/Attention/Portable"] = ["Kernels", "Tiles"],
        ["Kernels/Attention/TensorCore"] = ["Kernels", "Tiles"],
        ["Kernels"] = ["Tiles"],
        ["Tiles"] = [],
    };

    private static readonly FolderArrows s_arrows = Arrows(s_map);

    [Fact]
    public void A_use_without_an_arrow_is_found()
    {
        var wrong = Arrows(new(s_map) { ["Attention"] = ["Memory", "Lists", "Variants"] }).WrongUses();
        Assert.Contains("S2ILGPU.Attention.DeviceAttention uses S2ILGPU.Queue.DeviceQueue", wrong);
    }

    [Fact]
    public void A_use_of_the_root_is_found()
    {
        var wrong = new FolderArrows(typeof(IlgpuEngine).Assembly, "src/S2ILGPU/Kernels", "S2ILGPU.Kernels",
            s_map.Keys.Where(folder => folder.StartsWith("Kernels", StringComparison.Ordinal))
            .ToDictionary(folder => folder["Kernels".Length..].TrimStart('/'), _ => Array.Empty<string>())).WrongUses();
        Assert.Contains("S2ILGPU.Kernels.Memory.CopyKernel uses S2ILGPU.Kernels.IStoredElement", wrong);
    }

    private static FolderArrows Arrows(Dictionary<string, string[]> map) =>
        new(typeof(IlgpuEngine).Assembly, "src/S2ILGPU", "S2ILGPU", map);
}
