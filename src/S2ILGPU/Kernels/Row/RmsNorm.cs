using ILGPU;
using ILGPU.Algorithms;

namespace S2ILGPU.Kernels.Row;

/// <summary>x, y [R, C], weight [C], inverse RMS [R].</summary>
internal struct RmsNormArguments
{
    public RowView X, Y, Weight;
    public ArrayView<float> InverseRms;
    public int Columns;
    public float Epsilon;
}

/// <summary><c>r_i = 1 / sqrt(mean_c x_ic^2 + epsilon), y_ic = x_ic r_i w_c</c></summary>
/// <remarks>A group owns a row, a thread every n-th quad of it. Roofline: memory bandwidth, x read twice (the second
/// time from the cache) and y written; the share was not measured.</remarks>
internal static class RmsNormKernel
{
    public static void Run<TStored>(RmsNormArguments a) where TStored : struct, IStoredElement
    {
        var partials = SharedMemory.Allocate<float>(GroupSum.MaxThreads);
        int row = Grid.IdxX;
        partials[Group.IdxX] = RowSum.Of(new SquareTerm<TStored> { X = a.X, Row = row }, a.Columns);
        Group.Barrier();
        GroupSum.Fold(partials);
        Group.Barrier();
        float r = 1f / XMath.Sqrt(GroupSum.Total(partials) / a.Columns + a.Epsilon);
        if (Group.IdxX == 0)
            a.InverseRms[row] = r;
        for (int column = Quad.Count * Group.IdxX; column < a.Columns; column += Quad.Count * Group.DimX)
            a.Y.Store<TStored>(row, column,
                a.X.Load<TStored>(row, column) * r * a.Weight.Load<StoredSingle>(0, column));
    }

    private struct SquareTerm<TStored> : ITerm where TStored : struct, IStoredElement
    {
        public RowView X;
        public int Row;

        public readonly Quad At(int column)
        {
            var x = X.Load<TStored>(Row, column);
            return x * x;
        }
    }
}
