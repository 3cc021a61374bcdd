using ILGPU;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.Attention.TensorCore;

/// <summary>Argument of <see cref="Delta"/>.</summary>
internal struct DeltaArguments
{
    /// <summary>Row tiles of 64 rows; rows are queries.</summary>
    public ArrayView<RowTile> Rows;

    /// <summary>O [B, Nq, H, D], rows aligned to 16 bytes. Read.</summary>
    public ArrayView<U4> Output;

    /// <summary>Where the rows of O lie, in elements of its type.</summary>
    public RowStrides OutputRows;

    /// <summary>dO [B, Nq, H, D], rows aligned to 16 bytes. Read.</summary>
    public ArrayView<U4> OutputGradient;

    /// <summary>Where the rows of dO lie, in elements of its type.</summary>
    public RowStrides OutputGradientRows;

    /// <summary>LSE [B, H, Nq], natural logarithm, -inf for rows that keep nothing. Read.</summary>
    public ArrayView<float> LogSumExp;

    /// <summary>dLSE [B, H, Nq], or empty if nothing depends on LSE. Read.</summary>
    public ArrayView<float> LogSumExpGradient;

    /// <summary>Lines of 128 floats, one for every packed tile; see <see cref="QueryLines{TShape}"/>.
    /// Written.</summary>
    public ArrayView<float> Lines;

    /// <summary>H, and Nq of <see cref="LogSumExp"/>.</summary>
    public int Heads, LogSumExpRows;
}
