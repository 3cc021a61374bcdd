using ILGPU;

namespace S2ILGPU.Kernels;

/// <summary>A term of a sum over a row.</summary>
internal interface ITerm
{
    /// <summary>The term of a column.</summary>
    float At(int column);
}

/// <summary>A thread's share of a sum over a row: every n-th column, n being the threads of the group; always in the
/// same order.</summary>
internal static class RowSum
{
    /// <summary>Four chains: their loads are in flight together, and shorter sums are rounded less.</summary>
    public static float Of<TTerm>(TTerm term, int columns) where TTerm : struct, ITerm
    {
        int n = Group.DimX;
        float a = 0, b = 0, c = 0, d = 0;
        int column = Group.IdxX;
        for (; column + 3 * n < columns; column += 4 * n)
        {
            float ta = term.At(column), tb = term.At(column + n), tc = term.At(column + 2 * n),
                td = term.At(column + 3 * n);
            a += ta;
            b += tb;
            c += tc;
            d += td;
        }
        for (; column < columns; column += n)
            a += term.At(column);
        return a + b + (c + d);
    }
}
