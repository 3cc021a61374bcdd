using ILGPU;

namespace S2ILGPU.Kernels.Row;

/// <summary><c>y_t = table[ids_t]</c>; a row of NaN where the id is not in the table. table [V, C], y [T, C]. Rows are
/// tokens.</summary>
/// <typeparam name="TTable">How memory keeps the table; y is the activation.</typeparam>
internal struct EmbeddingOperation<TTable> : IRowOperation where TTable : struct, IStoredElement
{
    public RowView Table, Y;
    public ArrayView<int> Ids;
    public int TableRows;

    public int Rows { readonly get; set; }

    public readonly long Columns => Y.Columns;

    public readonly void Apply<TStored>(int row, long column) where TStored : struct, IStoredElement
    {
        int id = Ids[row];
        var values = new Quad() + float.NaN;
        if (id >= 0 && id < TableRows)
            values = Table.Load<TTable>(id, column);
        Y.Store<TStored>(row, column, values);
    }
}

/// <summary>Arguments of <see cref="TokenOrderKernel"/>: ids [T], two arrays [T] of tokens, and the length of the runs
/// that are sorted already.</summary>
internal struct TokenOrderArguments
{
    public ArrayView<int> Ids, Sorted, Merged;
    public int RunTokens;
}

/// <summary>Sorts tokens by id, those of an id in the order of t: one pass of a merge sort, from sorted runs to sorted
/// runs of twice the length.</summary>
/// <remarks>A thread owns tokens and finds the place of each by a binary search in the neighbouring run: log2(T)
/// launches of T log2(T) steps, without barriers, atomics or a download.</remarks>
internal static class TokenOrderKernel
{
    /// <summary>The first pass may begin with runs of one token: <c>sorted_n = n</c>.</summary>
    public static void Begin(TokenOrderArguments a)
    {
        for (int n = Grid.IdxX * Group.DimX + Group.IdxX; n < a.Sorted.IntLength; n += Grid.DimX * Group.DimX)
            a.Sorted[n] = n;
    }

    public static void Merge(TokenOrderArguments a)
    {
        int tokens = a.Sorted.IntLength;
        for (int n = Grid.IdxX * Group.DimX + Group.IdxX; n < tokens; n += Grid.DimX * Group.DimX)
        {
            int t = a.Sorted[n], id = a.Ids[t], run = n / a.RunTokens;
            bool isLeft = run % 2 == 0;
            // The tokens of the other run that go before this one: with an equal id, those of the left run.
            int first = (isLeft ? run + 1 : run - 1) * a.RunTokens, low = first < tokens ? first : tokens,
                high = first + a.RunTokens < tokens ? first + a.RunTokens : tokens;
            int start = low;
            while (low < high)
            {
                int middle = (low + high) / 2, other = a.Ids[a.Sorted[middle]];
                if (other < id || (other == id && !isLeft))
                    low = middle + 1;
                else
                    high = middle;
            }
            a.Merged[(isLeft ? n : n - a.RunTokens) + (low - start)] = t;
        }
    }
}

/// <summary><c>dtable[ids_t] += dy_t</c> in the order of t. dtable [V, C] in float32, dy [T, C].</summary>
/// <remarks>Rows are places in the order of ids; the first place of an id adds all its tokens, so that every row of the
/// table belongs to one place.</remarks>
internal struct EmbeddingBackwardOperation : IRowOperation
{
    public RowView OutputGradient, TableGradient;
    public ArrayView<int> Ids, Sorted;
    public int TableRows;

    public readonly int Rows => Sorted.IntLength;

    public readonly long Columns => OutputGradient.Columns;

    public readonly void Apply<TStored>(int row, long column) where TStored : struct, IStoredElement
    {
        int id = Ids[Sorted[row]];
        if (id < 0 || id >= TableRows || (row > 0 && Ids[Sorted[row - 1]] == id))
            return;
        var sum = TableGradient.Load<StoredSingle>(id, column);
        for (int n = row; n < Sorted.IntLength && Ids[Sorted[n]] == id; n++)
            sum += OutputGradient.Load<TStored>(Sorted[n], column);
        TableGradient.Store<StoredSingle>(id, column, sum);
    }
}
