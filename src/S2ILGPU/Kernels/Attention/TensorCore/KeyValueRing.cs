using System.Runtime.CompilerServices;
using ILGPU;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.Attention.TensorCore;

/// <summary>Brings the warp's 16 columns of K and V of one column tile after the other into a ring of the warp's own in
/// shared memory, for <see cref="Decode"/>: as many tiles ahead as the ring has places.</summary>
internal struct KeyValueRing<TShape> where TShape : struct, IDecodeShape
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    private SharedTile<TShape> _tiles;
    private TileCopy<TShape> _copy;
    private ColumnLists _lists;
    private ArrayView<U4> _keys, _values;
    private ArrayView<int> _next;                           // block of the tile that is copied next
    private int _columnBase;

    /// <summary>The warp's first entry of a list in a column tile.</summary>
    public int Entry;

    /// <summary>The group's shared memory.</summary>
    public readonly ArrayView<U4> Memory { [MethodImpl(Inline)] get => _tiles.Memory; }

    /// <summary>Bytes of a warp's ring.</summary>
    public static int Bytes { [MethodImpl(Inline)] get => TShape.Stages * PlaceBytes; }

    /// <summary>Bytes of a place of the ring: 16 rows of K, then 16 rows of V.</summary>
    private static int PlaceBytes { [MethodImpl(Inline)] get => 2 * TileLayout<TShape>.TileBytes; }

    /// <summary>The ring as the calling thread sees it.</summary>
    [MethodImpl(Inline)]
    public static KeyValueRing<TShape> At(in DecodeArguments a, in RowTile tile)
    {
        int warp = Group.IdxX >> 5, lane = Group.IdxX & 31;
        var memory = SharedMemory.GetDynamic<U4>();
        uint address = Intrinsics.SharedAddress(ref memory[0]) + (uint)(warp * Bytes);
        KeyValueRing<TShape> ring = default;
        ring._tiles = SharedTile<TShape>.At(memory, address);
        ring._copy = TileCopy<TShape>.At(memory, address, lane, warp * 16);
        ring._lists = a.Lists;
        ring._keys = a.Keys;
        ring._values = a.Values;
        ring._next = LocalMemory.Allocate<int>(4);
        ring._columnBase = tile.ColumnBase;
        ring.Entry = warp * 16 / TShape.BlockColumns;
        return ring;
    }

    /// <summary>Starts the copies of the first tiles.</summary>
    /// <returns>The tile that is copied next.</returns>
    [MethodImpl(Inline)]
    public readonly int Start(int first, int end)
    {
        int ahead = first;
        for (int i = 0; i < TShape.Stages; i++)
        {
            Read(ahead, end);
            Load((uint)(i * PlaceBytes), ahead < end);
            ahead++;
        }
        Read(ahead, end);
        return ahead;
    }

    /// <summary>Waits for the thread's copies of the oldest tile. A barrier of the warp must follow.</summary>
    [MethodImpl(Inline)]
    public static void Wait()
    {
        if (TShape.Stages == 1)
            Intrinsics.CopyWait0();
        else if (TShape.Stages == 2)
            Intrinsics.CopyWait1();
        else
            Intrinsics.CopyWait2();
    }

    /// <summary>K in a place of the ring; V follows it by <see cref="TileLayout{TShape}.TileBytes"/>.</summary>
    [MethodImpl(Inline)]
    public readonly SharedTile<TShape> Keys(uint place) => _tiles.Moved(place);

    /// <summary>All lanes have read a place: starts copying a tile to it.</summary>
    [MethodImpl(Inline)]
    public readonly void LoadBehind(uint place, int ahead, int end)
    {
        Load(place, ahead < end);
        TileEntries<TShape>.Load(_next, _lists, _columnBase, IntrinsicMath.Min(ahead + 1, end - 1), Entry);
    }

    /// <summary>The place after a place.</summary>
    [MethodImpl(Inline)]
    public static uint Following(uint place)
    {
        uint next = place + (uint)PlaceBytes;
        return next == (uint)Bytes ? 0u : next;
    }

    /// <summary>Reads the block of column tile <paramref name="tile"/>, or 0 past the end.</summary>
    [MethodImpl(Inline)]
    private readonly void Read(int tile, int end)
    {
        if (tile < end)
            TileEntries<TShape>.Load(_next, _lists, _columnBase, tile, Entry);
        else
            TileEntries<TShape>.Clear(_next);
    }

    /// <summary>Starts copying 16 rows of K and of V; past the end nothing is read.</summary>
    [MethodImpl(Inline)]
    private readonly void Load(uint place, bool valid)
    {
        uint bytes = valid ? 16u : 0u;
        _copy.LoadOrZero(_keys, _next, place, 0, bytes);
        _copy.LoadOrZero(_values, _next, place, TileLayout<TShape>.TileBytes, bytes);
        Intrinsics.CopyCommit();
    }
}
