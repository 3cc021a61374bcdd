using ILGPU;
using ILGPU.Algorithms;

namespace S2ILGPU.Kernels.Row;

/// <summary>x, y [R, C], weight [C], inverse RMS [R].</summary>
internal struct RmsNormArguments
{
    public RowView X, Y;
    public ArrayView<float> Weight, InverseRms;
    public int Columns;
    public float Epsilon;
}

/// <summary><c>r_i = 1 / sqrt(mean_c x_ic^2 + epsilon), y_ic = x_ic r_i w_c</c></summary>
/// <remarks>A group owns a row, a thread every n-th column of it. Roofline: memory bandwidth, x read twice (the second
/// time from the cache) and y written; the share was not measured.</remarks>
internal static class RmsNormKernel
{
    public static void Run(RmsNormArguments a)
    {
        var partials = SharedMemory.Allocate<float>(GroupSum.MaxThreads);
        int row = Grid.IdxX;
        long x = a.X.Start(row), y = a.Y.Start(row);
        partials[Group.IdxX] = RowSum.Of(new SquareTerm { X = a.X.Data, First = x }, a.Columns);
        Group.Barrier();
        GroupSum.Fold(partials);
        Group.Barrier();
        float r = 1f / XMath.Sqrt(GroupSum.Total(partials) / a.Columns + a.Epsilon);
        if (Group.IdxX == 0)
            a.InverseRms[row] = r;
        for (int column = Group.IdxX; column < a.Columns; column += Group.DimX)
            a.Y.Data[y + column] = a.X.Data[x + column] * r * a.Weight[column];
    }

    private struct SquareTerm : ITerm
    {
        public ArrayView<float> X;
        public long First;

        public readonly float At(int column)
        {
            float x = X[First + column];
            return x * x;
        }
    }
}
