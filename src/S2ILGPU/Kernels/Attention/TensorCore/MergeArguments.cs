using ILGPU;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.Attention.TensorCore;

/// <summary>Argument of <see cref="Merge"/>.</summary>
internal struct MergeArguments
{
    /// <summary>The row tiles of the parts.</summary>
    public ArrayView<RowTile> Rows;

    /// <summary>O of each part, [row tiles, G, rows, splits, D]. Read.</summary>
    public ArrayView<F4> PartialOutput;

    /// <summary>LSE of each part, [row tiles, G, rows, splits]. Read.</summary>
    public ArrayView<float> PartialLogSumExp;

    /// <summary>O [B, Nq, H, D] in pairs of 16-bit elements. Written.</summary>
    public ArrayView<uint> Output;

    /// <summary>Where the rows of O lie; all even.</summary>
    public RowStrides OutputRows;

    /// <summary>LSE [B, H, Nq], natural logarithm. Written.</summary>
    public ArrayView<float> LogSumExp;

    /// <summary>H, and Nq of <see cref="LogSumExp"/>.</summary>
    public int Heads, LogSumExpRows;

    /// <summary>Parts of each list; G, heads of a row tile, and its rows: 1 when decoding, where G may be more than
    /// 1.</summary>
    public int Splits, GroupHeads, TileRows;

    /// <summary>D / 4.</summary>
    public int HeadQuads;

    /// <summary>Threads with work: row tiles * G * rows * D / 4.</summary>
    public int Count;
}
