using System.Runtime.CompilerServices;
using ILGPU;

namespace S2ILGPU.Tiles;

/// <summary>The rows of a matrix that a lane reads as operands of products, straight from device memory: of every 8
/// rows that of its quad, g, and of every 32 columns 8, from 8t on (lane 4g + t).</summary>
/// <remarks>A product of 16 steps wants columns 2t, 2t + 1, 2t + 8 and 2t + 9 of the lane; which steps those are does
/// not matter as long as both operands agree. So a lane reads 8 neighbours at once and gives them to two
/// products.</remarks>
internal struct LaneRows<TCount> where TCount : struct, INumber
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <summary>Columns that the lanes of a quad read at once.</summary>
    public const int Steps = 32;

    private ArrayView<U4> _matrix;
    private ArrayView<long> _chunks;        // the lane's first 8 columns in each of its rows

    /// <summary>Rows <paramref name="firstRow"/> + 8i + g; those beyond the matrix are its last row.</summary>
    [MethodImpl(Inline)]
    public static LaneRows<TCount> At(in Matrix matrix, int firstRow)
    {
        int lane = Group.IdxX & 31;
        LaneRows<TCount> rows = default;
        rows._matrix = matrix.Memory;
        rows._chunks = LocalMemory.Allocate<long>(TCount.Value + 1); // an array of one element would stay in memory
        for (int i = 0; i < TCount.Value; i++)
            rows._chunks[i] = (matrix.Offset + IntrinsicMath.Min(firstRow + i * 8 + (lane >> 2), matrix.Rows - 1)
                * matrix.Stride) / 8 + (lane & 3);
        return rows;
    }

    /// <summary>The lane's 8 of columns 32n to 32n + 31 in its row i.</summary>
    [MethodImpl(Inline)]
    public readonly U4 Load(int i, int n) => _matrix[_chunks[i] + n * 4];

    /// <summary>The same, or zeros where those columns do not exist.</summary>
    [MethodImpl(Inline)]
    public readonly U4 LoadOrZero(int i, int n, int columns)
    {
        U4 x = default;
        if (n * Steps + (Group.IdxX & 3) * 8 < columns)
            x = _matrix[_chunks[i] + n * 4];
        return x;
    }
}
