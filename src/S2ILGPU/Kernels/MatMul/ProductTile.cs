using ILGPU;

namespace S2ILGPU.Kernels.MatMul;

/// <summary>A, B and C of a product: A [M, K], B [K, N], C [M, N].</summary>
internal struct ProductArguments
{
    public MatrixOperand A, B;
    public ProductResult C;
}

/// <summary><c>C (+)= A B + bias + residual</c>, any transposition, each operand of a type of its own, computed in
/// float32.</summary>
/// <remarks>
/// A group owns 64 rows and 64 columns of C, a thread 8 rows and 8 columns: four blocks of 4 by 4 that lie 32 apart, so
/// that the threads of a warp read adjacent quads of B and share those of A. Per step a thread loads 4 quads and
/// multiplies 64 times. Shared memory: 2 * 16 * 68 floats, 8.5 KB, so even a GPU with 64 KB per multiprocessor holds 7
/// groups, which hide each other's barriers. Roofline: shared memory and fp32 units alike, 4 quads for 64
/// multiplications and additions; 30 to 42 % of an H100's fp32 rate by estimate (20 to 28 of 67 TFLOP/s), no device has
/// measured it.
/// </remarks>
internal static class ProductTile
{
    /// <summary>Rows and columns of C of a group.</summary>
    public const int Lanes = 64;

    /// <summary>Steps between barriers.</summary>
    public const int Steps = 16;

    /// <summary>Threads of a group.</summary>
    public const int Threads = 64;

    /// <summary>Floats from step to step in shared memory: 4 more than lanes, so that threads which store neighbouring
    /// steps of a lane meet at most one other in their bank.</summary>
    public const int Pitch = Lanes + 4;

    private const int BlocksAcross = 8, Half = Lanes / 2, PitchQuads = Pitch / 4;

    public static void Run<TA, TB, TC>(ProductArguments arguments)
        where TA : struct, IStoredElement
        where TB : struct, IStoredElement
        where TC : struct, IStoredElement
    {
        var sharedA = SharedMemory.Allocate<Quad>(Steps * PitchQuads);
        var sharedB = SharedMemory.Allocate<Quad>(Steps * PitchQuads);
        int firstRow = Grid.IdxY * Lanes, firstColumn = Grid.IdxX * Lanes;
        int blockRow = Group.IdxX / BlocksAcross, blockColumn = Group.IdxX % BlocksAcross;
        Block4x4 upperLeft = default, upperRight = default, lowerLeft = default, lowerRight = default;
        var readerA = TileReader<TA>.Of(arguments.A, firstRow);
        var readerB = TileReader<TB>.Of(arguments.B, firstColumn);
        var nextA = readerA.Read(0);
        var nextB = readerB.Read(0);
        for (int firstStep = 0; firstStep < arguments.A.Steps; firstStep += Steps)
        {
            readerA.Write(sharedA.Cast<float>(), nextA);
            readerB.Write(sharedB.Cast<float>(), nextB);
            Group.Barrier();
            nextA = readerA.Read(firstStep + Steps); // arrives while this tile is multiplied
            nextB = readerB.Read(firstStep + Steps);
            for (int step = 0; step < Steps; step++)
            {
                Quad upper = sharedA[step * PitchQuads + blockRow],
                    lower = sharedA[step * PitchQuads + blockRow + Half / 4];
                Quad left = sharedB[step * PitchQuads + blockColumn],
                    right = sharedB[step * PitchQuads + blockColumn + Half / 4];
                upperLeft = upperLeft.AddOuterProduct(upper, left);
                upperRight = upperRight.AddOuterProduct(upper, right);
                lowerLeft = lowerLeft.AddOuterProduct(lower, left);
                lowerRight = lowerRight.AddOuterProduct(lower, right);
            }
            Group.Barrier();
        }
        int row = firstRow + 4 * blockRow, column = firstColumn + 4 * blockColumn, rows = arguments.A.Lanes;
        Store<TC>(arguments.C, rows, row, column, upperLeft);
        Store<TC>(arguments.C, rows, row, column + Half, upperRight);
        Store<TC>(arguments.C, rows, row + Half, column, lowerLeft);
        Store<TC>(arguments.C, rows, row + Half, column + Half, lowerRight);
    }

    private static void Store<TC>(ProductResult c, int rows, int row, int column, Block4x4 block)
        where TC : struct, IStoredElement
    {
        if (row < rows)
            c.Put<TC>(row, column, block.Row0);
        if (row + 1 < rows)
            c.Put<TC>(row + 1, column, block.Row1);
        if (row + 2 < rows)
            c.Put<TC>(row + 2, column, block.Row2);
        if (row + 3 < rows)
            c.Put<TC>(row + 3, column, block.Row3);
    }
}
