using ILGPU;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.Attention.TensorCore;

/// <summary>Argument of <see cref="Forward"/>.</summary>
internal struct ForwardArguments
{
    /// <summary>Row tiles (rows are queries) and the column tiles that they meet (columns are keys).</summary>
    public ColumnLists Lists;

    /// <summary>Q [B, Nq, H, D], 16-bit elements, rows aligned to 16 bytes. Read.</summary>
    public ArrayView<U4> Query;

    /// <summary>Where the rows of Q lie.</summary>
    public RowStrides QueryRows;

    /// <summary>K and V as blocks [block, BlockColumns, D] of 16-bit elements; of pages, rows past the last key hold
    /// anything. Read.</summary>
    public ArrayView<U4> Keys, Values;

    /// <summary>O [B, Nq, H, D] in pairs of 16-bit elements. Written.</summary>
    public ArrayView<uint> Output;

    /// <summary>Where the rows of O lie; all even.</summary>
    public RowStrides OutputRows;

    /// <summary>LSE [B, H, Nq], natural logarithm, -inf for rows that keep nothing. Written.</summary>
    public ArrayView<float> LogSumExp;

    /// <summary>O of each part of a list where there are several, in pairs of floats, [row tiles, rows, splits, D].
    /// Written instead of <see cref="Output"/>.</summary>
    public ArrayView<F2> PartialOutput;

    /// <summary>LSE of each part where there are several, natural logarithm, [row tiles, rows, splits]; -inf for parts
    /// without a weight. Written instead of <see cref="LogSumExp"/>.</summary>
    public ArrayView<float> PartialLogSumExp;

    /// <summary>[splits, row tiles, 8]: for each 16 rows of a row tile 1 if one of them has an output that is not
    /// finite beside a log-sum-exp that is, else 0; <see cref="Portable.PortableForward.Repair"/> computes them again.
    /// Written.</summary>
    public ArrayView<int> NonFinite;

    /// <summary>H, and Nq of <see cref="LogSumExp"/>.</summary>
    public int Heads, LogSumExpRows;

    /// <summary>Parts that a list is cut into, the groups along y.</summary>
    public int Splits;

    /// <summary>c = scale log2(e); positive.</summary>
    public float ScaleLog2;

    /// <summary>1 if a query sees only keys at or before its position, else 0.</summary>
    public int Causal;
}
