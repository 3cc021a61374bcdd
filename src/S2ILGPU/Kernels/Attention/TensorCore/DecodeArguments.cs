using ILGPU;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.Attention.TensorCore;

/// <summary>Argument of <see cref="Decode"/>.</summary>
internal struct DecodeArguments
{
    /// <summary>One row tile for each (sequence, group of G query heads that share a KV head): its single row is the
    /// query, its head the first of the group; and the column tiles that it meets.</summary>
    public ColumnLists Lists;

    /// <summary>Q [B, 1, H, D] in pairs of 16-bit elements. Read.</summary>
    public ArrayView<uint> Query;

    /// <summary>Where the rows of Q lie; all even.</summary>
    public RowStrides QueryRows;

    /// <summary>K and V as blocks [block, BlockColumns, D] of 16-bit elements; finite everywhere, but for pages: past
    /// the last key they hold anything. Read.</summary>
    public ArrayView<U4> Keys, Values;

    /// <summary>O of each part of the list, fp32, [row tiles, G, splits, D]. Written.</summary>
    public ArrayView<F4> PartialOutput;

    /// <summary>LSE of each part of the list, natural logarithm, [row tiles, G, splits]; -inf for parts without a key.
    /// Written.</summary>
    public ArrayView<float> PartialLogSumExp;

    /// <summary>Parts that a list is cut into, the groups along y.</summary>
    public int Splits;

    /// <summary>c = scale log2(e); positive.</summary>
    public float ScaleLog2;
}
