using System.Runtime.CompilerServices;
using ILGPU;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.Attention.TensorCore;

/// <summary>Brings K and V of one column tile after the other into shared memory for <see cref="Forward"/>.</summary>
/// <remarks>
/// With two buffers, K and V of the next tile are copied while the current one is computed. With one buffer each, V of
/// the current tile is copied during S = Q K^T, and K of the next one during the rest. Lists are read one tile ahead of
/// the copies, so that no copy waits for a list entry.
/// </remarks>
internal struct KeyValuePipeline<TShape> where TShape : struct, IForwardShape
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    private SharedTile<TShape> _columns;
    private TileCopy<TShape> _copy;
    private ColumnLists _lists;
    private ArrayView<U4> _keys, _values;
    private ArrayView<int> _current, _next;                 // blocks that the thread copies from
    private int _columnBase, _firstEntry;

    /// <summary>Dynamic shared memory in bytes: K and V, once or twice.</summary>
    public static int SharedBytes { [MethodImpl(Inline)] get => TShape.Stages * 2 * TileLayout<TShape>.TileBytes; }

    /// <summary>From the stage of a tile to that of the next: an exclusive or.</summary>
    public static uint StageFlip { [MethodImpl(Inline)] get =>
        TShape.Stages == 2 ? (uint)(2 * TileLayout<TShape>.TileBytes) : 0u; }

    /// <summary>The pipeline as the calling thread sees it.</summary>
    /// <param name="a">The kernel's argument.</param>
    /// <param name="tile">The row tile.</param>
    /// <param name="memory">The group's shared memory.</param>
    /// <param name="address">Where <see cref="SharedBytes"/> of it begin.</param>
    [MethodImpl(Inline)]
    public static KeyValuePipeline<TShape> At(in ForwardArguments a, in RowTile tile, ArrayView<U4> memory,
        uint address)
    {
        KeyValuePipeline<TShape> p = default;
        p._columns = SharedTile<TShape>.At(memory, address);
        p._copy = TileCopy<TShape>.At(memory, address, Group.IdxX, 0);
        p._lists = a.Lists;
        p._keys = a.Keys;
        p._values = a.Values;
        p._current = LocalMemory.Allocate<int>(4);
        p._next = LocalMemory.Allocate<int>(4);
        p._columnBase = tile.ColumnBase;
        p._firstEntry = TileEntries<TShape>.First(Group.IdxX);
        return p;
    }

    /// <summary>Starts the copies of the first tile, if there is one.</summary>
    [MethodImpl(Inline)]
    public readonly void Start(int it, int end)
    {
        if (it < end)
            Read(it);
        else
            TileEntries<TShape>.Clear(_next);
        uint bytes = it < end ? 16u : 0u;
        _copy.LoadOrZero(_keys, _next, 0, 0, bytes);
        if (TShape.Stages == 2)
            _copy.LoadOrZero(_values, _next, 0, TileLayout<TShape>.TileBytes, bytes);
        Intrinsics.CopyCommit();
        Advance();
        if (it < end)
            Read(IntrinsicMath.Min(it + 1, end - 1));
    }

    /// <summary>Waits for the thread's copies of K of a tile, and of V with two buffers. A barrier must
    /// follow.</summary>
    [MethodImpl(Inline)]
    public readonly void WaitForKeys(int it, uint stage, bool masked)
    {
        Intrinsics.CopyWait0();
        if (TShape.Stages == 2 && masked)
            ZeroBehindEnd(it, stage);
    }

    /// <summary>All warps have read the previous tile: starts the copies that take its place.</summary>
    [MethodImpl(Inline)]
    public readonly void LoadBehind(int it, int end, uint stage)
    {
        if (TShape.Stages == 2)
        {
            uint bytes = it + 1 < end ? 16u : 0u;           // nothing is read past the last tile
            _copy.LoadOrZero(_keys, _next, stage ^ StageFlip, 0, bytes);
            _copy.LoadOrZero(_values, _next, stage ^ StageFlip, TileLayout<TShape>.TileBytes, bytes);
            Intrinsics.CopyCommit();
            Read(IntrinsicMath.Min(it + 2, end - 1));
        }
        else
        {
            _copy.Load(_values, _current, 0, TileLayout<TShape>.TileBytes);
            Intrinsics.CopyCommit();
        }
    }

    /// <summary>S is computed: V of the tile is ready for all warps on return. With one buffer this takes a barrier,
    /// after which K of the next tile is copied over K.</summary>
    [MethodImpl(Inline)]
    public readonly void WaitForValues(int it, int end, uint stage, bool masked)
    {
        if (TShape.Stages == 1)
        {
            Intrinsics.CopyWait0();
            if (masked)
                ZeroBehindEnd(it, stage);
            Group.Barrier();                                // V is ready; all warps have read K
            _copy.LoadOrZero(_keys, _next, 0, 0, it + 1 < end ? 16u : 0u);
            Intrinsics.CopyCommit();
            Advance();
            Read(IntrinsicMath.Min(it + 2, end - 1));
        }
    }

    /// <summary>K of the tile in a stage; V follows it by <see cref="TileLayout{TShape}.TileBytes"/>.</summary>
    [MethodImpl(Inline)]
    public readonly SharedTile<TShape> KeyTile(uint stage) => _columns.Moved(TShape.Stages == 2 ? stage : OpaqueZero());

    /// <summary>Q, at an address that the compiler cannot take out of the loop where it must not.</summary>
    [MethodImpl(Inline)]
    public readonly SharedTile<TShape> QueryTile(in SharedTile<TShape> query) =>
        TShape.Stages == 2 ? query : query.Moved(OpaqueZero());

    /// <summary>0, unknown to the compiler, which otherwise keeps every flipped variant of an address that does not
    /// change in a register.</summary>
    [MethodImpl(Inline)]
    private readonly uint OpaqueZero() => (uint)(_next[0] >> 31);

    /// <summary>Reads the blocks of a column tile.</summary>
    [MethodImpl(Inline)]
    private readonly void Read(int columnTile) =>
        TileEntries<TShape>.Load(_next, _lists, _columnBase, columnTile, _firstEntry);

    /// <summary>The next tile becomes the current one. Pinned, since ILGPU assigns loop variables one after the other
    /// and a plain copy of one to another would get the value of the next turn.</summary>
    [MethodImpl(Inline)]
    private readonly void Advance()
    {
        for (int j = 0; j < TileLayout<TShape>.ThreadBlocks; j++)
            _current[j] = (int)Intrinsics.Pin((uint)_next[j]);
    }

    /// <summary>Clears the rows of V past the last key, where keys lie in pages.</summary>
    /// <remarks>In registers it would cost 137 to 345 instructions per tile instead of 16 to 63, and a variant would
    /// spill.</remarks>
    [MethodImpl(Inline)]
    private readonly void ZeroBehindEnd(int it, uint stage)
    {
        if (TShape.Paged)
            _copy.ZeroBehindEnd(_lists, it, _firstEntry, TileLayout<TShape>.CopyRow(Group.IdxX) % TShape.BlockColumns,
                stage, TileLayout<TShape>.TileBytes);
    }
}
