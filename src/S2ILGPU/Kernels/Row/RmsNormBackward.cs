using ILGPU;

namespace S2ILGPU.Kernels.Row;

/// <summary>x, dy, dx [R, C], weight [C], inverse RMS [R].</summary>
internal struct RmsNormBackwardArguments
{
    public RowView X, OutputGradient;
    public ArrayView<float> Weight, InverseRms;
    public RowTarget Gradient;
    public int Columns;
}

/// <summary><c>dx_ic (+)= r_i (w_c dy_ic - x_ic r_i^2 mean_k(dy_ik w_k x_ik))</c></summary>
/// <remarks>A group owns a row, a thread every n-th column of it. Roofline: memory bandwidth, as in the forward pass;
/// the share was not measured.</remarks>
internal static class RmsNormBackwardKernel
{
    public static void Run(RmsNormBackwardArguments a)
    {
        var partials = SharedMemory.Allocate<float>(GroupSum.MaxThreads);
        int row = Grid.IdxX;
        long x = a.X.Start(row), dy = a.OutputGradient.Start(row);
        partials[Group.IdxX] =
            RowSum.Of(new ProjectionTerm { X = a.X.Data, OutputGradient = a.OutputGradient.Data, Weight = a.Weight,
            FirstX = x, FirstGradient = dy }, a.Columns);
        Group.Barrier();
        GroupSum.Fold(partials);
        Group.Barrier();
        float r = a.InverseRms[row];
        float pull = GroupSum.Total(partials) / a.Columns * r * r * r;
        for (int column = Group.IdxX; column < a.Columns; column += Group.DimX)
            a.Gradient.Put(row, column, r * a.Weight[column] * a.OutputGradient.Data[dy + column] - pull
                * a.X.Data[x + column]);
    }

    // dy w x
    private struct ProjectionTerm : ITerm
    {
        public ArrayView<float> X, OutputGradient, Weight;
        public long FirstX, FirstGradient;

        public readonly float At(int column) =>
            OutputGradient[FirstGradient + column] * Weight[column] * X[FirstX + column];
    }
}

/// <summary><c>partial_pc = sum_i dy_ic x_ic r_i</c> over the rows i of part p. partials [parts, C].</summary>
/// <remarks>The kernel's rows are the parts. Partial sums and not atomics: the order of the additions is
/// fixed.</remarks>
internal struct WeightGradientOperation : IRowOperation
{
    public RowView X, OutputGradient;
    public ArrayView<float> InverseRms, Partials;
    public int RowCount, PartRows;

    public int Rows { readonly get; set; }

    public int Columns { readonly get; set; }

    public readonly void Apply(int row, int column)
    {
        int first = row * PartRows, end = first + PartRows < RowCount ? first + PartRows : RowCount;
        float sum = 0;
        for (int i = first; i < end; i++)
            sum += OutputGradient.Data[OutputGradient.Start(i) + column] * X.Data[X.Start(i) + column] * InverseRms[i];
        Partials[(long)row * Columns + column] = sum;
    }
}
