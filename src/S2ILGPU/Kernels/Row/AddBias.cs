namespace S2ILGPU.Kernels.Row;

/// <summary><c>y_ic += b_c</c></summary>
internal struct AddBiasOperation : IRowOperation
{
    public RowView Bias, Y;

    public int Rows { readonly get; set; }

    public readonly long Columns => Y.Columns;

    public readonly void Apply<TStored>(int row, long column) where TStored : struct, IStoredElement =>
        Y.Store<TStored>(row, column, Y.Load<TStored>(row, column) + Bias.Load<StoredSingle>(0, column));
}
