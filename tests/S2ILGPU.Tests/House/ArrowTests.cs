using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Tests.House;

/// <summary>Dependencies between the folders of the package point one way, as ARCHITECTURE.md draws them.</summary>
public sealed class ArrowTests
{
    private static readonly FolderArrows s_arrows = new("src/S2ILGPU", new Dictionary<string, string[]>
    {
        ["Tiles"] = [],
        ["Kernels"] = ["Tiles"],
        ["Ilgpu"] = ["Tiles"],
        ["Memory"] = ["Kernels"],
        ["Launch"] = ["Kernels"],
        ["Attention"] = ["Launch", "Memory"],
        ["Devices"] = ["Ilgpu"],
        ["Reports"] = ["Launch", "Ilgpu"],
    });

    [Fact]
    public void Every_folder_has_its_place() => s_arrows.CheckFolders();

    [Fact]
    public void Folders_name_only_folders_below_them() => s_arrows.CheckNames();

    [Fact]
    public void The_arrows_have_no_cycle() => s_arrows.CheckCycles();
}
