namespace S2ILGPU.Cpu.InnerLoops;

/// <summary>Operands of <c>C[rows, columns] (+)= A[rows, steps] B[steps, columns]</c>; columns of B and C are adjacent,
/// all strides count floats.</summary>
internal unsafe struct Product
{
    /// <summary>A[0, 0]; element (row, step) is at <c>row * RowStride + step * StepStride</c>.</summary>
    public float* A;

    /// <summary>Distance between rows of A; read only by a kernel whose row stride is <see
    /// cref="AnyStride"/>.</summary>
    public nint RowStride;

    /// <summary>Distance between steps of A; read only by a kernel whose step stride is <see
    /// cref="AnyStride"/>.</summary>
    public nint StepStride;

    /// <summary>B[0, 0].</summary>
    public float* B;

    /// <summary>Distance between rows of B.</summary>
    public nint BStride;

    /// <summary>C[0, 0].</summary>
    public float* C;

    /// <summary>Distance between rows of C.</summary>
    public nint CStride;

    /// <summary>Length of the sum.</summary>
    public nint Steps;
}

/// <summary>Where the parts of a product of panels lie, and how many panels are taken at a time.</summary>
/// <param name="B">Floats from one panel of B to the next.</param>
/// <param name="C">Floats from one panel of C to the next.</param>
/// <param name="FloatsOfB">Floats of the panels of B that one row tile of A after the other is multiplied with, see
/// <see cref="Blocking"/>; at least one panel is.</param>
/// <param name="TileGap">Floats between the row tiles of A, where they do not follow each other.</param>
internal readonly record struct PanelStrides(nint B, nint C, int FloatsOfB, nint TileGap = 0);

/// <summary>A stride of A: a constant that the JIT folds into the addresses, or the one in <see
/// cref="Product"/>.</summary>
internal interface IStride
{
    /// <summary>The stride, given the one in the operands.</summary>
    static abstract nint Of(nint operandStride);
}

/// <summary>Neighbours are adjacent.</summary>
internal readonly struct UnitStride : IStride
{
    public static nint Of(nint operandStride) => 1;
}

/// <summary>Whatever the operands say.</summary>
internal readonly struct AnyStride : IStride
{
    public static nint Of(nint operandStride) => operandStride;
}
