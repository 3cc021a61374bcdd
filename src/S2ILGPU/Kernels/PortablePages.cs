using ILGPU;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels;

/// <summary>The new rows of a sequence that go into pages.</summary>
internal struct NewRows
{
    public int Batch, FirstRow, Count, FirstPosition;
}

/// <summary>Arguments of <see cref="PortablePages"/>.</summary>
internal struct PageArguments
{
    /// <summary>One entry per sequence; sequence s is index s along the grid's second dimension.</summary>
    public ArrayView<NewRows> Sequences;

    /// <summary>Pages [S, Hkv, MaxBlocks], -1 where there is none.</summary>
    public ArrayView<int> Table;

    public ArrayView<int> Source, Destination;
    public RowStrides SourceRows;
    public long DestinationOffset, PageStride, TokenStride;
    public int FirstSequence, Heads, HeadDim, BlockTokens, MaxBlocks;
}

/// <summary>Writes rows of new keys or values into pages. A group owns rows (token, head) of one sequence, its threads the elements of a row.</summary>
internal static class PortablePages
{
    public static void Write<TFrom, TTo>(PageArguments a)
        where TFrom : struct, IStoredElement
        where TTo : struct, IStoredElement
    {
        int s = a.FirstSequence + Grid.IdxY;
        var sequence = a.Sequences[s];
        for (int n = Grid.IdxX; n < sequence.Count * a.Heads; n += Grid.DimX)
        {
            int token = n / a.Heads, head = n - token * a.Heads, position = sequence.FirstPosition + token, block = position / a.BlockTokens;
            int page = a.Table[((long)s * a.Heads + head) * a.MaxBlocks + block];
            if (page < 0)
                continue;
            long from = a.SourceRows.Offset + sequence.Batch * a.SourceRows.Batch + (sequence.FirstRow + token) * a.SourceRows.Row + head * a.SourceRows.Head;
            long to = a.DestinationOffset + page * a.PageStride + (position - block * a.BlockTokens) * a.TokenStride;
            for (int d = Group.IdxX; d < a.HeadDim; d += Group.DimX)
                TTo.Store(a.Destination, to + d, TFrom.Load(a.Source, from + d));
        }
    }
}
