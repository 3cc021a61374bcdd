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

/// <summary>x [count], partial sums [Grid.DimX].</summary>
internal struct SumOfSquaresArguments
{
    public ArrayView<float> X;
    public ArrayView<CompensatedSum> Partials;
}

/// <summary>partial sums, result [1].</summary>
internal struct TotalArguments
{
    public ArrayView<CompensatedSum> Partials;
    public ArrayView<float> Result;
    public int Accumulate;
}

/// <summary><c>result (+)= sum x^2</c> in two launches: a partial sum of each group, then their sum.</summary>
/// <remarks>A thread owns every n-th element, n being the number of threads; partial sums and not atomics: the order of
/// the additions is fixed. Roofline: memory bandwidth, 4 bytes per element; the share was not measured.</remarks>
internal static class SumOfSquaresKernel
{
    /// <summary>Threads of the group that adds up the partial sums.</summary>
    public const int TotalThreads = Folded;

    private const int Folded = 16;

    /// <summary>The partial sum of each group.</summary>
    public static void Partials(SumOfSquaresArguments a)
    {
        var shared = SharedMemory.Allocate<CompensatedSum>(GroupSum.MaxThreads).SubView(0, Group.DimX);
        long threads = (long)Grid.DimX * Group.DimX;
        var (even, odd) = (new CompensatedSum(), new CompensatedSum());
        for (long index = (long)Grid.IdxX * Group.DimX + Group.IdxX; index < a.X.Length; index += 2 * threads)
        {
            // Two chains of additions, whose loads are in flight together.
            float x = a.X[index], y = index + threads < a.X.Length ? a.X[index + threads] : 0;
            even = even.Plus(x * x);
            odd = odd.Plus(y * y);
        }
        shared[Group.IdxX] = even.Plus(odd);
        Group.Barrier();
        if (Group.IdxX < Folded)
            shared[Group.IdxX] = SumOf(shared, Group.IdxX, Group.DimX, Folded);
        Group.Barrier();
        if (Group.IdxX == 0)
            a.Partials[Grid.IdxX] = SumOf(shared, 0, Group.DimX < Folded ? Group.DimX : Folded, 1);
    }

    /// <summary>One group of <see cref="TotalThreads"/>: the sum of the partial sums.</summary>
    public static void Total(TotalArguments a)
    {
        var shared = SharedMemory.Allocate<CompensatedSum>(Folded);
        shared[Group.IdxX] = SumOf(a.Partials, Group.IdxX, a.Partials.IntLength, Folded);
        Group.Barrier();
        if (Group.IdxX != 0)
            return;
        var sum = SumOf(shared, 0, Folded, 1);
        if (a.Accumulate != 0)
            sum = sum.Plus(a.Result[0]);
        a.Result[0] = sum.Value;
    }

    private static CompensatedSum SumOf(ArrayView<CompensatedSum> terms, int first, int end, int step)
    {
        var sum = new CompensatedSum();
        for (int n = first; n < end; n += step)
            sum = sum.Plus(terms[n]);
        return sum;
    }
}
