using ILGPU;

namespace S2ILGPU.Kernels;

/// <summary>The terms of a sum over a row.</summary>
internal interface ITerm
{
    /// <summary>The terms of four columns from a multiple of 4 on; 0 past the end of the row.</summary>
    Quad At(int column);
}

/// <summary>A thread's share of a sum over a row: every n-th quad, n being the threads of the group; always in the same
/// order, however the row lies in memory.</summary>
internal static class RowSum
{
    /// <summary>Eight chains: their loads are in flight together, and shorter sums are rounded less.</summary>
    public static float Of<TTerm>(TTerm term, int columns) where TTerm : struct, ITerm
    {
        int next = Quad.Count * Group.DimX;
        Quad even = default, odd = default;
        for (int column = Quad.Count * Group.IdxX; column < columns; column += 2 * next)
        {
            Quad a = term.At(column), b = term.At(column + next);
            even += a;
            odd += b;
        }
        return (even + odd).Sum;
    }
}
