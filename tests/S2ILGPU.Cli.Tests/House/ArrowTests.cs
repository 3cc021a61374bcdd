using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Cli.Tests.House;

/// <summary>Dependencies between the folders of the tool point one way, as ARCHITECTURE.md draws them.</summary>
public sealed class ArrowTests
{
    private static readonly FolderArrows s_arrows = new(typeof(CommandLine).Assembly, "src/S2ILGPU.Cli", "S2ILGPU.Cli",
        new Dictionary<string, string[]>
        {
            [""] = ["Commands"],
            ["Commands"] = ["Bench", "Bench/Device", "Verify", "Training", "Drawing", "Devices", "Json",
                "Invocation"],
            ["Bench/Device"] = ["Bench", "Devices"],
            ["Bench"] = ["Training", "Drawing"],
            ["Verify"] = ["Devices"],
            ["Training"] = ["Devices", "DotNetDocumentation", "Drawing", "Invocation"],
            ["Devices"] = [],
            ["Invocation"] = [],
            ["Drawing"] = [],
            ["DotNetDocumentation"] = [],
            ["Json"] = [],
        });

    [Fact]
    public void Folders_are_namespaces_and_all_have_a_place() => s_arrows.CheckFolders();

    [Fact]
    public void Types_use_only_folders_below_their_own() => s_arrows.CheckUses();

    [Fact]
    public void Arrows_have_no_cycle() => s_arrows.CheckCycles();

    [Fact]
    public void Every_arrow_is_used() => s_arrows.CheckArrows();
}
