using ILGPU;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels;

/// <summary>Arguments of the kernels that score sampled rows: <see cref="Attention.Portable.SampleScores"/> and <see
/// cref="Attention.TensorCore.SampleTiles"/>.</summary>
internal struct SampleScoreArguments
{
    /// <summary>Q [B, N, H, D]; K [B, Nk, Hkv, D], or pages [P, blockTokens, D]: of the kernel's types.
    /// Read.</summary>
    public ArrayView<int> Query, Key;

    /// <summary>Page of each entry, where keys lie in pages; empty otherwise.</summary>
    public ArrayView<int> Pages;

    /// <summary>The positions of the R sampled rows, ascending. Read.</summary>
    public ArrayView<int> Rows;

    /// <summary><c>ln sum_j exp(s_ij)</c> over the keys j of a piece that row i sees, [heads, R, pieces]; pieces that a
    /// row does not see stay as they are. Written.</summary>
    public ArrayView<float> Scores;

    /// <summary>Where the rows lie; of pages, Batch is the distance between pages.</summary>
    public RowStrides QueryRows, KeyRows;

    /// <summary>Of the sequence: its batch entry, first row of its queries and position of that, first row of its keys
    /// and their number.</summary>
    public int Batch, QueryStart, FirstPosition, KeyStart, KeyCount;

    /// <summary>Index of the sequence's first entry in the page table, and entries that a KV head has there.</summary>
    public int PageBase, PageBlocks;

    /// <summary>Columns of an entry, entries of a page (or 0 for plain keys), pieces of the sequence, D.</summary>
    public int BlockColumns, PageEntries, Pieces, HeadDim;

    /// <summary>First query head of the launch, and query heads that share a KV head.</summary>
    public int FirstHead, GroupHeads;

    /// <summary>Tiles of 64 keys that a group of threads takes one after the other, on tensor cores.</summary>
    public int GroupTiles;

    /// <summary>Factor of the scores.</summary>
    public float Scale;
}
