using ILGPU;

namespace S2ILGPU.Kernels.Row;

/// <summary><c>y_t = table[ids_t]</c>; a row of NaN where the id is not in the table. table [V, C], y [T, C]. Rows are
/// tokens.</summary>
internal struct EmbeddingOperation<TStored> : IRowOperation where TStored : struct, IStoredElement
{
    public StoredRows Table;
    public RowView Y;
    public ArrayView<int> Ids;
    public int TableRows;

    public int Rows { readonly get; set; }

    public int Columns { readonly get; set; }

    public readonly void Apply(int row, int column)
    {
        int id = Ids[row];
        float value = float.NaN;
        if (id >= 0 && id < TableRows)
            value = TStored.Load(Table.Words, Table.Start(id) + column);
        Y.Data[Y.Start(row) + column] = value;
    }
}

/// <summary>
/// The tokens of each id as a chain in the order of t: <c>next_t</c> is the next token with the same id or -1, and
/// <c>isFirst_t</c> is 1 where no earlier token has the id. Ids that are not in the table have no first token.
/// </summary>
/// <remarks>A thread owns a token and looks at all others: T^2 comparisons of numbers that the cache holds, without
/// sorting, atomics or a download.</remarks>
internal struct TokenChainsOperation : IElementwiseOperation
{
    public ArrayView<int> Ids, Next, IsFirst;
    public int TableRows;

    public readonly long Count => Ids.Length;

    public readonly void Apply(long index)
    {
        int t = (int)index, id = Ids[t], earlier = 0, next = -1;
        for (int other = 0; other < t; other++)
            if (Ids[other] == id)
                earlier = 1;
        for (int other = t + 1; other < Ids.IntLength && next < 0; other++)
            if (Ids[other] == id)
                next = other;
        Next[t] = next;
        IsFirst[t] = earlier == 0 && id >= 0 && id < TableRows ? 1 : 0;
    }
}

/// <summary><c>dtable[ids_t] += dy_t</c> in the order of t. dtable [V, C], dy [T, C].</summary>
/// <remarks>Rows are tokens; the first token of an id adds all tokens of the chain, so that every row of the table
/// belongs to one token.</remarks>
internal struct EmbeddingBackwardOperation : IRowOperation
{
    public RowView OutputGradient, TableGradient;
    public ArrayView<int> Ids, Next, IsFirst;

    public int Rows { readonly get; set; }

    public int Columns { readonly get; set; }

    public readonly void Apply(int row, int column)
    {
        if (IsFirst[row] == 0)
            return;
        long to = TableGradient.Start(Ids[row]) + column;
        float sum = TableGradient.Data[to];
        for (int t = row; t >= 0; t = Next[t])
            sum += OutputGradient.Data[OutputGradient.Start(t) + column];
        TableGradient.Data[to] = sum;
    }
}
