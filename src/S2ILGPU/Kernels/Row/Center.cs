using ILGPU;

namespace S2ILGPU.Kernels.Row;

/// <summary>x, y [R, C].</summary>
internal struct CenterArguments
{
    public RowView X;
    public RowTarget Y;
    public int Columns;
}

/// <summary><c>y_ic (+)= x_ic - mean_k x_ik</c></summary>
/// <remarks>A group owns a row, a thread every n-th quad of it. Roofline: memory bandwidth, x read twice (the second
/// time from the cache) and y written; the share was not measured.</remarks>
internal static class CenterKernel
{
    public static void Run<TStored>(CenterArguments a) where TStored : struct, IStoredElement
    {
        var partials = SharedMemory.Allocate<float>(GroupSum.MaxThreads);
        int row = Grid.IdxX;
        partials[Group.IdxX] = RowSum.Of(new Element<TStored> { X = a.X, Row = row }, a.Columns);
        Group.Barrier();
        GroupSum.Fold(partials);
        Group.Barrier();
        float mean = GroupSum.Total(partials) / a.Columns;
        for (int column = Quad.Count * Group.IdxX; column < a.Columns; column += Quad.Count * Group.DimX)
            a.Y.Put<TStored>(row, column, a.X.Load<TStored>(row, column) + -mean);
    }

    private struct Element<TStored> : ITerm where TStored : struct, IStoredElement
    {
        public RowView X;
        public int Row;

        public readonly Quad At(int column) => X.Load<TStored>(Row, column);
    }
}
