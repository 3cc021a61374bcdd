using ILGPU;

namespace S2ILGPU.Kernels;

/// <summary>What happens to one element, with the memory it happens in: the argument of an elementwise
/// kernel.</summary>
internal interface IElementwiseOperation
{
    /// <summary>Number of elements.</summary>
    long Count { get; }

    /// <summary>Does one element.</summary>
    void Apply(long index);
}

/// <summary>What happens to one element of a matrix whose rows may lie apart: the argument of a kernel over
/// rows.</summary>
internal interface IRowOperation
{
    /// <summary>Number of rows.</summary>
    int Rows { get; }

    /// <summary>Elements of a row.</summary>
    int Columns { get; }

    /// <summary>Does one element.</summary>
    void Apply(int row, int column);
}

/// <summary>Kernels whose threads share nothing; neighbouring threads do neighbouring elements. Any grid does all the
/// work, so that a launch has as many threads as fill the device.</summary>
/// <remarks>Roofline: memory bandwidth, every element read and written once; the share was not measured.</remarks>
internal static class ElementwiseKernel
{
    /// <summary>All elements of contiguous tensors. A thread does every n-th element, n being the number of
    /// threads.</summary>
    public static void Elements<TOperation>(TOperation operation) where TOperation : struct, IElementwiseOperation
    {
        long threads = (long)Grid.DimX * Group.DimX;
        for (long index = (long)Grid.IdxX * Group.DimX + Group.IdxX; index < operation.Count; index += threads)
            operation.Apply(index);
    }

    /// <summary>All elements of a matrix. Grid.X shares out the rows; Grid.Y and the threads of a group share out the
    /// columns.</summary>
    public static void Rows<TOperation>(TOperation operation) where TOperation : struct, IRowOperation
    {
        int threads = Grid.DimY * Group.DimX;
        for (int row = Grid.IdxX; row < operation.Rows; row += Grid.DimX)
            for (int column = Grid.IdxY * Group.DimX + Group.IdxX; column < operation.Columns; column += threads)
                operation.Apply(row, column);
    }
}
