using ILGPU;

namespace S2ILGPU.Kernels.MatMul;

/// <summary>A, B and C of a product: A [M, K], B [K, N], C [M, N].</summary>
internal struct ProductArguments<TStored> where TStored : struct, IStoredElement
{
    public MatrixOperand<StoredSingle> A;
    public MatrixOperand<TStored> B;
    public RowTarget C;
}

/// <summary><c>C (+)= A B</c>, any transposition, float32.</summary>
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

    public static void Run<TStored>(ProductArguments<TStored> arguments) where TStored : struct, IStoredElement
    {
        var sharedA = SharedMemory.Allocate<Float4>(Steps * PitchQuads);
        var sharedB = SharedMemory.Allocate<Float4>(Steps * PitchQuads);
        int firstRow = Grid.IdxY * Lanes, firstColumn = Grid.IdxX * Lanes;
        int blockRow = Group.IdxX / BlocksAcross, blockColumn = Group.IdxX % BlocksAcross;
        Block4x4 upperLeft = default, upperRight = default, lowerLeft = default, lowerRight = default;
        var readerA = TileReader<StoredSingle>.Of(arguments.A, firstRow);
        var readerB = TileReader<TStored>.Of(arguments.B, firstColumn);
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
                Float4 upper = sharedA[step * PitchQuads + blockRow],
                    lower = sharedA[step * PitchQuads + blockRow + Half / 4];
                Float4 left = sharedB[step * PitchQuads + blockColumn],
                    right = sharedB[step * PitchQuads + blockColumn + Half / 4];
                upperLeft = upperLeft.AddOuterProduct(upper, left);
                upperRight = upperRight.AddOuterProduct(upper, right);
                lowerLeft = lowerLeft.AddOuterProduct(lower, left);
                lowerRight = lowerRight.AddOuterProduct(lower, right);
            }
            Group.Barrier();
        }
        int row = firstRow + 4 * blockRow, column = firstColumn + 4 * blockColumn;
        var extent = new Extent { Rows = arguments.A.Lanes, Columns = arguments.B.Lanes };
        Store(arguments.C, extent, row, column, upperLeft);
        Store(arguments.C, extent, row, column + Half, upperRight);
        Store(arguments.C, extent, row + Half, column, lowerLeft);
        Store(arguments.C, extent, row + Half, column + Half, lowerRight);
    }

    private static void Store(RowTarget c, Extent extent, int row, int column, Block4x4 block)
    {
        Store(c, extent, row, column, block.Row0);
        Store(c, extent, row + 1, column, block.Row1);
        Store(c, extent, row + 2, column, block.Row2);
        Store(c, extent, row + 3, column, block.Row3);
    }

    private static void Store(RowTarget c, Extent extent, int row, int column, Float4 values)
    {
        if (row >= extent.Rows)
            return;
        if (column < extent.Columns)
            c.Put(row, column, values.X);
        if (column + 1 < extent.Columns)
            c.Put(row, column + 1, values.Y);
        if (column + 2 < extent.Columns)
            c.Put(row, column + 2, values.Z);
        if (column + 3 < extent.Columns)
            c.Put(row, column + 3, values.W);
    }

    private struct Extent
    {
        public int Rows, Columns;
    }
}
