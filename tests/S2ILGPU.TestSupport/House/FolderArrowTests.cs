using Xunit;

namespace S2ILGPU.TestSupport;

/// <summary>The folders of a project use each other as its list of arrows says.</summary>
public abstract class FolderArrowTests(FolderArrows arrows)
{
    [Fact]
    public void Folders_are_namespaces_and_all_have_a_place() => arrows.CheckFolders();

    [Fact]
    public void Types_use_only_folders_below_their_own() => arrows.CheckUses();

    [Fact]
    public void Arrows_have_no_cycle() => arrows.CheckCycles();

    [Fact]
    public void Every_arrow_is_used() => arrows.CheckArrows();
}
