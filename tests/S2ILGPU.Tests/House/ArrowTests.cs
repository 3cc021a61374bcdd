using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Tests.House;

/// <summary>Dependencies between the folders of the package point one way, as ARCHITECTURE.md draws them.</summary>
public sealed class ArrowTests
{
    // The seam is where one of the two runtimes is named.
    private static readonly FolderArrows s_arrows = new("src/S2ILGPU", new Dictionary<string, string[]>
    {
        ["Tiles"] = [],
        ["Kernels"] = ["Tiles"],
        ["Ilgpu"] = ["Tiles"],
        ["Launch"] = ["Kernels"],
        ["Devices"] = ["Launch", "Ilgpu"],
        ["Memory"] = ["Devices"],
        ["Attention"] = ["Memory"],
        ["Reports"] = ["Launch", "Ilgpu"],
    }, ("src/S2ILGPU/Tiles/Seam.cs", "Ilgpu"));

    [Fact]
    public void Every_folder_has_its_place() => s_arrows.CheckFolders();

    [Fact]
    public void Folders_name_only_folders_below_them() => s_arrows.CheckNames();

    [Fact]
    public void The_arrows_have_no_cycle() => s_arrows.CheckCycles();
}
