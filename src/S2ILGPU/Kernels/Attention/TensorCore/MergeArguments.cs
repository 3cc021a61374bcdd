using ILGPU;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.Attention.TensorCore;

/// <summary>Argument of <see cref="Merge"/>.</summary>
internal struct MergeArguments
{
    /// <summary>The row tiles of <see cref="Decode"/>.</summary>
    public ArrayView<RowTile> Rows;

    /// <summary>O of each part, [row tiles, G, splits, D]. Read.</summary>
    public ArrayView<F4> PartialOutput;

    /// <summary>LSE of each part, [row tiles, G, splits]. Read.</summary>
    public ArrayView<float> PartialLogSumExp;

    /// <summary>O [B, 1, H, D] in pairs of 16-bit elements. Written.</summary>
    public ArrayView<uint> Output;

    /// <summary>Where the rows of O lie; all even.</summary>
    public RowStrides OutputRows;

    /// <summary>LSE [B, H, Nq], natural logarithm. Written.</summary>
    public ArrayView<float> LogSumExp;

    /// <summary>H, and Nq of <see cref="LogSumExp"/>.</summary>
    public int Heads, LogSumExpRows;

    /// <summary>Parts of each list, and G.</summary>
    public int Splits, GroupHeads;

    /// <summary>D / 4.</summary>
    public int HeadQuads;

    /// <summary>Threads with work: row tiles * G * D / 4.</summary>
    public int Count;
}
