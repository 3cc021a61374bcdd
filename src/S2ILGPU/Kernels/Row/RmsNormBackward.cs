using ILGPU;

namespace S2ILGPU.Kernels.Row;

/// <summary>x, dy, dx [R, C], weight [C], inverse RMS [R], partials [parts, C].</summary>
internal struct RmsNormBackwardArguments
{
    public RowView X, OutputGradient, Weight;
    public ArrayView<float> InverseRms;
    public RowTarget Gradient;

    /// <summary>Partial sums of dweight, overwritten; empty when it is not needed.</summary>
    public RowView Partials;

    /// <summary>R, C, and the rows of a part, a multiple of 4.</summary>
    public int Rows, Columns, PartRows;

    /// <summary>Whether partial sums are needed (1) or not (0).</summary>
    public int ArePartialsNeeded;
}

/// <summary><c>dx_ic (+)= r_i (w_c dy_ic - x_ic r_i^2 mean_k(dy_ik w_k x_ik)), partial_pc = sum_i dy_ic x_ic r_i</c>
/// over the rows i of part p</summary>
/// <remarks>A group owns a part, four rows of it at a time: their sums share the barriers, and their loads are in
/// flight together. A thread owns every n-th quad of all rows, so that it alone adds to its columns of the partial
/// sums. Those are added up by <see cref="SumOfRowsKernel"/>; not with atomics: the order of the additions is fixed.
/// Roofline: memory bandwidth, x and dy read twice (the second time from the cache), dx written, and for each four rows
/// a row of partial sums read and written in the cache; the share was not measured.</remarks>
internal static class RmsNormBackwardKernel
{
    public static void Run<TStored>(RmsNormBackwardArguments a) where TStored : struct, IStoredElement
    {
        var projections = SharedMemory.Allocate<Quad>(GroupSum.MaxThreads);
        int begin = Grid.IdxX * a.PartRows, end = IntrinsicMath.Min(begin + a.PartRows, a.Rows),
            next = Quad.Count * Group.DimX;
        for (int row = begin; row < end; row += FourRows.Count)
        {
            projections[Group.IdxX] = ProjectionsOf<TStored>(a, row, end - 1);
            Group.Barrier();
            GroupSum.Fold(projections);
            Group.Barrier();
            Quad r = FourRows.Of(a.InverseRms, row, end - 1);
            Quad pull = GroupSum.Total(projections) * (1f / a.Columns) * r * r * r;
            for (int column = Quad.Count * Group.IdxX; column < a.Columns; column += next)
            {
                var sum = PutRows<TStored>(a, row, end, column, r, pull);
                if (a.ArePartialsNeeded == 0)
                    continue;
                if (row > begin)
                    sum = a.Partials.Load<StoredSingle>(Grid.IdxX, column) + sum;
                a.Partials.Store<StoredSingle>(Grid.IdxX, column, sum);
            }
            Group.Barrier(); // all threads have read the sums
        }
    }

    // A thread's share of sum_k dy_ik w_k x_ik of four rows.
    private static Quad ProjectionsOf<TStored>(in RmsNormBackwardArguments a, int row, int last)
        where TStored : struct, IStoredElement
    {
        var sum = new Quad();
        for (int column = Quad.Count * Group.IdxX; column < a.Columns; column += Quad.Count * Group.DimX)
        {
            var x = FourRows.Load<TStored>(a.X, row, last, column);
            var dy = FourRows.Load<TStored>(a.OutputGradient, row, last, column);
            var w = a.Weight.Load<StoredSingle>(0, column);
            sum += new Quad
            {
                X = (dy.A * w * x.A).Sum,
                Y = (dy.B * w * x.B).Sum,
                Z = (dy.C * w * x.C).Sum,
                W = (dy.D * w * x.D).Sum,
            };
        }
        return sum;
    }

    // dx of four rows, those before the end of the part; the result is their share of the partial sums.
    private static Quad PutRows<TStored>(in RmsNormBackwardArguments a, int row, int end, int column, Quad r, Quad pull)
        where TStored : struct, IStoredElement
    {
        var x = FourRows.Load<TStored>(a.X, row, end - 1, column);
        var dy = FourRows.Load<TStored>(a.OutputGradient, row, end - 1, column);
        var w = a.Weight.Load<StoredSingle>(0, column);
        var sum = PutRow<TStored>(a.Gradient, row, column, x.A, dy.A * r.X, w, pull.X);
        if (row + 1 < end)
            sum += PutRow<TStored>(a.Gradient, row + 1, column, x.B, dy.B * r.Y, w, pull.Y);
        if (row + 2 < end)
            sum += PutRow<TStored>(a.Gradient, row + 2, column, x.C, dy.C * r.Z, w, pull.Z);
        if (row + 3 < end)
            sum += PutRow<TStored>(a.Gradient, row + 3, column, x.D, dy.D * r.W, w, pull.W);
        return sum;
    }

    // scaled = dy r
    private static Quad PutRow<TStored>(in RowTarget gradient, int row, int column, Quad x, Quad scaled, Quad w,
        float pull) where TStored : struct, IStoredElement
    {
        if (gradient.IsNeeded != 0)
            gradient.Put<TStored>(row, column, (w * scaled).AddScaled(-pull, x));
        return scaled * x;
    }
}
