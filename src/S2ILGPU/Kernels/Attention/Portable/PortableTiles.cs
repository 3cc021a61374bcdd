using System.Runtime.CompilerServices;
using ILGPU;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.Attention.Portable;

/// <summary>
/// What the portable attention kernels share. A group is 64 threads, thread (x, y) of 8x8; tiles are 64 rows by 64
/// columns; the head dimension is walked in chunks and written in slices of 64.
/// </summary>
internal static class PortableTiles
{
    /// <summary>Threads of a group.</summary>
    public const int Threads = 64;

    /// <summary>Rows and columns of a tile, and width of a slice of the head dimension.</summary>
    public const int Tile = 64;

    /// <summary>Elements of the head dimension that a product takes at a time.</summary>
    public const int Chunk = 32;

    /// <summary>Distance of rows in shared memory: odd, so that eight rows lie in eight banks.</summary>
    public const int ChunkPitch = Chunk + 1, TilePitch = Tile + 1;

    /// <summary>
    /// Shared memory in bytes of the kernel that needs most, the backward one: chunks of rows and columns, weights, two
    /// statistics and four addresses for each of 64 rows. 36,096.
    /// </summary>
    public const int SharedBytes = (2 * Tile * ChunkPitch + Tile * TilePitch + 2 * Tile) * sizeof(float) + 4 * Tile
        * sizeof(long);

    /// <summary>In a tile of weights, the place of a column that its row does not see: what the column holds, NaN too,
    /// must not reach the row, and 0 * NaN is NaN. No weight and no gradient of a score is that.</summary>
    public const float Hidden = -float.MaxValue;

    /// <summary>The start of a row that does not exist and reads as zero.</summary>
    public const long None = -1;

    /// <summary>Absolute position of column c of a column tile.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Position(in ColumnLists lists, int blockColumns, int tile, int c) =>
        lists.Positions[tile * (Tile / blockColumns) + c / blockColumns] + c % blockColumns;

    /// <summary>Memory block of column c of a column tile.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Block(in ColumnLists lists, int blockColumns, int columnBase, int tile, int c) =>
        columnBase + lists.Entries[tile * (Tile / blockColumns) + c / blockColumns];

    /// <summary>First element of a row, or <see cref="None"/> for a row outside the sequence.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long Start(in RowTile tile, in RowStrides rows, int row) =>
        row >= tile.BeginRow && row < tile.EndRow ? rows.Offset + tile.Batch * rows.Batch + row * rows.Row + tile.Head
        * rows.Head : None;

    /// <summary>Whether the mask, the order of positions and the end of the sequence let row i of a tile see column
    /// c.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsVisible(uint mask, int i, int c, int position, int columnEnd, int lastPosition) =>
        (mask >> (i / 16 * 4 + c / 16) & 1) != 0 && position < columnEnd && position <= lastPosition;

    /// <summary>Copies columns [column, column + width) of 64 rows into shared memory, zeros where there is nothing.
    /// All threads of the group take part; a barrier must follow.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load<TElement>(ArrayView<float> tile, int pitch, int width, ArrayView<int> memory,
        ArrayView<long> starts, int column, int columns)
        where TElement : struct, IReadElement
    {
        for (int n = Group.IdxX; n < Tile * width; n += Threads)
        {
            int row = n / width, c = n - row * width;
            long start = starts[row];
            float value = 0;
            if (start != None && column + c < columns)
                value = TElement.Load(memory, start + column + c);
            tile[row * pitch + c] = value;
        }
    }

    /// <summary>Loads a chunk of 64 rows and after it the same chunk of 64 columns. A barrier must follow.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadChunks<TRow, TColumn>(ArrayView<float> chunks, ArrayView<int> rowMemory,
        ArrayView<long> rowStarts,
        ArrayView<int> columnMemory, ArrayView<long> columnStarts, int d, int headDim)
        where TRow : struct, IReadElement where TColumn : struct, IReadElement
    {
        Load<TRow>(chunks.SubView(0, Tile * ChunkPitch), ChunkPitch, Chunk, rowMemory, rowStarts, d, headDim);
        Load<TColumn>(chunks.SubView(Tile * ChunkPitch, Tile * ChunkPitch), ChunkPitch, Chunk, columnMemory,
            columnStarts, d, headDim);
    }

    /// <summary><c>product += rows columns^T</c> over a chunk of the head dimension.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Dot(ref Block8x8 product, ArrayView<float> chunks, int steps)
    {
        int rows = Group.IdxX / 8 * ChunkPitch, columns = (Tile + Group.IdxX % 8) * ChunkPitch;
        for (int d = 0; d < steps; d++)
            product.AddOuter(Floats8.Load(chunks, rows + d, ChunkPitch), Floats8.Load(chunks, columns + d, ChunkPitch));
    }

    /// <summary><c>sum += weights values</c> with weights [64, 64] and a slice of values [64, 64].</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Multiply(ref Block8x8 sum, ArrayView<float> weights, ArrayView<float> values)
    {
        int x = Group.IdxX % 8, y = Group.IdxX / 8;
        for (int j = 0; j < Tile; j++)
            sum.AddOuter(Floats8.Load(weights, y * TilePitch + j, TilePitch), Floats8.Load(values, j * Tile + x, 1));
    }

    /// <summary>The same, but what is <see cref="Hidden"/> adds nothing, whatever its value is.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void MultiplyVisible(ref Block8x8 sum, ArrayView<float> weights, ArrayView<float> values)
    {
        int x = Group.IdxX % 8, y = Group.IdxX / 8;
        for (int j = 0; j < Tile; j++)
            sum.AddVisibleOuter(Floats8.Load(weights, y * TilePitch + j, TilePitch),
                Floats8.Load(values, j * Tile + x, 1));
    }

    /// <summary>Stores the group's 64x64 sum as a slice of the rows that exist.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<TElement>(in Block8x8 sum, ArrayView<int> memory, in RowTile tile,
        in RowStrides rows, int slice,
        int columns)
        where TElement : struct, IStoredElement
    {
        int column = slice * Tile + Group.IdxX % 8, row = tile.FirstRow + Group.IdxX / 8;
        Store<TElement>(sum.R0, memory, Start(tile, rows, row), column, columns);
        Store<TElement>(sum.R1, memory, Start(tile, rows, row + 8), column, columns);
        Store<TElement>(sum.R2, memory, Start(tile, rows, row + 16), column, columns);
        Store<TElement>(sum.R3, memory, Start(tile, rows, row + 24), column, columns);
        Store<TElement>(sum.R4, memory, Start(tile, rows, row + 32), column, columns);
        Store<TElement>(sum.R5, memory, Start(tile, rows, row + 40), column, columns);
        Store<TElement>(sum.R6, memory, Start(tile, rows, row + 48), column, columns);
        Store<TElement>(sum.R7, memory, Start(tile, rows, row + 56), column, columns);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<TElement>(in Floats8 values, ArrayView<int> memory, long start, int column, int columns)
        where TElement : struct, IStoredElement
    {
        if (start != None)
            values.Store<TElement>(memory, start, column, columns);
    }
}
