using System.Runtime.CompilerServices;
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

    /// <summary>Rows [B, T, Hkv, D], read, and pages [P, blockTokens, D], written; of Int8, blockTokens rows and
    /// then their scales.</summary>
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

/// <summary>A row of the source and its place in the pages.</summary>
internal struct PageRow
{
    /// <summary>First element in the source, and first element of the page.</summary>
    public long From, Page;

    /// <summary>Row of the page, or -1 where the block has no page.</summary>
    public int Index;

    /// <summary>Row n of a sequence, tokens by heads.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static PageRow Find(in PageArguments a, int s, in NewRows sequence, int n)
    {
        int token = n / a.Heads, head = n - token * a.Heads, position = sequence.FirstPosition + token,
            block = position / a.BlockTokens, page = a.Table[((long)s * a.Heads + head) * a.MaxBlocks + block];
        return new PageRow
        {
            From = a.SourceRows.Offset + sequence.Batch * a.SourceRows.Batch + (sequence.FirstRow + token)
                * a.SourceRows.Row + head * a.SourceRows.Head,
            Page = a.DestinationOffset + page * a.PageStride,
            Index = page < 0 ? -1 : position - block * a.BlockTokens,
        };
    }
}

/// <summary>Writes rows of new keys or values into pages. A group owns rows (token, head) of one sequence, its threads
/// the elements of a row.</summary>
/// <remarks>Roofline: memory bandwidth, one read and one write of each element; decoding writes one row per head, which
/// the launch itself outweighs.</remarks>
internal static class PagesKernel
{
    /// <summary>Pages of a float type.</summary>
    public static void Write<TFrom, TTo>(PageArguments a)
        where TFrom : struct, IStoredElement
        where TTo : struct, IStoredElement
    {
        int s = a.FirstSequence + Grid.IdxY;
        var sequence = a.Sequences[s];
        for (int n = Grid.IdxX; n < sequence.Count * a.Heads; n += Grid.DimX)
        {
            var row = PageRow.Find(a, s, sequence, n);
            if (row.Index < 0)
                continue;
            long to = row.Page + row.Index * a.TokenStride;
            for (int d = Group.IdxX; d < a.HeadDim; d += Group.DimX)
                TTo.Store(a.Destination, to + d, TFrom.Load(a.Source, row.From + d));
        }
    }

    /// <summary>Pages of Int8: <c>m = max |x|, q = round(x (127 / m)), scale = m / 127</c>, the limits as <see
    /// cref="StoredInt8"/> has them. Every thread finds the maximum of the whole row by itself, in reads that all
    /// threads share; then it owns words of 4 elements.</summary>
    public static void WriteInt8<TFrom>(PageArguments a)
        where TFrom : struct, IStoredElement
    {
        int s = a.FirstSequence + Grid.IdxY;
        var sequence = a.Sequences[s];
        for (int n = Grid.IdxX; n < sequence.Count * a.Heads; n += Grid.DimX)
        {
            var row = PageRow.Find(a, s, sequence, n);
            if (row.Index < 0)
                continue;
            uint max = 0;
            for (int d = 0; d < a.HeadDim; d++)
                max = IntrinsicMath.Max(max, Interop.FloatAsInt(TFrom.Load(a.Source, row.From + d)) & 0x7fffffff);
            long words = row.Page + (long)row.Index * a.HeadDim >> 2,
                scales = row.Page + (long)a.BlockTokens * a.HeadDim >> 2;
            for (int d = 4 * Group.IdxX; d < a.HeadDim; d += 4 * Group.DimX)
            {
                int word = 0;
                for (int place = 0; place < 4 && StoredInt8.IsNumber(max); place++)
                    word |= StoredInt8.Byte(TFrom.Load(a.Source, row.From + d + place) * StoredInt8.Inverse(max),
                        place);
                a.Destination[words + (d >> 2)] = word;
            }
            if (Group.IdxX == 0)
                a.Destination[scales + row.Index] = (int)Interop.FloatAsInt(StoredInt8.Scale(max));
        }
    }
}
