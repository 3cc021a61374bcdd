namespace S2ILGPU.Kernels.MatMul;

/// <summary>C of a product, and what is added to its sums in registers before they are stored.</summary>
internal struct ProductResult
{
    /// <summary>C.</summary>
    public RowView Rows;

    /// <summary>What is added to the elements of C, of its type: a residual, or C itself where results are added to
    /// it.</summary>
    public RowView Addend;

    /// <summary>What is added to every row of C: one row of single precision.</summary>
    public RowView Bias;

    /// <summary>Whether there are an addend and a bias (1) or not (0).</summary>
    public int HasAddend, HasBias;

    /// <summary>Puts four neighbouring results of an existing row in place, from a column on, a multiple of
    /// 4.</summary>
    public readonly void Put<TStored>(int row, long column, Quad sums) where TStored : struct, IStoredElement
    {
        if (HasBias != 0)
            sums += Bias.Load<StoredSingle>(0, column);
        if (HasAddend != 0)
            sums += Addend.Load<TStored>(row, column);
        Rows.Store<TStored>(row, column, sums);
    }

    /// <summary>Puts one result in place.</summary>
    public readonly void PutOne<TStored>(int row, int column, float sum) where TStored : struct, IStoredElement
    {
        if (HasBias != 0)
            sum += StoredSingle.Load(Bias.Words, Bias.Offset + column);
        if (HasAddend != 0)
            sum += TStored.Load(Addend.Words, Addend.Start(row) + column);
        TStored.Store(Rows.Words, Rows.Start(row) + column, sum);
    }
}
