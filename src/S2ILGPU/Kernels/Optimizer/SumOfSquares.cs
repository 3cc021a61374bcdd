using ILGPU;

namespace S2ILGPU.Kernels.Optimizer;

/// <summary>A sum of many floats as two: the rounded sum and what its additions rounded away (Kahan, Babuska). About
/// double precision, also on devices that have none.</summary>
/// <remarks>Right whether or not the compiler fuses the multiplication that made a term with the addition; no engine
/// compiles kernels with reassociation.</remarks>
internal struct CompensatedSum
{
    public float Sum, Lost;

    /// <summary>The sum; an infinity or NaN stays what it is.</summary>
    public readonly float Value => Sum - Sum == 0 ? Sum + Lost : Sum;

    /// <summary>The sum with a term added.</summary>
    public readonly CompensatedSum Plus(float term) => Plus(new CompensatedSum { Sum = term });

    /// <summary>The sum of two sums.</summary>
    public readonly CompensatedSum Plus(CompensatedSum other)
    {
        float sum = Sum + other.Sum;
        float added = sum - Sum; // the part of other.Sum that arrived (Knuth's TwoSum)
        float lost = (Sum - (sum - added)) + (other.Sum - added);
        return new CompensatedSum { Sum = sum, Lost = lost + (Lost + other.Lost) };
    }
}

/// <summary>Tensors [count] and partial sums [groups].</summary>
internal struct SumOfSquaresArguments<TList> where TList : struct, ITensorList<ArrayView<float>>
{
    public TList Tensors;
    public ArrayView<CompensatedSum> Partials;
}

/// <summary>partial sums, first [lists + 1], results [lists].</summary>
internal struct TotalsArguments
{
    public ArrayView<CompensatedSum> Partials;

    /// <summary>Where the partial sums of each list begin, and where those of the last one end.</summary>
    public ArrayView<int> First;
    public ArrayView<float> Results;
}

/// <summary><c>results[i] = sum x^2</c> over the tensors of list i: a partial sum of each group, then, in one more
/// launch, their sums.</summary>
/// <remarks>A group owns <see cref="Chunk"/> elements of one tensor, its threads every n-th of them. Partial sums and
/// not atomics: the order of the additions is fixed, and does not depend on how the tensors are shared out to launches.
/// Roofline: memory bandwidth, 4 bytes per element; the share was not measured.</remarks>
internal static class SumOfSquaresKernel
{
    /// <summary>Elements of a group.</summary>
    public const int Chunk = 16 * 1024;

    private const int Folded = 16;

    /// <summary>The partial sum of each group.</summary>
    public static void Partials<TList>(SumOfSquaresArguments<TList> a)
        where TList : struct, ITensorList<ArrayView<float>>
    {
        var x = a.Tensors.Of(Grid.IdxX);
        long first = (long)Chunk * a.Tensors.Within(Grid.IdxX);
        long end = first + Chunk < x.Length ? first + Chunk : x.Length;
        var (even, odd) = (new CompensatedSum(), new CompensatedSum());
        for (long index = first + Group.IdxX; index < end; index += 2 * Group.DimX)
        {
            // Two chains of additions, whose loads are in flight together.
            float one = x[index], other = index + Group.DimX < end ? x[index + Group.DimX] : 0;
            even = even.Plus(one * one);
            odd = odd.Plus(other * other);
        }
        var sum = SumOfThreads(even.Plus(odd));
        if (Group.IdxX == 0)
            a.Partials[Grid.IdxX] = sum;
    }

    /// <summary>The sum of the partial sums of a list. A group owns a list.</summary>
    public static void Totals(TotalsArguments a)
    {
        int list = Grid.IdxX;
        var sum = SumOfThreads(SumOf(a.Partials, a.First[list] + Group.IdxX, a.First[list + 1], Group.DimX));
        if (Group.IdxX == 0)
            a.Results[list] = sum.Value;
    }

    // Of the values of all threads, in the first thread.
    private static CompensatedSum SumOfThreads(CompensatedSum own)
    {
        var shared = SharedMemory.Allocate<CompensatedSum>(GroupSum.MaxThreads).SubView(0, Group.DimX);
        shared[Group.IdxX] = own;
        Group.Barrier();
        if (Group.IdxX < Folded)
            shared[Group.IdxX] = SumOf(shared, Group.IdxX, Group.DimX, Folded);
        Group.Barrier();
        return Group.IdxX == 0 ? SumOf(shared, 0, Group.DimX < Folded ? Group.DimX : Folded, 1) : own;
    }

    private static CompensatedSum SumOf(ArrayView<CompensatedSum> terms, int first, int end, int step)
    {
        var sum = new CompensatedSum();
        for (int n = first; n < end; n += step)
            sum = sum.Plus(terms[n]);
        return sum;
    }
}
