using ILGPU;

namespace S2ILGPU.Kernels.Row;

/// <summary>x, dy, dx [R, C], weight [C], inverse RMS [R].</summary>
internal struct RmsNormBackwardArguments
{
    public RowView X, OutputGradient, Weight;
    public ArrayView<float> InverseRms;
    public RowTarget Gradient;
    public int Columns;
}

/// <summary><c>dx_ic (+)= r_i (w_c dy_ic - x_ic r_i^2 mean_k(dy_ik w_k x_ik))</c></summary>
/// <remarks>A group owns a row, a thread every n-th quad of it. Roofline: memory bandwidth, as in the forward pass; the
/// share was not measured.</remarks>
internal static class RmsNormBackwardKernel
{
    public static void Run<TStored>(RmsNormBackwardArguments a) where TStored : struct, IStoredElement
    {
        var partials = SharedMemory.Allocate<float>(GroupSum.MaxThreads);
        int row = Grid.IdxX;
        partials[Group.IdxX] = RowSum.Of(new ProjectionTerm<TStored> { X = a.X, OutputGradient = a.OutputGradient,
            Weight = a.Weight, Row = row }, a.Columns);
        Group.Barrier();
        GroupSum.Fold(partials);
        Group.Barrier();
        float r = a.InverseRms[row];
        float pull = GroupSum.Total(partials) / a.Columns * r * r * r;
        for (int column = Quad.Count * Group.IdxX; column < a.Columns; column += Quad.Count * Group.DimX)
        {
            var weighted = a.Weight.Load<StoredSingle>(0, column) * a.OutputGradient.Load<TStored>(row, column);
            a.Gradient.Put<TStored>(row, column, (weighted * r).AddScaled(-pull, a.X.Load<TStored>(row, column)));
        }
    }

    // dy w x
    private struct ProjectionTerm<TStored> : ITerm where TStored : struct, IStoredElement
    {
        public RowView X, OutputGradient, Weight;
        public int Row;

        public readonly Quad At(int column) => OutputGradient.Load<TStored>(Row, column)
            * Weight.Load<StoredSingle>(0, column) * X.Load<TStored>(Row, column);
    }
}

/// <summary><c>partial_pc = sum_i dy_ic x_ic r_i</c> over the rows i of part p. partials [parts, C].</summary>
/// <remarks>The kernel's rows are the parts. Partial sums and not atomics: the order of the additions is
/// fixed.</remarks>
internal struct WeightGradientOperation : IRowOperation
{
    public RowView X, OutputGradient, Partials;
    public ArrayView<float> InverseRms;
    public int RowCount, PartRows;

    public int Rows { readonly get; set; }

    public readonly long Columns => Partials.Columns;

    public readonly void Apply<TStored>(int row, long column) where TStored : struct, IStoredElement
    {
        int first = row * PartRows, end = first + PartRows < RowCount ? first + PartRows : RowCount;
        var sum = new Quad();
        for (int i = first; i < end; i++)
            sum += OutputGradient.Load<TStored>(i, column) * X.Load<TStored>(i, column) * InverseRms[i];
        Partials.Store<StoredSingle>(row, column, sum);
    }
}
