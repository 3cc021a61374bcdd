using ILGPU;

namespace S2ILGPU.Kernels;

/// <summary>What happens to four neighbouring elements of a matrix, with the memory it happens in: the argument of an
/// elementwise kernel. Contiguous tensors are one long row.</summary>
internal interface IRowOperation
{
    /// <summary>Number of rows.</summary>
    int Rows { get; }

    /// <summary>Elements of a row.</summary>
    long Columns { get; }

    /// <summary>Does the elements of a row from a column on, a multiple of 4.</summary>
    /// <typeparam name="TStored">How memory keeps activations.</typeparam>
    void Apply<TStored>(int row, long column) where TStored : struct, IStoredElement;
}

/// <summary>The kernel of operations whose threads share nothing. A thread owns four neighbouring elements,
/// neighbouring threads neighbouring quads: no two threads write the same word where rows begin at whole quads. Any
/// grid does all the work, so that a launch has as many threads as fill the device.</summary>
/// <remarks>Grid.X shares out the rows; Grid.Y and the threads of a group share out the columns. Roofline: memory
/// bandwidth, every element read and written once; the share was not measured.</remarks>
internal static class ElementwiseKernel
{
    public static void Rows<TOperation, TStored>(TOperation operation)
        where TOperation : struct, IRowOperation
        where TStored : struct, IStoredElement
    {
        long next = (long)Quad.Count * Grid.DimY * Group.DimX;
        for (int row = Grid.IdxX; row < operation.Rows; row += Grid.DimX)
        {
            long column = (long)Quad.Count * (Grid.IdxY * Group.DimX + Group.IdxX);
            for (; column < operation.Columns; column += next)
                operation.Apply<TStored>(row, column);
        }
    }
}
