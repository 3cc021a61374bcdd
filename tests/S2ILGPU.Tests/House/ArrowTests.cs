using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Tests.House;

/// <summary>Dependencies between the folders of the package point one way, as ARCHITECTURE.md draws them.</summary>
public sealed class ArrowTests
{
    private static readonly Dictionary<string, string[]> s_map = new()
    {
        [""] = ["Attention", "Queue"],
        ["Attention"] = ["Queue", "Memory", "Lists", "Variants"],
        ["Reports"] = ["Variants", "Compiler"],
        ["Queue"] = ["Memory", "Devices", "Compiler", "Kernels", "Kernels/Memory"],
        ["Memory"] = ["Tiles"],
        ["Devices"] = ["Compiler"],
        ["Variants"] = ["Kernels/Attention/Portable", "Kernels/Attention/TensorCore"],
        ["Lists"] = ["Tiles"],
        ["Compiler"] = ["Tiles"],
        ["Kernels/Memory"] = ["Kernels", "Tiles"],
        ["Kernels/Elementwise"] = ["Kernels"],
        ["Kernels/Row"] = ["Kernels", "Tiles"],
        ["Kernels/MatMul"] = ["Kernels"],
        ["Kernels/Optimizer"] = ["Kernels"],
        ["Kernels/Attention/Portable"] = ["Kernels", "Tiles"],
        ["Kernels/Attention/TensorCore"] = ["Kernels", "Tiles"],
        ["Kernels"] = [],
        ["Tiles"] = [],
    };

    private static readonly FolderArrows s_arrows = Arrows(s_map);

    [Fact]
    public void Folders_are_namespaces_and_all_have_a_place() => s_arrows.CheckFolders();

    [Fact]
    public void Types_use_only_folders_below_their_own() => s_arrows.CheckUses();

    [Fact]
    public void Arrows_have_no_cycle() => s_arrows.CheckCycles();

    [Fact]
    public void Every_arrow_is_used() => s_arrows.CheckArrows();

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
