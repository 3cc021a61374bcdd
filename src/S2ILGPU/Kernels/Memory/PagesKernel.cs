using ILGPU;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.Memory;

/// <summary>The new rows of a sequence that go into pages.</summary>
internal struct NewRows
{
    /// <summary>Index along the outermost dimension of the source, first row in it, number of rows, and the absolute
    /// position of the first.</summary>
    public int Batch, FirstRow, Count, FirstPosition;
}

/// <summary>Arguments of <see cref="PagesKernel"/>.</summary>
internal struct PageArguments
{
    /// <summary>One entry per sequence; sequence s is index s along the grid's second dimension.</summary>
    public ArrayView<NewRows> Sequences;

    /// <summary>Pages [S, Hkv, MaxBlocks], -1 where there is none.</summary>
    public ArrayView<int> Table;

    /// <summary>Rows [B, T, Hkv, D], read, and pages [P, blockTokens, D], written.</summary>
    public ArrayView<int> Source, Destination;

    /// <summary>Where the source's rows lie.</summary>
    public RowStrides SourceRows;

    /// <summary>First element of the pages; distance between pages, and between the rows of a page, in
    /// elements.</summary>
    public long DestinationOffset, PageStride, TokenStride;

    /// <summary>The sequence of the grid's row 0, Hkv, D, rows of a page, and blocks that the table has for each
    /// head.</summary>
    public int FirstSequence, Heads, HeadDim, BlockTokens, MaxBlocks;
}

/// <summary>Writes rows of new keys or values into pages. A group owns rows (token, head) of one sequence, its threads
/// the elements of a row.</summary>
/// <remarks>Roofline: memory bandwidth, one read and one write of each element; decoding writes one row per head, which
/// the launch itself outweighs.</remarks>
internal static class PagesKernel
{
    public static void Write<TFrom, TTo>(PageArguments a)
        where TFrom : struct, IStoredElement
        where TTo : struct, IStoredElement
    {
        int s = a.FirstSequence + Grid.IdxY;
        var sequence = a.Sequences[s];
        for (int n = Grid.IdxX; n < sequence.Count * a.Heads; n += Grid.DimX)
        {
            int token = n / a.Heads, head = n - token * a.Heads, position = sequence.FirstPosition + token,
                block = position / a.BlockTokens;
            int page = a.Table[((long)s * a.Heads + head) * a.MaxBlocks + block];
            if (page < 0)
                continue;
            long from = a.SourceRows.Offset + sequence.Batch * a.SourceRows.Batch + (sequence.FirstRow + token)
                * a.SourceRows.Row + head * a.SourceRows.Head;
            long to = a.DestinationOffset + page * a.PageStride + (position - block * a.BlockTokens) * a.TokenStride;
            for (int d = Group.IdxX; d < a.HeadDim; d += Group.DimX)
                TTo.Store(a.Destination, to + d, TFrom.Load(a.Source, from + d));
        }
    }
}
