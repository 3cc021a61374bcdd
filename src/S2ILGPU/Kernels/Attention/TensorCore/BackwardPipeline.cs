using System.Runtime.CompilerServices;
using ILGPU;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.Attention.TensorCore;

/// <summary>Brings the rows, and C1 and C2 of one column tile after the other, into shared memory for
/// <see cref="Backward"/>.</summary>
/// <remarks>
/// C1 has two buffers, filled one tile ahead. C2 has two as well, or a single one, filled again as soon as all warps
/// have read it. A tile here is what a buffer holds: a column tile, of which each warp copies the rows 16 w to 16 w +
/// 15, or 16 rows of one, which all warps copy together: one list entry per tile and thread. Lists are read one tile
/// ahead of the copies, so that no copy waits for a list entry.
/// </remarks>
internal struct BackwardPipeline<TShape> where TShape : struct, IBackwardShape
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    private SharedTile<TShape> _columns;
    private TileCopy<Strips<TShape>> _copy;
    private ColumnLists _list;
    private ArrayView<int> _current, _next;                 // strip that the thread copies from
    private uint _shared;
    private int _columnBase, _warpStrip;                    // of a tile, the strip that the warp copies a part of

    /// <summary>The warp's rows of R1 and R2 at the first stage.</summary>
    public SharedTile<TShape> Rows;

    /// <summary>Log-sum-exp and delta of the queries.</summary>
    public QueryLines<TShape> Lines;

    /// <summary>The column tile that a tile is, or is a part of.</summary>
    [MethodImpl(Inline)]
    public static int ColumnTile(int it) => TShape.StageColumns == 64 ? it : it >> 2;

    /// <summary>First column of a tile in its column tile.</summary>
    [MethodImpl(Inline)]
    public static int FirstColumn(int it) => TShape.StageColumns == 64 ? 0 : (it & 3) * 16;

    /// <summary>The pipeline as the calling thread sees it.</summary>
    [MethodImpl(Inline)]
    public static BackwardPipeline<TShape> At(in BackwardArguments a, in RowTile tile)
    {
        var memory = SharedMemory.GetDynamic<U4>();
        int warpRows = (Group.IdxX >> 5) * 16, warpBytes = warpRows * TileLayout<TShape>.RowBytes;
        uint shared = Intrinsics.SharedAddress(ref memory[0]);
        BackwardPipeline<TShape> p = default;
        p._shared = shared;
        p.Rows = SharedTile<TShape>.At(memory, shared + (uint)warpBytes);
        p._columns = SharedTile<TShape>.At(memory, shared);
        p._copy = TileCopy<Strips<TShape>>.At(memory, shared + (uint)(TShape.StageColumns == 64 ? warpBytes : 0),
            Group.IdxX & (TShape.CopyThreads - 1), warpRows & (Strips<TShape>.BlockColumns - 16));
        p.Lines = QueryLines<TShape>.At(memory);
        p._current = LocalMemory.Allocate<int>(4);
        p._next = LocalMemory.Allocate<int>(4);
        p._next[0] = 0;
        p._list = a.Lists;
        p._columnBase = (int)Intrinsics.Pin((uint)tile.ColumnBase);
        p._warpStrip = TShape.StageColumns == 64 ? warpRows / Strips<TShape>.BlockColumns : 0;
        return p;
    }

    /// <summary>Starts the copies of the rows and of the first column tile, if there is one.</summary>
    [MethodImpl(Inline)]
    public readonly void Start(in BackwardArguments a, in RowTile tile, int it, int end)
    {
        LoadRows(a, tile, RowParity(it));
        if (TShape.RowsInRegisters)
            Intrinsics.CopyCommit();
        if (it < end)
        {
            Read(it);
            LoadFirst(a, _next, Parity(it), 16);
            if (TShape.SecondBuffers == 1)
                Intrinsics.CopyCommit();
            LoadSecond(a, _next, SecondParity(it), 16);
            Read(IntrinsicMath.Min(it + 1, end - 1));
        }
        Intrinsics.CopyCommit();
    }

    /// <summary>The warp's own rows, for fragments in registers: they pass through the stage that the first column
    /// tile leaves free.</summary>
    [MethodImpl(Inline)]
    public readonly SharedTile<TShape> WaitForRows(int it)
    {
        Intrinsics.CopyWait1();
        Intrinsics.WarpBarrier();
        return Rows.Moved(RowParity(it) * (uint)BackwardMemory<TShape>.StageBytes);
    }

    /// <summary>Waits for the thread's copies of C1 of a tile, and of C2 with two buffers. A barrier must
    /// follow.</summary>
    [MethodImpl(Inline)]
    public readonly void WaitForFirst()
    {
        if (TShape.SecondBuffers == 1)
            Intrinsics.CopyWait1();
        else
            Intrinsics.CopyWait0();
    }

    /// <summary>All warps have read the previous tile: starts the copies that take its place.</summary>
    [MethodImpl(Inline)]
    public readonly void LoadBehind(in BackwardArguments a, int it, int end)
    {
        uint parity = Parity(it), bytes = Bytes(it, end);
        LoadFirst(a, _next, parity ^ 1, bytes);
        if (TShape.SecondBuffers == 2)
            LoadSecond(a, _next, parity ^ 1, bytes);
        Intrinsics.CopyCommit();
        _current[0] = _next[0];
        Read(IntrinsicMath.Min(it + 2, end - 1));
    }

    /// <summary>C2 of the tile is ready for all warps on return; a single buffer takes a barrier.</summary>
    [MethodImpl(Inline)]
    public readonly void WaitForSecond()
    {
        if (TShape.SecondBuffers == 1)
        {
            Intrinsics.CopyWait1();
            Group.Barrier();
        }
    }

    /// <summary>The warp has read C2: a single buffer is filled again, after a barrier.</summary>
    [MethodImpl(Inline)]
    public readonly void SecondIsRead(in BackwardArguments a, int it, int end)
    {
        if (TShape.SecondBuffers == 1)
        {
            Group.Barrier();
            LoadSecond(a, _current, 0, Bytes(it, end));
            Intrinsics.CopyCommit();
        }
    }

    /// <summary>C1 of a tile.</summary>
    [MethodImpl(Inline)]
    public readonly SharedTile<TShape> First(int it) => Stage(it).Behind(BackwardMemory<TShape>.Columns1);

    /// <summary>C2 of a tile.</summary>
    [MethodImpl(Inline)]
    public readonly SharedTile<TShape> Second(int it) =>
        (TShape.SecondBuffers == 2 ? Stage(it) : _columns).Behind(BackwardMemory<TShape>.Columns2);

    /// <summary>Address of the lane's columns in the line of a tile.</summary>
    [MethodImpl(Inline)]
    public readonly uint Line(int it) =>
        LineOf(Parity(it)) + QueryLines<TShape>.LaneColumns(Stage(it).RowLane, _shared);

    /// <summary>Starts copying R1 and R2.</summary>
    [MethodImpl(Inline)]
    private readonly void LoadRows(in BackwardArguments a, in RowTile tile, uint parity)
    {
        uint stage = parity * (uint)BackwardMemory<TShape>.StageBytes;
        for (int part = 0; part < 64 / TShape.StageColumns; part++)
        {
            int distance = part * TileLayout<TShape>.TileBytes;
            _current[0] = tile.PackedTile * TileLayout<Strips<TShape>>.Entries + part + _warpStrip;
            _copy.Load(a.Rows1, _current, stage, BackwardMemory<TShape>.Rows1 + distance);
            if (TShape.First)
                _copy.Load(a.Rows2, _current, stage, BackwardMemory<TShape>.Rows2 + distance);
        }
    }

    /// <summary>Starts copying C1 and, where columns are queries, their line.</summary>
    [MethodImpl(Inline)]
    private readonly void LoadFirst(in BackwardArguments a, ArrayView<int> strips, uint parity, uint bytes)
    {
        _copy.LoadOrZero(a.Columns1, strips, parity * (uint)BackwardMemory<TShape>.StageBytes,
            BackwardMemory<TShape>.Columns1, bytes);
        if (TShape.RowsAreKeys)
            Lines.LoadOrZero(a.Lines, strips[0], LineOf(parity), bytes);
    }

    /// <summary>Starts copying C2.</summary>
    [MethodImpl(Inline)]
    private readonly void LoadSecond(in BackwardArguments a, ArrayView<int> strips, uint parity, uint bytes) =>
        _copy.LoadOrZero(a.Columns2, strips, parity * (uint)BackwardMemory<TShape>.StageBytes,
            BackwardMemory<TShape>.Columns2, bytes);

    /// <summary>Reads which strip the thread copies from for a tile.</summary>
    [MethodImpl(Inline)]
    private readonly void Read(int it)
    {
        int perBlock = Strips<TShape>.PerBlock, strip = TShape.StageColumns == 64 ? _warpStrip : it & 3;
        int block = _columnBase + _list.Entries[ColumnTile(it) * TileLayout<TShape>.Entries + strip / perBlock];
        _next[0] = perBlock == 1 ? block : block * perBlock + (strip & (perBlock - 1));
    }

    [MethodImpl(Inline)]
    private readonly SharedTile<TShape> Stage(int it) =>
        _columns.Moved(Parity(it) * (uint)BackwardMemory<TShape>.StageBytes);

    [MethodImpl(Inline)]
    private readonly uint LineOf(uint parity) =>
        _shared + (uint)BackwardMemory<TShape>.Lines + parity * QueryLines<TShape>.LineBytes;

    /// <summary>Bytes of each copy for the tile after <paramref name="it"/>: nothing is read past the last
    /// one.</summary>
    [MethodImpl(Inline)]
    private static uint Bytes(int it, int end) => it + 1 < end ? 16u : 0u;

    /// <summary>The stage of a tile: by its number, so that no register says which.</summary>
    [MethodImpl(Inline)]
    private static uint Parity(int it) => (uint)it & 1u;

    /// <summary>The buffer of C2.</summary>
    [MethodImpl(Inline)]
    private static uint SecondParity(int it) => TShape.SecondBuffers == 2 ? Parity(it) : 0u;

    /// <summary>The stage that rows for registers pass through.</summary>
    [MethodImpl(Inline)]
    private static uint RowParity(int it) => TShape.RowsInRegisters ? Parity(it) ^ 1u : 0u;
}
