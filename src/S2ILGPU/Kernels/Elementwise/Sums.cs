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
