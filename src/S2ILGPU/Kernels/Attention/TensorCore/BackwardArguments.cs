using ILGPU;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.Attention.TensorCore;

/// <summary>Argument of <see cref="Backward"/>.</summary>
internal struct BackwardArguments
{
    /// <summary>
    /// Row tiles of 64 rows and the column tiles that they meet. Rows are keys and columns the queries of all heads of
    /// their group (dK, dV), or rows are queries and columns keys (dQ).
    /// </summary>
    public ColumnLists Lists;

    /// <summary>R1 and R2 in tiles [<see cref="RowTile.PackedTile"/>, 64, D] of 16-bit elements: K and V, or Q and dO.
    /// Read.</summary>
    public ArrayView<U4> Rows1, Rows2;

    /// <summary>C1 and C2 in blocks [block, BlockColumns, D] of 16-bit elements: Q and dO, or K and V; 0 where the
    /// sequence has no row. Read.</summary>
    public ArrayView<U4> Columns1, Columns2;

    /// <summary>What <see cref="Delta"/> writes for every packed query; see <see cref="QueryLines{TShape}"/>.
    /// Read.</summary>
    public ArrayView<U4> Lines;

    /// <summary>dK or dQ, [B, N, H, D]. Written where the launch computes it.</summary>
    public ArrayView<uint> Gradient1;

    /// <summary>Where the rows of <see cref="Gradient1"/> lie; all even.</summary>
    public RowStrides Gradient1Rows;

    /// <summary>dV, [B, N, H, D]. Written where the launch computes it.</summary>
    public ArrayView<uint> Gradient2;

    /// <summary>Where the rows of <see cref="Gradient2"/> lie; all even.</summary>
    public RowStrides Gradient2Rows;

    /// <summary>[row tiles, 4, 2]: for each 16 rows of a row tile 1 if a gradient of R1, and of R2, is not finite, else
    /// 0; <see cref="Portable.PortableBackward.Repair"/> computes them again. Written where the launch computes
    /// it.</summary>
    public ArrayView<int> NonFinite;

    /// <summary>c = scale log2(e); positive.</summary>
    public float ScaleLog2;

    /// <summary>The factor of Q K^T.</summary>
    public float Scale;

    /// <summary>1 if a query sees only keys at or before its position, else 0.</summary>
    public int Causal;
}
