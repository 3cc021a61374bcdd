using ILGPU;

namespace S2ILGPU.Kernels.Row;

/// <summary>terms [R, C], sum [C].</summary>
internal struct SumOfRowsArguments
{
    public RowView Terms;
    public RowTarget Sum;
    public int Rows;
}

/// <summary><c>sum_c (+)= sum_i terms_ic</c>, always in the same order.</summary>
/// <remarks>A group owns 16 columns: each thread adds every n-th row of four of them, then four threads add what the
/// others have. Roofline: memory bandwidth, every term read once; the share was not measured.</remarks>
internal static class SumOfRowsKernel
{
    /// <summary>Columns of a group.</summary>
    public const int GroupColumns = Quads * Quad.Count;

    private const int Quads = 4;

    public static void Run<TTerms>(SumOfRowsArguments a) where TTerms : struct, IStoredElement
    {
        var partials = SharedMemory.Allocate<Quad>(GroupSum.MaxThreads);
        long column = (long)GroupColumns * Grid.IdxX + Group.IdxX % Quads * Quad.Count;
        int next = Group.DimX / Quads;
        Quad even = default, odd = default;
        for (int row = Group.IdxX / Quads; row < a.Rows; row += 2 * next)
        {
            even += a.Terms.Load<TTerms>(row, column);
            if (row + next < a.Rows)
                odd += a.Terms.Load<TTerms>(row + next, column);
        }
        var sum = even + odd;
        partials[Group.IdxX] = sum;
        Group.Barrier();
        if (Group.IdxX >= Quads)
            return;
        for (int thread = Group.IdxX + Quads; thread < Group.DimX; thread += Quads)
            sum += partials[thread];
        a.Sum.Put<StoredSingle>(0, column, sum);
    }
}
