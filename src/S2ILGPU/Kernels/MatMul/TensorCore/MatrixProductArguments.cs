using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.MatMul.TensorCore;

/// <summary>Argument of <see cref="MatrixProduct"/> and of <see cref="FewRowsProduct"/>, which takes B transposed
/// alone.</summary>
internal struct MatrixProductArguments
{
    /// <summary>A [M, K], or [K, M] for kernels that transpose it. Read.</summary>
    public Matrix A;

    /// <summary>B [K, N], or [N, K] for kernels that transpose it. Read.</summary>
    public Matrix B;

    /// <summary>C [M, N], or with several parts the first of the matrices [parts, M, N] of their sums.
    /// Written.</summary>
    public ResultMatrix C;

    /// <summary>K; twice that for elements of 32 bits.</summary>
    public int Steps;

    /// <summary>Parts that K is cut into, one for each group along the second dimension of the grid.</summary>
    public int Parts;

    /// <summary>Distance between the results of two parts, in elements.</summary>
    public long PartElements;
}
