namespace S2ILGPU.Kernels.Elementwise;

/// <summary><c>sum = a + b</c></summary>
internal struct AddOperation : IRowOperation
{
    public RowView A, B, Sum;

    public readonly int Rows => 1;

    public readonly long Columns => Sum.Columns;

    public readonly void Apply<TStored>(int row, long column) where TStored : struct, IStoredElement =>
        Sum.Store<TStored>(row, column, A.Load<TStored>(row, column) + B.Load<TStored>(row, column));
}

/// <summary><c>accumulator += factor x</c></summary>
internal struct AddScaledOperation : IRowOperation
{
    public RowView X, Accumulator;
    public float Factor;

    public readonly int Rows => 1;

    public readonly long Columns => X.Columns;

    public readonly void Apply<TStored>(int row, long column) where TStored : struct, IStoredElement
    {
        var sum = Accumulator.Load<TStored>(row, column).AddScaled(Factor, X.Load<TStored>(row, column));
        Accumulator.Store<TStored>(row, column, sum);
    }
}

/// <summary><c>sum_c (+)= sum_i terms_ic</c> in the order of i. terms [TermRows, columns].</summary>
internal struct SumOfRowsOperation : IRowOperation
{
    public RowView Terms;
    public RowTarget Sum;
    public int TermRows;

    public readonly int Rows => 1;

    public readonly long Columns => Terms.Columns;

    public readonly void Apply<TStored>(int row, long column) where TStored : struct, IStoredElement
    {
        var total = new Quad();
        for (int term = 0; term < TermRows; term++)
            total += Terms.Load<TStored>(term, column);
        Sum.Put<TStored>(row, column, total);
    }
}
