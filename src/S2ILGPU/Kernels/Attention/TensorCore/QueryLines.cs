using System.Runtime.CompilerServices;
using ILGPU;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.Attention.TensorCore;

/// <summary>Log-sum-exp and delta of queries, as <see cref="Delta"/> writes them: for every 16 packed queries 16 times
/// lse log2(e), then 16 times -delta, all floats.</summary>
/// <remarks>
/// Queries that keep nothing, and packed rows that belong to no sequence, have +inf and 0: their probabilities are
/// 2^-inf = 0. Where rows are queries a lane holds its two rows in registers; where columns are queries the line of the
/// column tile lies in shared memory after the tile.
/// </remarks>
internal struct QueryLines<TShape> where TShape : struct, IBackwardShape
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;
    private const int QueryBytes = 8, PartBytes = 16 * QueryBytes, DeltaOffset = PartBytes / 2;

    /// <summary>Bytes of a line of 64 queries.</summary>
    public const int LineBytes = 64 * QueryBytes;

    /// <summary>The group's shared memory.</summary>
    public ArrayView<U4> Memory;

    /// <summary>Of the lane's rows, [2]; rows are queries.</summary>
    public ArrayView<float> LogSumExps, Deltas;

    /// <summary>What a thread copies of a line, as an offset in bytes; columns are queries. The threads of 16 queries
    /// copy their part, several times over the same bytes: no branch.</summary>
    public uint Part;

    /// <summary>The line as the calling thread sees it.</summary>
    [MethodImpl(Inline)]
    public static QueryLines<TShape> At(ArrayView<U4> memory)
    {
        QueryLines<TShape> lines = default;
        lines.Memory = memory;
        lines.LogSumExps = LocalMemory.Allocate<float>(2);
        lines.Deltas = LocalMemory.Allocate<float>(2);
        lines.Part = Intrinsics.Pin((uint)((TShape.StageColumns == 64 ? Group.IdxX >> 5 : 0) * PartBytes
            + (Group.IdxX & 7) * 16));
        return lines;
    }

    /// <summary>Reads the lane's rows of a packed tile of queries.</summary>
    [MethodImpl(Inline)]
    public readonly void LoadRows(ArrayView<U4> source, int packedTile)
    {
        var floats = source.Cast<float>();
        long first = (long)packedTile * (LineBytes / 4) + (Group.IdxX >> 5) * (PartBytes / 4)
            + ((Group.IdxX & 31) >> 2);
        for (int half = 0; half < 2; half++)
        {
            LogSumExps[half] = floats[first + half * 8];
            Deltas[half] = floats[first + half * 8 + DeltaOffset / 4];
        }
    }

    /// <summary>Starts copying the thread's 16 packed queries of a strip to shared memory, or zeros if <paramref
    /// name="bytes"/> is 0 instead of 16.</summary>
    [MethodImpl(Inline)]
    public readonly void LoadOrZero(ArrayView<U4> source, int strip, uint line, uint bytes)
    {
        ulong from = Intrinsics.GlobalAddress(ref source[0])
            + ((ulong)(uint)strip * (ulong)(uint)(Strips<TShape>.BlockColumns * QueryBytes)
            + (Part & (uint)(Strips<TShape>.BlockColumns * QueryBytes - 1)));
        Intrinsics.CopyAsyncOrZero(line + Part, 0, from, 0, bytes, ref Memory[0], ref source[0]);
    }

    /// <summary><c>P = 2^(S c - lse)</c> in place of S. The line is at <paramref name="lane"/>, the first column of S
    /// is column <paramref name="firstColumn"/> of its buffer.</summary>
    [MethodImpl(Inline)]
    public readonly void Weigh(in AccumulatorFragment<TShape, Step<TShape>> scores, float c, uint lane, int firstColumn)
    {
        for (int n = 0; n < TShape.StepColumns / 8; n++)
        {
            F2 columns = default;
            if (TShape.RowsAreKeys)
                columns = Intrinsics.LoadShared2(lane, ColumnOffset(firstColumn, n), ref Memory[0]);
            int x = n * 4;
            scores.Values[x] = Intrinsics.Exp2(scores.Values[x] * c - (TShape.RowsAreKeys ? columns.X : LogSumExps[0]));
            scores.Values[x + 1] = Intrinsics.Exp2(scores.Values[x + 1] * c
                - (TShape.RowsAreKeys ? columns.Y : LogSumExps[0]));
            scores.Values[x + 2] = Intrinsics.Exp2(scores.Values[x + 2] * c
                - (TShape.RowsAreKeys ? columns.X : LogSumExps[1]));
            scores.Values[x + 3] = Intrinsics.Exp2(scores.Values[x + 3] * c
                - (TShape.RowsAreKeys ? columns.Y : LogSumExps[1]));
        }
    }

    /// <summary><c>dP = -delta</c>: where the accumulation of dP - delta begins.</summary>
    [MethodImpl(Inline)]
    public readonly void Start(in AccumulatorFragment<TShape, Step<TShape>> gradients, uint lane, int firstColumn)
    {
        for (int n = 0; n < TShape.StepColumns / 8; n++)
        {
            F2 columns = default;
            if (TShape.RowsAreKeys)
                columns = Intrinsics.LoadShared2(lane, ColumnOffset(firstColumn, n) + DeltaOffset, ref Memory[0]);
            int x = n * 4;
            gradients.Values[x] = TShape.RowsAreKeys ? columns.X : Deltas[0];
            gradients.Values[x + 1] = TShape.RowsAreKeys ? columns.Y : Deltas[0];
            gradients.Values[x + 2] = TShape.RowsAreKeys ? columns.X : Deltas[1];
            gradients.Values[x + 3] = TShape.RowsAreKeys ? columns.Y : Deltas[1];
        }
    }

    /// <summary>Byte offset of the lane's columns 2t in a line, from the address of its row in a shared tile that
    /// begins at <paramref name="tile"/>.</summary>
    /// <remarks>The row is l % 8, so its last two bits are t. An address that changes with every tile costs no
    /// register, a plain function of the lane would be kept in one through the loop.</remarks>
    [MethodImpl(Inline)]
    public static uint LaneColumns(uint row, uint tile)
    {
        // 2-adic part of the row size, and the rest, which is its own inverse modulo 4
        uint even = (uint)(TileLayout<TShape>.RowBytes & -TileLayout<TShape>.RowBytes),
            odd = (uint)TileLayout<TShape>.RowBytes / even;
        return ((row - tile) / even * odd & 3u) * QueryBytes;
    }

    [MethodImpl(Inline)]
    private static uint ColumnOffset(int firstColumn, int n) =>
        (uint)((firstColumn + n * 8) / 16 * PartBytes + n % 2 * 32);
}
