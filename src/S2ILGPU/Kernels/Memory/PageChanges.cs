using ILGPU;

namespace S2ILGPU.Kernels.Memory;

/// <summary>An entry of a page table that changed.</summary>
internal struct PageChange
{
    /// <summary>Index in the table, and the page that is there now.</summary>
    public int Index, Page;
}

/// <summary>Arguments of <see cref="PageChanges"/>.</summary>
internal struct PageChangeArguments
{
    /// <summary>The changes, each entry once. Read.</summary>
    public ArrayView<PageChange> Changes;

    /// <summary>The device's copy of the table. Written.</summary>
    public ArrayView<int> Table;

    /// <summary>Number of changes.</summary>
    public int Count;
}

/// <summary><c>table[Index] = Page</c> for each change. A thread owns changes.</summary>
/// <remarks>Roofline: the launch outweighs the few bytes.</remarks>
internal static class PageChanges
{
    public static void Write(PageChangeArguments a)
    {
        for (int n = Grid.IdxX * Group.DimX + Group.IdxX; n < a.Count; n += Grid.DimX * Group.DimX)
            a.Table[a.Changes[n].Index] = a.Changes[n].Page;
    }
}
