using System.Runtime.CompilerServices;
using ILGPU;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.Attention.TensorCore;

/// <summary>Brings tiles of 64 neighbouring keys into shared memory for <see cref="SampleTiles"/>, in one or two
/// buffers. Pages are looked up one tile ahead of the copies, so that no copy waits for the page table.</summary>
/// <remarks>Rows past the last key are zero, or, in pages, hold any values: no query sees them.</remarks>
internal struct SampleKeys<TShape> where TShape : struct, ISampleShape
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    private SharedTile<TShape> _tile;
    private TileCopy<TShape> _copy;
    private ArrayView<U4> _keys;
    private ArrayView<int> _pages, _next;                   // the page table; pages of the tile that is copied next
    private RowStrides _rows;
    private RowTile _sequence;
    private uint _address;
    private int _firstPage, _lastEntry, _firstEntry;

    /// <summary>Dynamic shared memory in bytes.</summary>
    public static int SharedBytes { [MethodImpl(Inline)] get => TShape.Stages * TileLayout<TShape>.TileBytes; }

    /// <summary>From the stage of a tile to that of the next: an exclusive or.</summary>
    public static uint StageFlip { [MethodImpl(Inline)] get =>
        TShape.Stages == 2 ? (uint)TileLayout<TShape>.TileBytes : 0u; }

    /// <summary>The keys of a KV head as the calling thread copies them.</summary>
    /// <param name="a">The kernel's argument.</param>
    /// <param name="head">The KV head.</param>
    /// <param name="memory">The group's shared memory.</param>
    /// <param name="address">Where <see cref="SharedBytes"/> of it begin.</param>
    [MethodImpl(Inline)]
    public static SampleKeys<TShape> At(in SampleScoreArguments a, int head, ArrayView<U4> memory, uint address)
    {
        SampleKeys<TShape> keys = default;
        keys._tile = SharedTile<TShape>.At(memory, address);
        keys._copy = TileCopy<TShape>.At(memory, address, Group.IdxX, 0);
        keys._keys = a.Key.Cast<U4>();
        keys._pages = a.Pages;
        keys._next = LocalMemory.Allocate<int>(4);
        keys._rows = a.KeyRows;
        keys._sequence.Batch = a.Batch;
        keys._sequence.Head = head;
        keys._sequence.FirstRow = a.KeyStart;
        keys._sequence.BeginRow = a.KeyStart;
        keys._sequence.EndRow = a.KeyStart + a.KeyCount;
        keys._address = address;
        keys._firstPage = a.PageBase + head * a.PageBlocks;
        keys._lastEntry = (a.KeyCount - 1) / TShape.BlockColumns;
        keys._firstEntry = TileEntries<TShape>.First(Group.IdxX);
        return keys;
    }

    /// <summary>Starts the copies of the first tile.</summary>
    [MethodImpl(Inline)]
    public readonly void Start(int tile, int end)
    {
        Read(tile);
        Load(tile, end, 0);
    }

    /// <summary>Starts the copies of a tile, or of nothing past the end.</summary>
    [MethodImpl(Inline)]
    public readonly void Load(int tile, int end, uint stage)
    {
        if (TShape.Paged)
            _copy.LoadOrZero(_keys, _next, stage, 0, tile < end ? 16u : 0u);
        else
        {
            var rows = _sequence;
            rows.FirstRow += tile * TShape.TileRows;
            rows.EndRow = tile < end ? rows.EndRow : 0;
            TileCopy<TShape>.LoadStrided(_copy.Memory, _address + stage, _keys, _rows, rows, TShape.TileRows);
        }
        Intrinsics.CopyCommit();
        Read(tile + 1);
    }

    /// <summary>The tile in a stage.</summary>
    [MethodImpl(Inline)]
    public readonly SharedTile<TShape> Tile(uint stage) => _tile.Moved(stage);

    [MethodImpl(Inline)]
    private readonly void Read(int tile)
    {
        if (TShape.Paged)
            TileEntries<TShape>.LoadInOrder(_next, _pages, _firstPage, _lastEntry, tile, _firstEntry);
    }
}
