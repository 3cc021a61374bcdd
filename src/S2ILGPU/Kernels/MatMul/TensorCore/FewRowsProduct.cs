using System.Runtime.CompilerServices;
using ILGPU;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.MatMul.TensorCore;

/// <summary><c>C (+)= A B^T + bias + residual</c> where A has at most 64 rows: decoding. A [M, K], B [N, K], 16-bit
/// elements, sums in single precision.</summary>
/// <remarks>
/// <para>A group owns 16 TColumnTiles columns of C and all of its rows. Its 8 warps take turns at 32 steps of K, so
/// that it reads 512 neighbouring bytes of each row of B; rows of B are the rows of the products (mma), rows of A their
/// columns. Groups along the second dimension of the grid take a part of K each, whose sums <see cref="PartSum"/>
/// adds.</para>
/// <para>The warps' sums are added in shared memory, from the first to the last.</para>
/// <para>Roofline: memory bandwidth, one read of B; no device has measured it. A warp has 4 turns of loads of B under
/// way, 128 bytes per lane for 16 columns. For 8 rows it takes 180 instructions per 4 KB of B, for 64 rows 1,020 per 8
/// KB: at full rate 91 and 32 bytes per clock and multiprocessor, where an H200 delivers about 20.</para>
/// </remarks>
internal static class FewRowsProduct
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;
    private const int Warps = 8, Ahead = 4;

    /// <summary>Threads of a group.</summary>
    public const int Threads = Warps * 32;

    /// <summary>Dynamic shared memory in bytes: the sums of the warps.</summary>
    public static int SharedBytes<TColumnTiles, TRowTiles>() where TColumnTiles : struct, INumber
        where TRowTiles : struct, INumber => Warps * TransposedFragment<TColumnTiles, TRowTiles>.Bytes;

    /// <summary>The kernel. Grid: one group per 16 TColumnTiles columns of C, and part.</summary>
    public static void Kernel<TElement, TColumnTiles, TRowTiles, TWeightRows>(MatrixProductArguments a)
        where TElement : struct, IElement where TColumnTiles : struct, INumber where TRowTiles : struct, INumber
        where TWeightRows : struct, INumber
    {
        int warp = Group.IdxX >> 5, firstColumn = Grid.IdxX * 16 * TColumnTiles.Value,
            turns = (a.Steps + LaneRows<N1>.Steps - 1) / LaneRows<N1>.Steps,
            turn = turns * Grid.IdxY / a.Parts + warp, end = turns * (Grid.IdxY + 1) / a.Parts,
            full = IntrinsicMath.Min(end, a.Steps / LaneRows<N1>.Steps) - (Ahead - 1) * Warps;
        var weights = LaneRows<TWeightRows>.At(a.B, firstColumn);
        var rows = LaneRows<TRowTiles>.At(a.A, 0);
        var sums = TransposedFragment<TColumnTiles, TRowTiles>.Zero();
        while (turn < full)
        {
            Multiply<TElement, TColumnTiles, TRowTiles, TWeightRows>(sums, weights, rows, turn);
            turn += Ahead * Warps;
        }
        while (turn < end)
        {
            MultiplyOrZero<TElement, TColumnTiles, TRowTiles, TWeightRows>(sums, weights, rows, turn, a.Steps);
            turn += Warps;
        }
        var memory = SharedMemory.GetDynamic<U4>();
        uint shared = Intrinsics.SharedAddress(ref memory[0]);
        sums.Store(memory, shared + (uint)(warp * TransposedFragment<TColumnTiles, TRowTiles>.Bytes));
        Group.Barrier();
        var c = a.C;
        c.Offset += Grid.IdxY * a.PartElements;
        int quads = TransposedFragment<TColumnTiles, TRowTiles>.Quads, row = Group.IdxX / quads,
            quad = Group.IdxX % quads;
        var bias = c.BiasOf(firstColumn + quad * 4);
        while (row < c.Rows)
        {
            c.Put<TElement>(row, firstColumn + quad * 4,
                TransposedFragment<TColumnTiles, TRowTiles>.Sum(memory, shared, row, quad, Warps), bias);
            row += Threads / quads;
        }
    }

    /// <summary>Four turns of a warp that exist: all of B is asked for before the first product waits for it.</summary>
    [MethodImpl(Inline)]
    private static void Multiply<TElement, TColumnTiles, TRowTiles, TWeightRows>(
        in TransposedFragment<TColumnTiles, TRowTiles> sums, in LaneRows<TWeightRows> weights,
        in LaneRows<TRowTiles> rows, int turn) where TElement : struct, IElement
        where TColumnTiles : struct, INumber where TRowTiles : struct, INumber where TWeightRows : struct, INumber
    {
        var loaded = LocalMemory.Allocate<uint>(Ahead * TWeightRows.Value * 4);
        for (int s = 0; s < Ahead; s++)
        {
            for (int i = 0; i < TWeightRows.Value; i++)
                Keep(loaded, s * TWeightRows.Value + i, weights.Load(i, turn + s * Warps));
        }
        for (int s = 0; s < Ahead; s++)
        {
            for (int n = 0; n < TRowTiles.Value; n++)
            {
                var x = rows.Load(n, turn + s * Warps);
                for (int m = 0; m < TColumnTiles.Value; m++)
                    sums.MultiplyAdd<TElement>(m, n, Kept(loaded, s * TWeightRows.Value + m * 2),
                        Kept(loaded, s * TWeightRows.Value + m * 2 + 1), x);
            }
        }
    }

    /// <summary>One turn, of which some steps may not exist.</summary>
    [MethodImpl(Inline)]
    private static void MultiplyOrZero<TElement, TColumnTiles, TRowTiles, TWeightRows>(
        in TransposedFragment<TColumnTiles, TRowTiles> sums, in LaneRows<TWeightRows> weights,
        in LaneRows<TRowTiles> rows, int turn, int steps) where TElement : struct, IElement
        where TColumnTiles : struct, INumber where TRowTiles : struct, INumber where TWeightRows : struct, INumber
    {
        for (int m = 0; m < TColumnTiles.Value; m++)
        {
            U4 upper = weights.LoadOrZero(m * 2, turn, steps), lower = weights.LoadOrZero(m * 2 + 1, turn, steps);
            for (int n = 0; n < TRowTiles.Value; n++)
                sums.MultiplyAdd<TElement>(m, n, upper, lower, rows.LoadOrZero(n, turn, steps));
        }
    }

    [MethodImpl(Inline)]
    private static void Keep(ArrayView<uint> words, int index, U4 x)
    {
        words[index * 4] = x.X;
        words[index * 4 + 1] = x.Y;
        words[index * 4 + 2] = x.Z;
        words[index * 4 + 3] = x.W;
    }

    [MethodImpl(Inline)]
    private static U4 Kept(ArrayView<uint> words, int index) => new()
    {
        X = words[index * 4],
        Y = words[index * 4 + 1],
        Z = words[index * 4 + 2],
        W = words[index * 4 + 3],
    };
}
